//! Storage behind the storage service: values by collection and key, found again by tags.

mod files;
mod name;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use cocaine_core::machine::{StoreError, StoreReply, StoreRequest};

pub use files::FilesStorage;

/// A store of values. All calls block; any number of threads may call at once.
pub trait Storage: Send + Sync {
    /// The value of a key. Errors: 2 if there is none, 22 if a name is not possible.
    fn read(&self, collection: &str, key: &str) -> Result<Bytes, StoreError>;

    /// Writes a value and gives it exactly these tags. When this returns the value is durable; when
    /// it fails the old value is still there.
    fn write(&self, collection: &str, key: &str, value: &[u8], tags: &[String]) -> Result<(), StoreError>;

    /// Removes a value and its tags. Removing what is not there succeeds.
    fn remove(&self, collection: &str, key: &str) -> Result<(), StoreError>;

    /// The keys that carry all of the tags, sorted. No tags, an unknown collection and an unknown
    /// tag all find nothing.
    fn find(&self, collection: &str, tags: &[String]) -> Result<Vec<String>, StoreError>;

    /// Does what a machine asks for.
    fn run(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        match request {
            StoreRequest::Read { collection, key } => self.read(&collection, &key).map(StoreReply::Value),
            StoreRequest::Write { collection, key, value, tags } => {
                self.write(&collection, &key, &value, &tags).map(|()| StoreReply::Done)
            }
            StoreRequest::Remove { collection, key } => {
                self.remove(&collection, &key).map(|()| StoreReply::Done)
            }
            StoreRequest::Find { collection, tags } => self.find(&collection, &tags).map(StoreReply::Keys),
        }
    }
}
