//! Where a machine and its parts leave what is to be done.

use alloc::collections::VecDeque;

use super::{ConnId, LaunchId, ListenerId, Output, StoreId, WorkerId};

/// The outputs of one machine, waiting to be drained.
///
/// Child machines get it as `&mut Outbox` and push; nobody returns vectors or composes `poll_x` out of
/// children's `poll_x`. It also numbers what the machine starts.
#[derive(Clone, Debug)]
pub struct Outbox<N> {
    queue: VecDeque<Output<N>>,
    /// Connections with something to write, each once; turned into `Write`s when everything else is out.
    dirty: VecDeque<ConnId>,
    numbers: Numbers,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    worker: u64,
    listener: u64,
    store: u64,
    launch: u64,
}

impl<N> Default for Outbox<N> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), dirty: VecDeque::new(), numbers: Numbers::default() }
    }
}

impl<N> Outbox<N> {
    /// Adds one output.
    pub fn push(&mut self, output: Output<N>) {
        self.queue.push_back(output);
    }

    /// Adds a notice.
    pub fn notice(&mut self, notice: N) {
        self.push(Output::Notice(notice));
    }

    /// The next output. Writes come last, so that everything the others add to a batch is in it; `take_write`
    /// gives the write of a connection that was marked dirty.
    pub fn poll(&mut self, mut take_write: impl FnMut(ConnId) -> Option<Output<N>>) -> Option<Output<N>> {
        if let Some(output) = self.queue.pop_front() {
            return Some(output);
        }
        while let Some(conn) = self.dirty.pop_front() {
            if let Some(write) = take_write(conn) {
                return Some(write);
            }
        }
        None
    }

    /// Says that a connection has something to write. The caller sees to it that it says so once.
    pub fn mark_dirty(&mut self, conn: ConnId) {
        self.dirty.push_back(conn);
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.dirty.is_empty()
    }

    /// A name for the next worker.
    pub fn next_worker(&mut self) -> WorkerId {
        self.numbers.worker += 1;
        WorkerId::new(self.numbers.worker)
    }

    /// A name for the next listener.
    pub fn next_listener(&mut self) -> ListenerId {
        self.numbers.listener += 1;
        ListenerId::new(self.numbers.listener)
    }

    /// A name for the next storage operation.
    pub fn next_store(&mut self) -> StoreId {
        self.numbers.store += 1;
        StoreId::new(self.numbers.store)
    }

    /// A name for the next preparation of an app.
    pub fn next_launch(&mut self) -> LaunchId {
        self.numbers.launch += 1;
        LaunchId::new(self.numbers.launch)
    }
}
