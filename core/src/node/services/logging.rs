//! The logging service: what workers and clients say becomes records.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::Node;
use super::super::conns::Caller;
use super::Call;
use crate::machine::{Output, Record, Severity};
use crate::session::unknown_method;
use crate::wire::{Args, ArgsError, Failure, Value, encode};

const EMIT: u32 = 0;
const VERBOSITY: u32 = 1;
const SET_VERBOSITY: u32 = 2;

impl Node {
    pub(super) fn call_logging(&mut self, caller: Caller, call: &Call<'_>) -> Result<(), Failure> {
        match call.message {
            EMIT => {
                self.on_emit(caller, call.args);
                Ok(())
            }
            VERBOSITY => {
                let verbosity = self.verbosity as u64;
                self.send_value(caller, 1, |out| encode::uint(out, verbosity));
                Ok(())
            }
            SET_VERBOSITY => {
                self.verbosity = exact_severity(Args::new(call.args)?.int()?)?;
                self.send_done(caller);
                Ok(())
            }
            other => Err(unknown_method(other)),
        }
    }

    /// The one method that is never answered: clients expect nothing, and would take an error for the answer
    /// to something else. So a bad one is itself something to log.
    fn on_emit(&mut self, caller: Caller, args: &[u8]) {
        let record = record(args).unwrap_or_else(|error| {
            let text = format!("connection {} sent a record that cannot be read: {error}", caller.conn);
            Record::new(Severity::Warning, "logging", text)
        });
        if record.severity >= self.verbosity {
            self.out.push(Output::Log(record));
        }
    }
}

fn record(args: &[u8]) -> Result<Record, ArgsError> {
    let mut args = Args::new(args)?;
    let severity = nearest_severity(args.int()?);
    let source = lossy(args.raw()?);
    let message = lossy(args.raw()?);
    let attributes = if args.is_empty() { Vec::new() } else { attributes(args.array()?)? };
    Ok(Record { severity, source, message, attributes })
}

fn attributes(mut list: Args<'_>) -> Result<Vec<(String, Value)>, ArgsError> {
    let mut attributes = Vec::new();
    while !list.is_empty() {
        let mut pair = list.array()?;
        attributes.push((lossy(pair.raw()?), pair.value()?));
    }
    Ok(attributes)
}

fn lossy(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// What a record's number means. A number that means nothing is no reason to lose the record.
const fn nearest_severity(level: i64) -> Severity {
    match level {
        ..=0 => Severity::Debug,
        1 => Severity::Info,
        2 => Severity::Warning,
        3.. => Severity::Error,
    }
}

fn exact_severity(level: i64) -> Result<Severity, Failure> {
    if (0..=3).contains(&level) {
        return Ok(nearest_severity(level));
    }
    Err(ArgsError { index: 0, expected: "0 debug, 1 info, 2 warning or 3 error", found: "another number" }
        .into())
}
