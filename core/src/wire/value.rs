//! Free-form values: msgpack without the distinctions that this protocol does not make.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::encode;
use super::limits::MAX_DEPTH;
use super::token::{Reader, Token, TokenError};

/// A free-form value. The raw, str and bin families are one: [`Value::Raw`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer ≥ 0.
    Uint(u64),
    /// An integer < 0.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text or bytes.
    Raw(Bytes),
    /// A list.
    Array(Vec<Self>),
    /// Pairs, in the order they came.
    Map(Vec<(Self, Self)>),
}

/// How many values one [`Value`] may be made of. A byte on the wire can become forty in memory; this bounds
/// what a peer can make of that.
pub const MAX_VALUES: usize = 1 << 20;

/// Why bytes are not decoded to a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// They are no msgpack of this protocol.
    #[error(transparent)]
    Encoding(#[from] TokenError),
    /// More than [`MAX_DEPTH`] containers inside each other.
    #[error("nested deeper than {MAX_DEPTH} containers")]
    TooDeep,
    /// More than [`MAX_VALUES`].
    #[error("made of more than {MAX_VALUES} values")]
    TooMany,
}

impl Value {
    /// Decodes the value at the beginning of `bytes`; what follows it is returned too.
    ///
    /// # Errors
    ///
    /// No value, or one beyond [`MAX_DEPTH`] or [`MAX_VALUES`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), ValueError> {
        let mut decoder = Decoder { reader: Reader::new(bytes), budget: MAX_VALUES - 1 };
        let value = decoder.value(MAX_DEPTH)?;
        Ok((value, decoder.reader.rest()))
    }

    /// Appends the value in the old raw family, integers in their smallest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => encode::nil(out),
            Self::Bool(flag) => encode::boolean(out, *flag),
            Self::Uint(number) => encode::uint(out, *number),
            Self::Int(number) => encode::int(out, *number),
            Self::Float(number) => encode::float(out, *number),
            Self::Raw(bytes) => encode::raw(out, bytes),
            Self::Array(items) => {
                encode::array(out, items.len());
                items.iter().for_each(|item| item.encode(out));
            }
            Self::Map(pairs) => {
                encode::map(out, pairs.len());
                for (key, value) in pairs {
                    key.encode(out);
                    value.encode(out);
                }
            }
        }
    }

    /// The encoded value.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// A map of these pairs, in this order.
    pub fn map<K: Into<Self>, V: Into<Self>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A list of these items.
    pub fn array<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }

    /// In a map, the value of the first key that is this text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?
            .iter()
            .find(|(name, _)| name.as_bytes().is_some_and(|name| name == key.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The text, if it is text in UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The text or bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        if let Self::Raw(bytes) = self { Some(bytes) } else { None }
    }

    /// The integer, if it is one ≥ 0.
    #[must_use]
    pub const fn as_u64(&self) -> Option<u64> {
        if let Self::Uint(number) = *self { Some(number) } else { None }
    }

    /// The integer, if `i64` can hold it.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Uint(number) => i64::try_from(number).ok(),
            Self::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number, an integer being one too.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "what a caller gets who sends a large integer for a float"
    )]
    pub const fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Float(number) => Some(number),
            Self::Uint(number) => Some(number as f64),
            Self::Int(number) => Some(number as f64),
            _ => None,
        }
    }

    /// True or false.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = *self { Some(flag) } else { None }
    }

    /// The list's items.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The map's pairs.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(pairs) = self { Some(pairs) } else { None }
    }

    /// What it is, for messages: `a map`, `an integer`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Uint(_) => "an integer",
            Self::Int(_) => "a negative integer",
            Self::Float(_) => "a floating-point number",
            Self::Raw(_) => "a string",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        }
    }
}

struct Decoder<'a> {
    reader: Reader<'a>,
    budget: usize,
}

impl Decoder<'_> {
    fn value(&mut self, depth_left: usize) -> Result<Value, ValueError> {
        Ok(match self.reader.token()? {
            Token::Nil => Value::Nil,
            Token::Bool(flag) => Value::Bool(flag),
            Token::Uint(number) => Value::Uint(number),
            Token::Int(number) => Value::Int(number),
            Token::Float(number) => Value::Float(number),
            Token::Raw(bytes) => Value::Raw(Bytes::copy_from_slice(bytes)),
            Token::Array(len) => {
                let (depth_left, room) = self.enter(depth_left, u64::from(len))?;
                let mut items = Vec::with_capacity(room);
                for _ in 0..len {
                    items.push(self.value(depth_left)?);
                }
                Value::Array(items)
            }
            Token::Map(len) => {
                let (depth_left, room) = self.enter(depth_left, 2 * u64::from(len))?;
                let mut pairs = Vec::with_capacity(room / 2);
                for _ in 0..len {
                    pairs.push((self.value(depth_left)?, self.value(depth_left)?));
                }
                Value::Map(pairs)
            }
        })
    }

    /// Pays for a container; says how deep its values may go and how many there can really be.
    fn enter(&mut self, depth_left: usize, items: u64) -> Result<(usize, usize), ValueError> {
        let depth_left = depth_left.checked_sub(1).ok_or(ValueError::TooDeep)?;
        let items = usize::try_from(items).map_err(|_| ValueError::TooMany)?;
        self.budget = self.budget.checked_sub(items).ok_or(ValueError::TooMany)?;
        Ok((depth_left, items.min(self.reader.rest().len())))
    }
}

/// For logs: like JSON, bytes that are not UTF-8 as `0x…`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Uint(number) => write!(f, "{number}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Raw(bytes) => raw_text(f, bytes),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Map(pairs) => {
                f.write_str("{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    write!(f, "{key}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn raw_text(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let Ok(text) = core::str::from_utf8(bytes) else {
        f.write_str("0x")?;
        return bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
    };
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(f, "\\{char}")?,
            '\n' => f.write_str("\\n")?,
            char if char.is_control() => write!(f, "\\u{:04x}", u32::from(char))?,
            char => write!(f, "{char}")?,
        }
    }
    f.write_str("\"")
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Raw(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Raw(Bytes::from(text.into_bytes()))
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Raw(bytes)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Int(number), Self::Uint)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

#[cfg(test)]
mod tests;
