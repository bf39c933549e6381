//! A vector with stable, never repeated keys: the one collection behind connections and requests.

use alloc::vec::Vec;

use super::ids::ConnId;

/// A key of [`Slots`]: a place and the generation of what lives there.
pub trait Key: Copy {
    /// Makes the key for a place that this collection gives out itself.
    fn from_parts(slot: u32, generation: u32) -> Self;
    /// The place.
    fn slot(self) -> u32;
    /// The generation.
    fn generation(self) -> u32;

    /// The key as one number: the account it has in a send queue.
    fn to_bits(self) -> u64 {
        (u64::from(self.generation()) << 32) | u64::from(self.slot())
    }

    /// The key behind such a number.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of what `to_bits` put together")]
    fn from_bits(bits: u64) -> Self {
        Self::from_parts(bits as u32, (bits >> 32) as u32)
    }
}

/// A key of its own for one kind of thing that lives in [`Slots`].
macro_rules! slot_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            slot: u32,
            generation: u32,
        }

        impl $crate::machine::Key for $name {
            fn from_parts(slot: u32, generation: u32) -> Self {
                Self { slot, generation }
            }
            fn slot(self) -> u32 {
                self.slot
            }
            fn generation(self) -> u32 {
                self.generation
            }
        }
    };
}

pub(crate) use slot_key;

impl Key for ConnId {
    /// A key made here names a connection that a machine dials.
    fn from_parts(slot: u32, generation: u32) -> Self {
        Self::dialed(slot, generation)
    }
    fn slot(self) -> u32 {
        Self::slot(self)
    }
    fn generation(self) -> u32 {
        Self::generation(self)
    }
}

/// Values by key, in a plain vector: constant time, deterministic order, no key ever reused.
///
/// It is filled either with [`insert`](Self::insert), which makes the keys, or with
/// [`insert_at`](Self::insert_at), where the driver made them; never with both.
#[derive(Clone, Debug)]
pub struct Slots<K, T> {
    entries: Vec<Entry<K, T>>,
    free: Vec<u32>,
    makes_keys: bool,
    len: usize,
}

#[derive(Clone, Debug)]
struct Entry<K, T> {
    /// The lowest generation that may live here next, or that of what lives here.
    generation: u32,
    content: Option<(K, T)>,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), makes_keys: false, len: 0 }
    }
}

impl<K: Key, T> Slots<K, T> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value into a free place and returns its key.
    pub fn insert(&mut self, value: T) -> K {
        self.makes_keys = true;
        self.len += 1;
        if let Some(slot) = self.free.pop()
            && let Some(entry) = self.entries.get_mut(slot as usize)
        {
            let key = K::from_parts(slot, entry.generation);
            entry.content = Some((key, value));
            return key;
        }
        let key = K::from_parts(u32::try_from(self.entries.len()).unwrap_or(u32::MAX), 0);
        self.entries.push(Entry { generation: 0, content: Some((key, value)) });
        key
    }

    /// Puts a value where its foreign key says. Refused (the value comes back) if the place is taken
    /// or the key is not newer than what lived there before.
    pub fn insert_at(&mut self, key: K, value: T) -> Result<(), T> {
        let slot = key.slot() as usize;
        if slot >= self.entries.len() {
            if slot > self.entries.len() + MAX_GAP {
                return Err(value);
            }
            self.entries.resize_with(slot + 1, || Entry { generation: 0, content: None });
        }
        match self.entries.get_mut(slot) {
            Some(entry) if entry.content.is_none() && key.generation() >= entry.generation => {
                *entry = Entry { generation: key.generation(), content: Some((key, value)) };
                self.len += 1;
                Ok(())
            }
            _ => Err(value),
        }
    }

    /// The value of a key, if it still lives.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&T> {
        let entry = self.entries.get(key.slot() as usize)?;
        if entry.generation != key.generation() {
            return None;
        }
        entry.content.as_ref().map(|(_, value)| value)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.slot() as usize)?;
        if entry.generation != key.generation() {
            return None;
        }
        entry.content.as_mut().map(|(_, value)| value)
    }

    /// Takes a value out. Its key never comes again.
    pub fn remove(&mut self, key: K) -> Option<T> {
        let entry = self.entries.get_mut(key.slot() as usize)?;
        if entry.generation != key.generation() {
            return None;
        }
        let (_, value) = entry.content.take()?;
        self.len -= 1;
        // A place whose generations are used up is retired rather than repeated.
        if let Some(next) = entry.generation.checked_add(1) {
            entry.generation = next;
            if self.makes_keys {
                self.free.push(key.slot());
            }
        }
        Some(value)
    }

    /// All values with their keys, by place.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.entries.iter().filter_map(|entry| entry.content.as_ref().map(|(key, value)| (*key, value)))
    }

    /// All values with their keys, by place, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        self.entries.iter_mut().filter_map(|entry| entry.content.as_mut().map(|(key, value)| (*key, value)))
    }
}

/// How far past the end a foreign key may point: a driver numbers its connections densely.
const MAX_GAP: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_the_past_finds_nothing() {
        let mut slots = Slots::default();
        let first: ConnId = slots.insert("a");
        assert_eq!(slots.remove(first), Some("a"));
        let second: ConnId = slots.insert("b");
        assert_eq!(first.slot(), second.slot());
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get(second), Some(&"b"));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_foreign_key_must_be_newer() {
        let mut slots = Slots::default();
        assert!(slots.insert_at(ConnId::accepted(2, 5), 'x').is_ok());
        assert_eq!(slots.insert_at(ConnId::accepted(2, 6), 'y'), Err('y'));
        slots.remove(ConnId::accepted(2, 5));
        assert_eq!(slots.insert_at(ConnId::accepted(2, 5), 'z'), Err('z'));
        assert!(slots.insert_at(ConnId::accepted(2, 6), 'z').is_ok());
        assert_eq!(slots.insert_at(ConnId::accepted(u32::MAX, 0), 'q'), Err('q'));
    }
}
