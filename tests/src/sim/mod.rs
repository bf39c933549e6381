//! The simulator: an engine, its clients and its workers on simulated time, network and processes, under faults
//! that a seed decides. Promises are checked after every step.
//!
//! A run is a storm, in which everything goes wrong that its [`Options`](options::Options) allow; then peace, in
//! which everything must be answered; and the end, after which nothing may be left. The same seed always does the
//! same: the hash of its trace says so.
//!
//! * [`run`] is the whole of it, [`World`](world::World) what there is in it.
//! * [`agenda`], [`net`] and [`driven`] are time, connections, and the driver; `process`, `people` and
//!   [`embedder`] what happens to workers and callers; [`worker`] and [`client`] how they behave.
//! * [`tap`] reads along at the engine's border and makes [facts](fact::Fact) of bytes, [`check`] judges them.

pub mod agenda;
pub mod check;
pub mod client;
pub mod dice;
pub mod driven;
pub mod embedder;
pub mod event;
pub mod fact;
pub mod figures;
pub mod net;
pub mod options;
mod people;
pub mod process;
pub mod request;
mod run;
pub mod tap;
pub mod trace;
mod weather;
pub mod words;
pub mod worker;
pub mod world;

pub use run::{Failure, Outcome, run};
