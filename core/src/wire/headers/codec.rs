//! Reading and writing header lists.
//!
//! A list's items are processed from left to right, so an item may refer to what an earlier one stored. Every list
//! must be read, wanted or not: skipping one that stores would shift all later references.

use alloc::vec::Vec;

use bytes::Bytes;
use thiserror::Error;

use super::super::encode;
use super::super::limits::Limits;
use super::super::token::{Reader, Token, TokenError};
use super::known::static_name;
use super::table::{Header, HeaderTable};

/// Why a header list cannot be read. The peer is at fault and the connection is to be closed, since its table is
/// no longer known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not msgpack of this protocol.
    #[error("the header list: {0}")]
    Encoding(#[from] TokenError),
    /// The list is not an array.
    #[error("the header list must be an array")]
    NotAList,
    /// An item is neither an index nor an array of a boolean, a name and a value.
    #[error("header {item} must be an index, or [store, name or index, value]")]
    Item {
        /// Which one, counted from 0.
        item: usize,
    },
    /// 0, or past the end of the table.
    #[error("header {item} refers to entry {index} of a table that ends at {last}")]
    Index {
        /// Which one, counted from 0.
        item: usize,
        /// What it refers to.
        index: u64,
        /// The largest valid index at that moment.
        last: usize,
    },
    /// More than [`Limits::headers`].
    #[error("more than {limit} headers in one frame")]
    TooMany {
        /// The limit that applied.
        limit: usize,
    },
    /// More than [`Limits::header_bytes`].
    #[error("more than {limit} bytes of headers in one frame")]
    TooLarge {
        /// The limit that applied.
        limit: usize,
    },
}

/// One item as it is on the wire.
#[derive(Clone, Copy)]
enum Item<'a> {
    Indexed(u64),
    Pair { store: bool, name: Name<'a>, value: &'a [u8] },
}

#[derive(Clone, Copy)]
enum Name<'a> {
    Indexed(u64),
    Literal(&'a [u8]),
}

/// The receiving end of one direction of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderDecoder {
    table: HeaderTable,
}

impl HeaderDecoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table as it is now.
    #[must_use]
    pub const fn table(&self) -> &HeaderTable {
        &self.table
    }

    /// Reads the encoded list `bytes`; empty bytes are an empty list.
    ///
    /// # Errors
    ///
    /// The list is malformed or beyond `limits`. The table is then of no more use.
    pub fn decode(&mut self, bytes: &[u8], limits: &Limits) -> Result<Vec<Header>, HeaderError> {
        let mut headers = Vec::new();
        self.each(bytes, limits, |table, item| {
            if let Some(header) = resolve(table, item) {
                headers.push(header.clone());
                store(table, item, header);
            }
        })?;
        Ok(headers)
    }

    /// Reads the list only for what it does to the table; allocates only if it stores something.
    ///
    /// # Errors
    ///
    /// The same as [`decode`](Self::decode).
    pub fn absorb(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), HeaderError> {
        self.each(bytes, limits, |table, item| {
            if let Item::Pair { store: true, .. } = item
                && let Some(header) = resolve(table, item)
            {
                store(table, item, header);
            }
        })
    }

    /// Checks each item, then hands it on.
    fn each(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        mut accept: impl FnMut(&mut HeaderTable, Item<'_>),
    ) -> Result<(), HeaderError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut reader = Reader::new(bytes);
        let Token::Array(count) = reader.token()? else { return Err(HeaderError::NotAList) };
        if count as usize > limits.headers {
            return Err(HeaderError::TooMany { limit: limits.headers });
        }
        let mut bytes_left = limits.header_bytes;
        for number in 0..count as usize {
            let item = item(&mut reader, number)?;
            let size = self.size(item, number)?;
            bytes_left =
                bytes_left.checked_sub(size).ok_or(HeaderError::TooLarge { limit: limits.header_bytes })?;
            accept(&mut self.table, item);
        }
        Ok(())
    }

    /// The bytes of name and value. Checks all indexes.
    fn size(&self, item: Item<'_>, number: usize) -> Result<usize, HeaderError> {
        let lengths = |index| {
            let last = self.table.last_index();
            self.table.lengths(index).ok_or(HeaderError::Index { item: number, index, last })
        };
        match item {
            Item::Indexed(index) => lengths(index).map(|(name, value)| name + value),
            Item::Pair { name: Name::Indexed(index), value, .. } => {
                lengths(index).map(|(name, _)| name + value.len())
            }
            Item::Pair { name: Name::Literal(name), value, .. } => Ok(name.len() + value.len()),
        }
    }
}

fn item<'a>(reader: &mut Reader<'a>, number: usize) -> Result<Item<'a>, HeaderError> {
    let wrong = HeaderError::Item { item: number };
    match reader.token()? {
        Token::Uint(index) => return Ok(Item::Indexed(index)),
        Token::Array(3) => {}
        _ => return Err(wrong),
    }
    let Token::Bool(store) = reader.token()? else { return Err(wrong) };
    let name = match reader.token()? {
        Token::Uint(index) => Name::Indexed(index),
        Token::Raw(name) => Name::Literal(name),
        _ => return Err(wrong),
    };
    let Token::Raw(value) = reader.token()? else { return Err(wrong) };
    Ok(Item::Pair { store, name, value })
}

/// The header that a checked item means.
fn resolve(table: &HeaderTable, item: Item<'_>) -> Option<Header> {
    match item {
        Item::Indexed(index) => table.get(index),
        Item::Pair { name, value, .. } => {
            let name = match name {
                Name::Indexed(index) => table.get(index)?.name,
                Name::Literal(name) => static_name(name).unwrap_or_else(|| Bytes::copy_from_slice(name)),
            };
            Some(Header { name, value: Bytes::copy_from_slice(value) })
        }
    }
}

fn store(table: &mut HeaderTable, item: Item<'_>, header: Header) {
    if let Item::Pair { store: true, .. } = item {
        table.push(header);
    }
}

/// Appends a list in the form that everyone reads and nobody has to remember: `[false, name, value]` each.
pub fn encode_literal(out: &mut Vec<u8>, headers: &[Header]) {
    encode::array(out, headers.len());
    for header in headers {
        pair(out, false, &header.name, &header.value);
    }
}

/// The sending end of one direction of one connection, for all forms that the protocol has.
///
/// Each method but [`list`](Self::list) appends one item; their number goes before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEncoder {
    table: HeaderTable,
}

impl HeaderEncoder {
    /// An encoder for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table as the receiver will have it.
    #[must_use]
    pub const fn table(&self) -> &HeaderTable {
        &self.table
    }

    /// Appends a whole list, each header in its shortest form; what is not in the table is stored there.
    pub fn list(&mut self, out: &mut Vec<u8>, headers: &[Header]) {
        encode::array(out, headers.len());
        for header in headers {
            match self.table.find(header) {
                (Some(index), _) => encode::uint(out, index),
                (None, Some(name)) => {
                    indexed_pair(out, true, name, &header.value);
                    self.table.push(header.clone());
                }
                (None, None) => self.stored(out, header),
            }
        }
    }

    /// Appends a header that is not stored.
    pub fn literal(&self, out: &mut Vec<u8>, header: &Header) {
        pair(out, false, &header.name, &header.value);
    }

    /// Appends a header that the receiver stores.
    pub fn stored(&mut self, out: &mut Vec<u8>, header: &Header) {
        pair(out, true, &header.name, &header.value);
        self.table.push(header.clone());
    }

    /// Appends a reference to a whole entry; false, and nothing is appended, if there is no such entry.
    #[must_use]
    pub fn indexed(&self, out: &mut Vec<u8>, index: u64) -> bool {
        let known = self.table.lengths(index).is_some();
        if known {
            encode::uint(out, index);
        }
        known
    }

    /// Appends a value under an entry's name, not stored; false, and nothing is appended, if there is no such entry.
    #[must_use]
    pub fn literal_named(&self, out: &mut Vec<u8>, index: u64, value: &[u8]) -> bool {
        let known = self.table.lengths(index).is_some();
        if known {
            indexed_pair(out, false, index, value);
        }
        known
    }

    /// The same, and the receiver stores it.
    #[must_use]
    pub fn stored_named(&mut self, out: &mut Vec<u8>, index: u64, value: &[u8]) -> bool {
        let Some(entry) = self.table.get(index) else { return false };
        indexed_pair(out, true, index, value);
        self.table.push(Header { name: entry.name, value: Bytes::copy_from_slice(value) });
        true
    }
}

fn pair(out: &mut Vec<u8>, store: bool, name: &[u8], value: &[u8]) {
    encode::array(out, 3);
    encode::boolean(out, store);
    encode::raw(out, name);
    encode::raw(out, value);
}

fn indexed_pair(out: &mut Vec<u8>, store: bool, name: u64, value: &[u8]) {
    encode::array(out, 3);
    encode::boolean(out, store);
    encode::uint(out, name);
    encode::raw(out, value);
}

#[cfg(test)]
mod tests;
