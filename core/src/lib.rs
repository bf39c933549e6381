//! The protocol core of a Cocaine node: every decision, and no I/O.
//!
//! A node starts an app's worker processes when requests need them, speaks a MessagePack protocol with them,
//! balances requests over them, replaces the stuck and the dead, and offers apps and services by name. All of
//! that is decided here, by plain structs that own no socket, clock, thread, lock or randomness. A *driver*
//! tells them what happened and does what they ask for; several drivers exist, and writing one more takes an
//! afternoon.
//!
//! # The map
//!
//! | module | what it is |
//! |---|---|
//! | [`machine`] | the vocabulary between machines and drivers, and the contract: start here |
//! | [`time`] | moments, wall clock, and why a machine wants to be woken |
//! | [`wire`] | frames of both dialects, headers, values, method trees, error codes |
//! | [`session`] | one connection: frames in, batches out, channels, bounds |
//! | [`worker`] | one worker's life as a table of states and events |
//! | [`engine`] | the machine of one app: clients, queue, pool, balance |
//! | [`node`] | the machine of one node: locator, node, storage and logging services; starts and stops apps |
//! | [`locator`] | the table of names |
//! | [`client`] | the machine of a service's user |
//! | [`framework`] | the machine inside a worker |
//! | [`config`] | manifests, profiles, runlists: checked once, then types that cannot be wrong |
//! | [`rng`] | numbers from a seed, for jitter and uuids |
//!
//! # The contract in a nutshell
//!
//! ```
//! use cocaine_core::machine::{Input, Machine, Output};
//! use cocaine_core::time::Timestamp;
//!
//! /// One turn of a driver: what is to be done now, and when to come back at the latest.
//! fn turn<M: Machine>(
//!     machine: &mut M,
//!     now: Timestamp,
//!     happened: Input<M::Command>,
//!     mut act: impl FnMut(Output<M::Notice>),
//! ) -> Option<Timestamp> {
//!     machine.handle(now, happened);
//!     while let Some(output) = machine.poll_output() {
//!         act(output);
//!     }
//!     machine.next_timeout().map(|(at, _why)| at)
//! }
//! ```
//!
//! Everything a driver can get wrong is said at the items it concerns: [`machine::Machine`] for the loop,
//! [`machine::Output`] for what each deed is answered with, [`machine::Input`] for what may come when.
//!
//! # Promises
//!
//! * Every accepted request is answered exactly once, on every path.
//! * Nothing grows without a bound: each bound is a named value, [`wire::Limits`] and [`engine::EngineLimits`].
//! * No input makes a machine panic; one bad peer never disturbs another.
//! * The same inputs give the same outputs. Machines are `Clone` and have a
//!   [`digest`](machine::Machine::digest).
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
