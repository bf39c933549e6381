//! All connections of a driver, and the names of the accepted ones.

use cocaine_core::machine::{ConnId, Origin, Slots};

use super::conn::Conn;
use super::poller::MAX_SLOT;

/// A name that was used before.
pub(super) struct Refused;

#[derive(Default)]
pub(super) struct Conns {
    accepted: Slots<ConnId, Conn>,
    dialed: Slots<ConnId, Conn>,
    /// Names for the next accepted connections, in places that were used before.
    free: Vec<ConnId>,
    /// The lowest place that was never used.
    unused: u32,
}

impl Conns {
    /// A name for a connection that was just accepted; `None` if there are too many.
    pub(super) fn next_accepted(&mut self) -> Option<ConnId> {
        self.free.pop().or_else(|| {
            let slot = self.unused;
            (slot <= MAX_SLOT).then(|| {
                self.unused += 1;
                ConnId::accepted(slot, 0)
            })
        })
    }

    /// Gives back a name that no connection got.
    pub(super) fn forget(&mut self, id: ConnId) {
        self.free.push(id);
    }

    /// Keeps a connection. Not if its name is no newer than what had its place before.
    pub(super) fn insert(&mut self, id: ConnId, conn: Conn) -> Result<(), Refused> {
        if id.slot() > MAX_SLOT {
            return Err(Refused);
        }
        self.of(id).insert_at(id, conn).map_err(|_| Refused)
    }

    pub(super) fn get(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.of(id).get_mut(id)
    }

    /// Takes a connection out. The place of an accepted one may be used again.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self.of(id).remove(id)?;
        if id.origin() == Origin::Accepted
            && let Some(generation) = id.generation().checked_add(1)
        {
            self.free.push(ConnId::accepted(id.slot(), generation));
        }
        Some(conn)
    }

    const fn of(&mut self, id: ConnId) -> &mut Slots<ConnId, Conn> {
        match id.origin() {
            Origin::Accepted => &mut self.accepted,
            Origin::Dialed => &mut self.dialed,
        }
    }
}
