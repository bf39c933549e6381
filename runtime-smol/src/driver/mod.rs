//! The one driver for every machine: it does each [`Output`](cocaine_core::machine::Output) and feeds
//! each [`Input`](cocaine_core::machine::Input), and knows nothing of any protocol.
//!
//! One task drives one machine and owns all of its sockets, timers and processes. A wake-up collects
//! everything that happened, lets the machine work through all of it, and then writes once per
//! connection; a system call is made only when it is likely to do something.
//!
//! ```text
//! mod       drive, the public face          run        the loop: gather, feed, settle, sleep
//! host      what the program around gives   act        outputs into deeds
//! spread    threads and where drivers run   park       how a driver sleeps
//! conn(s)   connections                     socket     their system calls
//! listener  accepting                       poller     the epoll set
//! process   one process                     workers    all of them
//! stores    order of storage operations     clock      timers
//! tasks     the executor of one thread
//! ```

mod act;
mod clock;
mod conn;
mod conns;
mod host;
mod listener;
mod park;
mod poller;
mod process;
mod run;
mod socket;
mod spread;
mod stores;
mod tasks;
#[cfg(test)]
mod tests;
mod workers;

use std::future::poll_fn;
use std::io;
use std::pin::pin;

use cocaine_core::machine::Machine;
use smol::channel::Receiver;

pub use host::{Host, World};
pub use park::block_on;
pub use spread::{Panicked, Spread};

/// Drives a machine until the channel of its commands is closed and empty.
///
/// `notices` is told everything the machine says; it must not block. When `drive` returns, or is
/// dropped, all connections and listeners are closed and the process groups of all workers are killed:
/// whoever wants a polite end lets the machine stop first and closes the channel after its notice.
///
/// It runs on any executor. On a thread of [`Spread`] it sleeps without a detour over a shared reactor.
///
/// # Errors
///
/// If the operating system refuses what the driver itself needs (an epoll, two timers), or breaks it.
pub async fn drive<M: Machine>(
    machine: M,
    commands: Receiver<M::Command>,
    notices: impl FnMut(M::Notice),
    world: &World,
) -> io::Result<()> {
    let mut driver = run::Driver::new(machine, notices, world)?;
    let mut commands = pin!(commands);
    poll_fn(|cx| driver.turn(cx, commands.as_mut())).await
}
