//! The blocking side of a node: everything every daemon needs that has no executor in it.
#![deny(unsafe_code)]

pub mod host;
