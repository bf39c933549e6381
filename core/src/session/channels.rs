//! The channels of one connection.

use alloc::collections::VecDeque;

/// What a frame's channel number says, by the channel rules of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The channel is open; this is its owner.
    Live(T),
    /// The channel is over: such a frame is ignored.
    Finished,
    /// A number greater than any before: the frame opens the channel.
    New,
    /// Channel 0 does not exist: the connection is at fault.
    Invalid,
}

/// Open channels by number. Numbers only grow, so whatever is not above the highest and not here is over.
///
/// Kept sorted in one deque: opening appends, finishing leaves a hole that is closed in passing.
#[derive(Clone, Debug)]
pub struct Channels<T> {
    entries: VecDeque<(u64, Option<T>)>,
    live: usize,
    highest: u64,
}

impl<T> Default for Channels<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), live: 0, highest: 0 }
    }
}

impl<T: Copy> Channels<T> {
    /// How many channels are open.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether no channel is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The highest number seen.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// What `channel` is.
    #[must_use]
    pub fn lookup(&self, channel: u64) -> Lookup<T> {
        if channel == 0 {
            Lookup::Invalid
        } else if channel > self.highest {
            Lookup::New
        } else {
            self.get(channel).map_or(Lookup::Finished, Lookup::Live)
        }
    }

    /// The owner of an open channel.
    #[must_use]
    pub fn get(&self, channel: u64) -> Option<T> {
        self.position(channel).and_then(|at| self.entries.get(at)?.1)
    }

    /// Opens a channel. Its number must be higher than any before; otherwise nothing happens.
    pub fn open(&mut self, channel: u64, owner: T) {
        if channel > self.highest {
            self.highest = channel;
            self.entries.push_back((channel, Some(owner)));
            self.live += 1;
        }
    }

    /// Opens the next channel on our own account and returns its number.
    pub fn open_next(&mut self, owner: T) -> u64 {
        let channel = self.highest.saturating_add(1);
        self.open(channel, owner);
        channel
    }

    /// Takes note of a number that was used but is not kept open.
    pub fn skip(&mut self, channel: u64) {
        self.highest = self.highest.max(channel);
    }

    /// Keeps a number open after all that was just skipped as the highest.
    pub fn keep(&mut self, channel: u64, owner: T) {
        if channel == self.highest && self.entries.back().is_none_or(|(last, _)| *last < channel) {
            self.entries.push_back((channel, Some(owner)));
            self.live += 1;
        }
    }

    /// Finishes a channel.
    pub fn finish(&mut self, channel: u64) -> Option<T> {
        let at = self.position(channel)?;
        let owner = self.entries.get_mut(at)?.1.take()?;
        self.live -= 1;
        while matches!(self.entries.front(), Some((_, None))) {
            self.entries.pop_front();
        }
        while matches!(self.entries.back(), Some((_, None))) {
            self.entries.pop_back();
        }
        if self.entries.len() > 2 * self.live + HOLES {
            self.entries.retain(|(_, owner)| owner.is_some());
        }
        Some(owner)
    }

    /// All open channels, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, T)> {
        self.entries.iter().filter_map(|(channel, owner)| Some((*channel, (*owner)?)))
    }

    fn position(&self, channel: u64) -> Option<usize> {
        // Most frames belong to the channel opened last, and most peers leave no gaps.
        let last = self.entries.len().checked_sub(1)?;
        let (highest, lowest) = (self.entries.get(last)?.0, self.entries.front()?.0);
        if highest == channel {
            return Some(last);
        }
        let guess = usize::try_from(channel.checked_sub(lowest)?).ok()?;
        if self.entries.get(guess).is_some_and(|entry| entry.0 == channel) {
            return Some(guess);
        }
        self.entries.binary_search_by_key(&channel, |entry| entry.0).ok()
    }
}

/// How many holes may stay behind a long-lived channel before they are closed.
const HOLES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow() {
        let mut channels = Channels::default();
        assert_eq!(channels.lookup(0), Lookup::<char>::Invalid);
        assert_eq!(channels.lookup(1), Lookup::New);
        channels.open(5, 'a');
        assert_eq!(channels.lookup(4), Lookup::Finished, "gaps are over before they began");
        assert_eq!(channels.lookup(5), Lookup::Live('a'));
        assert_eq!(channels.lookup(6), Lookup::New);
        assert_eq!(channels.finish(5), Some('a'));
        assert_eq!(channels.lookup(5), Lookup::Finished);
        assert_eq!(channels.open_next('b'), 6);
    }

    #[test]
    fn one_long_channel_does_not_keep_the_holes_of_the_short_ones() {
        let mut channels = Channels::default();
        channels.open(1, 0);
        for channel in 2..10_000u64 {
            channels.open(channel, channel);
            assert_eq!(channels.finish(channel), Some(channel));
            channels.open(channel, 7);
            assert_eq!(channels.lookup(channel), Lookup::Finished, "a number is never used again");
        }
        assert!(channels.entries.len() <= 2 + HOLES);
        assert_eq!(channels.get(1), Some(0));
        assert_eq!(channels.len(), 1);
    }

    #[test]
    fn every_order_of_finishing_leaves_nothing() {
        for order in [[1u64, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3], [3, 1, 4, 2]] {
            let mut channels = Channels::default();
            for channel in 1..=4 {
                channels.open(channel, channel * 10);
            }
            for channel in order {
                assert_eq!(channels.finish(channel), Some(channel * 10));
                assert_eq!(channels.finish(channel), None);
            }
            assert!(channels.is_empty() && channels.entries.is_empty());
            assert_eq!(channels.highest(), 4);
        }
    }
}
