//! The node service: starting, stopping and looking at apps.

use alloc::format;

use super::super::Node;
use super::super::conns::{Answer, Caller, Owner};
use super::{Call, Message};
use crate::config::AppName;
use crate::engine::EngineCommand;
use crate::machine::EngineId;
use crate::session::unknown_method;
use crate::wire::v1::message::{CLOSE, ERROR, WRITE};
use crate::wire::{Args, Failure, codes};

const START_APP: u32 = 0;
const PAUSE_APP: u32 = 1;
const LIST: u32 = 2;
const INFO: u32 = 3;
const CONTROL: u32 = 4;
const ENQUEUE: u32 = 5;

/// A hold on the size of an app's pool, for as long as a channel is open.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Lever {
    pub(in super::super) engine: EngineId,
    pub(in super::super) caller: Caller,
}

impl Node {
    pub(super) fn call_node(&mut self, caller: Caller, call: Call<'_>) -> Result<(), Failure> {
        let mut args = Args::new(call.args)?;
        match call.message {
            START_APP => {
                let app = app_name(args.text()?)?;
                let profile = args.text()?;
                let ticket = self.defer(caller)?;
                self.start_app(&app, profile, Some(ticket));
            }
            PAUSE_APP => {
                let app = args.text()?;
                let ticket = self.defer(caller)?;
                self.pause_app(app, ticket);
            }
            LIST => {
                let names = Answer::texts(self.present_apps().iter().map(AppName::as_str));
                let ticket = self.defer(caller)?;
                self.answer(ticket, Ok(names));
            }
            INFO => {
                let app = args.text()?;
                let flags = if args.is_empty() { 0 } else { args.uint()? };
                let ticket = self.defer(caller)?;
                self.report_app(app, u32::try_from(flags).unwrap_or(u32::MAX), ticket);
            }
            CONTROL => return self.open_lever(caller, args.text()?),
            ENQUEUE => {
                let (app, event) = (args.text()?, args.raw()?);
                return self.open_stream(caller, app, event, call.headers);
            }
            other => return Err(unknown_method(other)),
        }
        Ok(())
    }

    fn open_lever(&mut self, caller: Caller, app: &str) -> Result<(), Failure> {
        let engine = self.running_engine(app)?;
        let number = self.next_number();
        self.open(caller, Owner::Lever(number))?;
        self.levers.insert(number, Lever { engine, caller });
        Ok(())
    }

    /// What comes on the channel of `control`: the numbers of workers that are wanted, and the end.
    pub(super) fn on_lever_message(&mut self, caller: Caller, lever: u64, message: &Message<'_>) {
        let wish = Args::new(message.args()).and_then(|mut args| args.int());
        match (message.head.message, wish) {
            (WRITE, Ok(workers)) => {
                let Some(Lever { engine, .. }) = self.levers.get(&lever).copied() else { return };
                return self.tell_engine(engine, EngineCommand::Control { lever, workers });
            }
            (WRITE, Err(error)) => self.send_error(caller, &error.into()),
            (ERROR | CLOSE, _) => self.send_done(caller),
            (other, _) => self.send_error(caller, &unknown_method(other)),
        }
        self.finish(caller);
        self.release_lever(lever);
    }

    /// The holder has left or let go.
    pub(in super::super) fn release_lever(&mut self, lever: u64) {
        if let Some(Lever { engine, .. }) = self.levers.remove(&lever) {
            self.tell_engine(engine, EngineCommand::Release { lever });
        }
    }

    /// The app has gone before the holder.
    pub(in super::super) fn break_levers(&mut self, engine: EngineId, failure: &Failure) {
        let broken = self.levers.extract_if(.., |_, lever| lever.engine == engine);
        let callers: alloc::vec::Vec<Caller> = broken.map(|(_, lever)| lever.caller).collect();
        for caller in callers {
            if self.finish(caller).is_some() {
                self.send_error(caller, failure);
            }
        }
    }
}

fn app_name(name: &str) -> Result<AppName, Failure> {
    AppName::new(name).map_err(|error| {
        Failure::new(codes::INVALID_ARGUMENT, format!("{name:?} cannot be an app's name: {error}"))
    })
}
