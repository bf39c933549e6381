//! The bodies of the fuzz targets: each takes any bytes, and panics if something is wrong with what we made of them.
//!
//! The targets under `fuzz/` only call them; the tests of this package run them over the committed corpora.

mod driver;
mod reader;
mod stage;

pub mod engine_client;
pub mod engine_worker;
pub mod frames;
pub mod headers;
pub mod scanner;
pub mod value;

/// One target: its name, which is also its corpus's, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("engine_client", engine_client::run),
    ("engine_worker", engine_worker::run),
    ("frames", frames::run),
    ("headers", headers::run),
    ("scanner", scanner::run),
    ("value", value::run),
];
