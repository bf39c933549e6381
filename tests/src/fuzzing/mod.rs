//! The bodies of the fuzz targets: each takes any bytes, and panics if something is wrong with what we made of them.
//!
//! The targets under `fuzz/` only call them; the tests of this package run them over the committed corpora.

mod calls;
mod driver;
mod reader;
mod stage;
mod stream;

pub mod client_session;
pub mod engine_client;
pub mod engine_inputs;
pub mod engine_worker;
pub mod frames;
pub mod framework_session;
pub mod headers;
pub mod node_services;
pub mod scanner;
pub mod value;

/// One target: its name, which is also its corpus's, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("client_session", client_session::run),
    ("engine_client", engine_client::run),
    ("engine_inputs", engine_inputs::run),
    ("engine_worker", engine_worker::run),
    ("frames", frames::run),
    ("framework_session", framework_session::run),
    ("headers", headers::run),
    ("node_services", node_services::run),
    ("scanner", scanner::run),
    ("value", value::run),
];
