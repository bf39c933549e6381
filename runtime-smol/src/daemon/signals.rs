//! What the operator says with signals.

use std::io;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// TERM, INT, QUIT.
    Stop,
    /// HUP.
    ReopenLog,
}

/// The signals this process listens to, from now on.
pub(super) struct Wishes(Signals);

impl Wishes {
    pub(super) fn listen() -> io::Result<Self> {
        Signals::new([Signal::Term, Signal::Int, Signal::Quit, Signal::Hup]).map(Self)
    }

    /// The next wish. Never comes if signals cannot be read any more.
    pub(super) async fn next(&mut self) -> Wish {
        loop {
            match self.0.next().await {
                Some(Ok(Signal::Hup)) => return Wish::ReopenLog,
                Some(Ok(_)) => return Wish::Stop,
                Some(Err(_)) => {}
                None => return smol::future::pending().await,
            }
        }
    }
}
