//! The control protocol: messages that every service understands as the first of a fresh channel.

use alloc::format;

use crate::wire::v1::message;
use crate::wire::{Args, ErrorCode, Failure, codes};

/// A control message that is answered. The protocol has two more, `settings` and `goaway`, which nobody
/// implements; they are unknown methods here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Are you there? Answered with an empty value.
    Ping,
    /// The caller gives up one of its channels. Answered with an empty value, whether or not it was open.
    Revoke {
        /// The channel.
        channel: u64,
        /// Why, for whoever works on it.
        failure: Failure,
    },
}

impl Control {
    /// Reads a control message; `None` if it is none.
    ///
    /// # Errors
    ///
    /// Inside: its arguments are not what it needs.
    #[must_use]
    pub fn read(kind: u32, args: &[u8]) -> Option<Result<Self, Failure>> {
        match kind {
            message::PING => Some(Ok(Self::Ping)),
            message::REVOKE => Some(revoke(args)),
            _ => None,
        }
    }
}

fn revoke(args: &[u8]) -> Result<Control, Failure> {
    let mut args = Args::new(args)?;
    let channel = args.uint()?;
    let failure = ErrorCode::decode(&mut args)?.into();
    Ok(Control::Revoke { channel, failure })
}

/// What a message gets that does not exist in its channel's state.
#[must_use]
pub fn unknown_method(kind: u32) -> Failure {
    Failure::new(codes::SLOT_NOT_BOUND, format!("message {kind} does not exist here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_and_revoke_are_read_and_nothing_else() {
        assert_eq!(Control::read(message::PING, &[0x90]), Some(Ok(Control::Ping)));
        let revoke = Control::Revoke { channel: 7, failure: codes::APP_STOPPED.into() };
        assert_eq!(Control::read(message::REVOKE, &[0x92, 7, 0x92, 12, 32]), Some(Ok(revoke)));
        let bad = Control::read(message::REVOKE, &[0x91, 7]).unwrap().unwrap_err();
        assert_eq!(bad.to_string(), "[7,2] argument 1: expected a value, found nothing");
        for kind in [0, 1, message::SETTINGS, message::GOAWAY] {
            assert_eq!(Control::read(kind, &[0x90]), None);
        }
    }
}
