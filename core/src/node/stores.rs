//! What the node waits for from the storage.

use super::Node;
use super::conns::Ticket;
use crate::config::AppName;
use crate::machine::{Output, StoreError, StoreId, StoreReply, StoreRequest};

/// For whom a storage operation is.
#[derive(Clone, Debug)]
pub(super) enum Storing {
    /// A client of the storage service, whom it costs so many bytes.
    Call { ticket: Ticket, cost: usize },
    /// The start of an app.
    App(AppName),
    /// The start of the node.
    Runlist,
}

impl Node {
    pub(super) fn store(&mut self, request: StoreRequest, storing: Storing) {
        let store = self.out.next_store();
        self.stores.insert(store, storing);
        self.out.push(Output::Store { store, request });
    }

    pub(super) fn on_stored(&mut self, store: StoreId, result: Result<StoreReply, StoreError>) {
        match self.stores.remove(&store) {
            Some(Storing::Call { ticket, cost }) => self.answer_storage(ticket, cost, result),
            Some(Storing::App(app)) => self.go_on_starting(&app, super::start::Event::Read(value(result))),
            Some(Storing::Runlist) => self.on_runlist(value(result)),
            None => {}
        }
    }
}

/// What a read gave. A driver that answers a read with something else has read nothing.
fn value(result: Result<StoreReply, StoreError>) -> Result<bytes::Bytes, StoreError> {
    match result? {
        StoreReply::Value(value) => Ok(value),
        StoreReply::Done | StoreReply::Keys(_) => {
            Err(StoreError { errno: 5, text: "the storage answered a read with no value".into() })
        }
    }
}
