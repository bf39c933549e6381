//! The storage service: the driver's storage, for clients.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::Node;
use super::super::conns::{Answer, Caller, Ticket};
use super::super::stores::Storing;
use super::Call;
use super::locator::texts;
use crate::machine::{StoreError, StoreReply, StoreRequest};
use crate::session::unknown_method;
use crate::wire::codes::category;
use crate::wire::{Args, ErrorCode, Failure, encode};

const READ: u32 = 0;
const WRITE: u32 = 1;
const REMOVE: u32 = 2;
const FIND: u32 = 3;

/// What an operation costs its client beside its arguments, so that small ones are bounded too.
const OPERATION_COST: usize = 256;
/// What a read costs more, as nobody knows how much it will bring: with the usual bound, sixteen at a time.
const READ_COST: usize = 64 * 1024;

impl Node {
    pub(super) fn call_storage(&mut self, caller: Caller, call: &Call<'_>) -> Result<(), Failure> {
        let request = request(call)?;
        let read = if call.message == READ { READ_COST } else { 0 };
        let cost = OPERATION_COST + call.args.len() + read;
        let ticket = self.defer(caller)?;
        self.owe(caller.conn, cost);
        self.store(request, Storing::Call { ticket, cost });
        Ok(())
    }

    pub(in super::super) fn answer_storage(
        &mut self,
        ticket: Ticket,
        cost: usize,
        result: Result<StoreReply, StoreError>,
    ) {
        let conn = ticket.conn();
        let result = result.map_err(|error| store_failure(&error, String::new())).map(|reply| match reply {
            StoreReply::Value(value) => Answer::one(|out| encode::raw(out, &value)),
            StoreReply::Done => Answer::DONE,
            StoreReply::Keys(keys) => Answer::texts(keys.iter().map(String::as_str)),
        });
        self.answer(ticket, result);
        self.repay(conn, cost);
    }
}

fn request(call: &Call<'_>) -> Result<StoreRequest, Failure> {
    let mut args = Args::new(call.args)?;
    match call.message {
        READ => {
            let (collection, key) = names(&mut args)?;
            Ok(StoreRequest::Read { collection, key })
        }
        WRITE => {
            let (collection, key) = names(&mut args)?;
            let value = Bytes::copy_from_slice(args.raw()?);
            let tags = if args.is_empty() { Vec::new() } else { texts(&mut args)? };
            Ok(StoreRequest::Write { collection, key, value, tags })
        }
        REMOVE => {
            let (collection, key) = names(&mut args)?;
            Ok(StoreRequest::Remove { collection, key })
        }
        FIND => {
            let collection = args.text()?.to_owned();
            Ok(StoreRequest::Find { collection, tags: texts(&mut args)? })
        }
        other => Err(unknown_method(other)),
    }
}

fn names(args: &mut Args<'_>) -> Result<(String, String), Failure> {
    Ok((args.text()?.to_owned(), args.text()?.to_owned()))
}

/// An error of the storage as clients know it: its number in the category of plain failures.
pub(in super::super) fn store_failure(error: &StoreError, context: String) -> Failure {
    const IO: i32 = 5;
    let errno = if error.errno > 0 { error.errno } else { IO };
    Failure::new(ErrorCode::new(category::GENERIC, errno), context + &error.text)
}
