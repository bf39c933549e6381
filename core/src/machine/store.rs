//! Storage and app code, as requests to the driver and their answers.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use thiserror::Error;

use crate::wire::Value;

/// One storage operation ([`Output::Store`](super::Output::Store)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreRequest {
    /// Reads a value.
    Read {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// Writes a value and replaces its tags.
    Write {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
        /// The value, opaque to the storage.
        value: Bytes,
        /// The tags to find it by.
        tags: Vec<String>,
    },
    /// Removes a value and its tags. Removing what is not there succeeds.
    Remove {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// Finds the keys that carry all of the tags.
    Find {
        /// The collection.
        collection: String,
        /// The tags; none of them finds nothing.
        tags: Vec<String>,
    },
}

/// What a storage operation gave ([`Input::Stored`](super::Input::Stored)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreReply {
    /// The value that was read.
    Value(Bytes),
    /// A write or remove is durable.
    Done,
    /// The keys that were found, sorted.
    Keys(Vec<String>),
}

/// Why a storage operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct StoreError {
    /// The POSIX error number nearest to the cause: 2 no such key, 13 not permitted, 20 not a
    /// directory, 22 a name that cannot be a key, 28 no space, 30 read-only.
    pub errno: i32,
    /// What failed, on which collection and key, and why.
    pub text: String,
}

/// A document of configuration (manifest, profile), as a runtime read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it came from, to begin an error message with: a file name, or `manifests/echo`.
    pub source: String,
    /// Its content.
    pub value: Value,
    /// Where keys stand in the file, if it is one: dotted path to line and column, from 1.
    pub positions: BTreeMap<String, (u32, u32)>,
}

/// What a runtime found and prepared for an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Launched {
    /// The directory of the app's code: an absolute path.
    pub directory: String,
    /// The manifest that stands in that directory, for an app that runs in place.
    pub manifest: Option<Box<Document>>,
    /// The profile that stands beside it, if there is one.
    pub profile: Option<Box<Document>>,
}

/// Why an app could not be prepared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct LaunchError {
    /// Nearest POSIX error number.
    pub errno: i32,
    /// What failed and why.
    pub text: String,
}
