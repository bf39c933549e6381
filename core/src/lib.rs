//! The protocol core of a Cocaine node.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]

extern crate alloc;

pub mod client;
pub mod config;
pub mod engine;
pub mod framework;
pub mod locator;
pub mod machine;
pub mod node;
pub mod rng;
pub mod session;
pub mod time;
pub mod wire;
pub mod worker;
