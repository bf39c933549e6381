//! Names of things that live on both sides of the line between machine and driver.

use core::fmt;

/// Who named a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The driver accepted it on a listener.
    Accepted,
    /// The machine asked for it with [`Output::Connect`](super::Output::Connect).
    Dialed,
}

/// One connection of one driver. Slots are used again, with another generation; a whole id never is.
///
/// The slot is small and dense, so that both sides can keep connections in a plain vector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    origin: Origin,
    slot: u32,
    generation: u32,
}

impl ConnId {
    /// An id for a connection that the driver accepted.
    #[must_use]
    pub const fn accepted(slot: u32, generation: u32) -> Self {
        Self { origin: Origin::Accepted, slot, generation }
    }

    /// An id for a connection that a machine asks for. Drivers never make these.
    #[must_use]
    pub const fn dialed(slot: u32, generation: u32) -> Self {
        Self { origin: Origin::Dialed, slot, generation }
    }

    /// Who named it.
    #[must_use]
    pub const fn origin(self) -> Origin {
        self.origin
    }

    /// The place in a vector of connections of the same origin.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How many connections had this slot before.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.origin {
            Origin::Accepted => 'a',
            Origin::Dialed => 'd',
        };
        write!(f, "{letter}{}.{}", self.slot, self.generation)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The id with this number. Only machines make new ones; drivers and tests repeat them.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Its number: counted up from 1 by one machine, never reused.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

counted_id!(
    /// One worker process, from the request to spawn it until it was reaped.
    WorkerId, "w"
);
counted_id!(
    /// One listener, from the request to listen until it is closed.
    ListenerId, "l"
);
counted_id!(
    /// One storage operation.
    StoreId, "s"
);
counted_id!(
    /// One preparation of an app's code (see [`Output::Launch`](super::Output::Launch)).
    LaunchId, "p"
);
counted_id!(
    /// One engine: one start of one app, until its last process is gone.
    EngineId, "e"
);
