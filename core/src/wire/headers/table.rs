//! The table that headers may be taken from: a fixed part, and what the sender stored on this connection.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::STATIC_TABLE;

/// A name and a value. Names are ASCII by custom; neither is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: Bytes,
    /// The value, in an encoding that depends on the name.
    pub value: Bytes,
}

impl Header {
    /// A header.
    #[must_use]
    pub fn new(name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// What it costs in the dynamic table, in bytes.
    fn size(&self) -> usize {
        self.name.len().saturating_add(self.value.len()).saturating_add(ENTRY_OVERHEAD)
    }
}

/// The size of the dynamic table, in bytes, where every entry costs its name, its value and [`ENTRY_OVERHEAD`].
pub const DYNAMIC_TABLE_BYTES: usize = 4096;

/// What an entry of the dynamic table costs beside its name and value, in bytes.
pub const ENTRY_OVERHEAD: usize = 32;

/// The table of one direction of one connection, the same at both ends: indexes 1 to 82 are fixed, 83 is what
/// was stored last, older entries follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderTable {
    /// Newest first.
    dynamic: VecDeque<Header>,
    bytes: usize,
}

impl HeaderTable {
    /// The largest valid index.
    #[must_use]
    pub fn last_index(&self) -> usize {
        STATIC_TABLE.len() + self.dynamic.len()
    }

    /// What the stored entries cost, at most [`DYNAMIC_TABLE_BYTES`].
    #[must_use]
    pub const fn dynamic_bytes(&self) -> usize {
        self.bytes
    }

    /// The header at an index; `None` for 0 and past the end.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<Header> {
        let index = usize::try_from(index).ok()?.checked_sub(1)?;
        if let Some(&(name, value)) = STATIC_TABLE.get(index) {
            return Some(Header {
                name: Bytes::from_static(name.as_bytes()),
                value: Bytes::from_static(value),
            });
        }
        self.dynamic.get(index - STATIC_TABLE.len()).cloned()
    }

    /// The lengths of name and value at an index; like [`get`](Self::get), but free.
    pub(super) fn lengths(&self, index: u64) -> Option<(usize, usize)> {
        let index = usize::try_from(index).ok()?.checked_sub(1)?;
        if let Some((name, value)) = STATIC_TABLE.get(index) {
            return Some((name.len(), value.len()));
        }
        self.dynamic.get(index - STATIC_TABLE.len()).map(|entry| (entry.name.len(), entry.value.len()))
    }

    /// The lowest index of this header, and the lowest of an entry with its name.
    pub(super) fn find(&self, header: &Header) -> (Option<u64>, Option<u64>) {
        let mut same_name = None;
        for (index, (name, value)) in (1..).zip(self.entries()) {
            if name == header.name {
                if value == header.value {
                    return (Some(index), Some(index));
                }
                same_name = same_name.or(Some(index));
            }
        }
        (None, same_name)
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fixed = STATIC_TABLE.iter().map(|(name, value)| (name.as_bytes(), *value));
        fixed.chain(self.dynamic.iter().map(|entry| (entry.name.as_ref(), entry.value.as_ref())))
    }

    /// Stores a header: the oldest entries go until it fits. One that never fits leaves the table empty.
    pub(super) fn push(&mut self, header: Header) {
        let size = header.size();
        while self.bytes.saturating_add(size) > DYNAMIC_TABLE_BYTES {
            match self.dynamic.pop_back() {
                Some(oldest) => self.bytes -= oldest.size(),
                None => return,
            }
        }
        self.bytes += size;
        self.dynamic.push_front(header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(total: usize, name: &'static str) -> Header {
        Header::new(name, vec![b'x'; total - ENTRY_OVERHEAD - name.len()])
    }

    #[test]
    fn the_fixed_part_has_its_numbers() {
        let table = HeaderTable::default();
        let rows: [(u64, &str, &str); 9] = [
            (1, ":authority", ""),
            (2, ":method", "GET"),
            (8, ":status", "200"),
            (16, "accept-encoding", "gzip, deflate"),
            (23, "authorization", ""),
            (61, "www-authenticate", ""),
            (62, "", ""),
            (79, "", ""),
            (82, "parent_id", "\0\0\0\0\0\0\0\0"),
        ];
        for (index, name, value) in rows {
            assert_eq!(table.get(index), Some(Header::new(name, value)), "{index}");
        }
        assert_eq!(table.get(0), None);
        assert_eq!(table.get(83), None);
        assert_eq!(table.get(u64::MAX), None);
        assert_eq!(table.last_index(), 82);
    }

    #[test]
    fn the_newest_entry_is_83() {
        let mut table = HeaderTable::default();
        table.push(Header::new("a", "1"));
        table.push(Header::new("b", "2"));
        assert_eq!(table.get(83), Some(Header::new("b", "2")));
        assert_eq!(table.get(84), Some(Header::new("a", "1")));
        assert_eq!(table.get(85), None);
        assert_eq!(table.dynamic_bytes(), 2 * 34);
    }

    #[test]
    fn entries_that_fill_the_table_exactly_stay() {
        let mut table = HeaderTable::default();
        table.push(sized(2048, "a"));
        table.push(sized(2048, "b"));
        assert_eq!((table.dynamic_bytes(), table.last_index()), (4096, 84));
    }

    #[test]
    fn one_byte_more_evicts_the_oldest() {
        let mut table = HeaderTable::default();
        table.push(sized(2048, "a"));
        table.push(sized(2049, "b"));
        assert_eq!((table.dynamic_bytes(), table.last_index()), (2049, 83));
        assert_eq!(table.get(83).unwrap().name, "b");
    }

    #[test]
    fn the_oldest_go_first_and_no_more_than_must() {
        let mut table = HeaderTable::default();
        for name in ["a", "b", "c", "d"] {
            table.push(sized(1024, name));
        }
        table.push(sized(1025, "e"));
        let names: Vec<Bytes> = (83..=85).map(|index| table.get(index).unwrap().name).collect();
        assert_eq!(names, ["e", "d", "c"], "1024 bytes are one too few, so two entries went");
        assert_eq!((table.dynamic_bytes(), table.last_index()), (3073, 85));
    }

    #[test]
    fn an_entry_as_large_as_the_table_stays_alone_and_a_larger_one_empties_it() {
        let mut table = HeaderTable::default();
        table.push(Header::new("a", "1"));
        table.push(sized(4096, "b"));
        assert_eq!((table.dynamic_bytes(), table.last_index()), (4096, 83));
        table.push(sized(4097, "c"));
        assert_eq!((table.dynamic_bytes(), table.last_index()), (0, 82));
    }

    #[test]
    fn empty_entries_are_bounded_too() {
        let mut table = HeaderTable::default();
        for _ in 0..1000 {
            table.push(Header::new("", ""));
        }
        assert_eq!((table.dynamic_bytes(), table.last_index()), (4096, 82 + 128));
    }
}
