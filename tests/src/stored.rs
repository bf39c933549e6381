//! A storage in memory, for tests that stand in for a driver.

use std::collections::BTreeMap;

use bytes::Bytes;
use cocaine_core::machine::{StoreError, StoreReply, StoreRequest};
use cocaine_core::wire::Value;

/// Values with their tags, by collection and key.
#[derive(Debug, Default)]
pub struct Stored(BTreeMap<(String, String), (Bytes, Vec<String>)>);

impl Stored {
    /// Puts a value there, packed, without tags.
    pub fn put(&mut self, collection: &str, key: &str, value: &Value) {
        self.0.insert((collection.into(), key.into()), (value.to_vec().into(), Vec::new()));
    }

    /// Does a storage operation.
    ///
    /// # Errors
    ///
    /// There is no such key to read.
    pub fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        match request {
            StoreRequest::Read { collection, key } => match self.0.get(&(collection, key)) {
                Some((value, _)) => Ok(StoreReply::Value(value.clone())),
                None => Err(StoreError { errno: 2, text: "no such key".into() }),
            },
            StoreRequest::Write { collection, key, value, tags } => {
                self.0.insert((collection, key), (value, tags));
                Ok(StoreReply::Done)
            }
            StoreRequest::Remove { collection, key } => {
                self.0.remove(&(collection, key));
                Ok(StoreReply::Done)
            }
            StoreRequest::Find { collection, tags } => {
                let all = |own: &[String]| !tags.is_empty() && tags.iter().all(|tag| own.contains(tag));
                let found = self.0.iter().filter(|((there, _), (_, own))| *there == collection && all(own));
                Ok(StoreReply::Keys(found.map(|((_, key), _)| key.clone()).collect()))
            }
        }
    }
}
