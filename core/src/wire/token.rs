//! The one place where encoded values are taken apart.

use rmp::Marker;
use thiserror::Error;

/// One value, or the head of a container whose values follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Uint(u64),
    /// Always negative.
    Int(i64),
    Float(f64),
    Raw(&'a [u8]),
    Array(u32),
    /// The number of pairs.
    Map(u32),
}

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// The byte 0xc1 or an extension.
    #[error("byte {0:#04x} begins no value of this protocol")]
    Unsupported(u8),
}

impl Token<'_> {
    /// What it is, for messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Token::Nil => "nil",
            Token::Bool(_) => "a boolean",
            Token::Uint(_) => "an integer",
            Token::Int(_) => "a negative integer",
            Token::Float(_) => "a floating-point number",
            Token::Raw(_) => "a string",
            Token::Array(_) => "an array",
            Token::Map(_) => "a map",
        }
    }

    /// How many values follow that belong to it.
    const fn children(&self) -> u64 {
        match *self {
            Token::Array(len) => len as u64,
            Token::Map(pairs) => 2 * pairs as u64,
            _ => 0,
        }
    }
}

/// Takes values off the front of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not taken yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes one token. After an error the reader must not be used again.
    #[inline]
    pub(crate) fn token(&mut self) -> Result<Token<'a>, TokenError> {
        let [marker] = self.take()?;
        Ok(match Marker::from_u8(marker) {
            Marker::FixPos(number) => Token::Uint(u64::from(number)),
            Marker::FixNeg(number) => Token::Int(i64::from(number)),
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixStr(len) => self.raw(u32::from(len))?,
            Marker::FixArray(len) => Token::Array(u32::from(len)),
            Marker::FixMap(len) => Token::Map(u32::from(len)),
            marker => return self.long(marker),
        })
    }

    fn long(&mut self, marker: Marker) -> Result<Token<'a>, TokenError> {
        Ok(match marker {
            Marker::U8 => Token::Uint(u64::from(u8::from_be_bytes(self.take()?))),
            Marker::U16 => Token::Uint(u64::from(u16::from_be_bytes(self.take()?))),
            Marker::U32 => Token::Uint(u64::from(u32::from_be_bytes(self.take()?))),
            Marker::U64 => Token::Uint(u64::from_be_bytes(self.take()?)),
            Marker::I8 => signed(i64::from(i8::from_be_bytes(self.take()?))),
            Marker::I16 => signed(i64::from(i16::from_be_bytes(self.take()?))),
            Marker::I32 => signed(i64::from(i32::from_be_bytes(self.take()?))),
            Marker::I64 => signed(i64::from_be_bytes(self.take()?)),
            Marker::F32 => Token::Float(f64::from(f32::from_be_bytes(self.take()?))),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.take()?)),
            Marker::Str8 | Marker::Bin8 => {
                let len = u32::from(u8::from_be_bytes(self.take()?));
                self.raw(len)?
            }
            Marker::Str16 | Marker::Bin16 => {
                let len = self.len16()?;
                self.raw(len)?
            }
            Marker::Str32 | Marker::Bin32 => {
                let len = self.len32()?;
                self.raw(len)?
            }
            Marker::Array16 => Token::Array(self.len16()?),
            Marker::Array32 => Token::Array(self.len32()?),
            Marker::Map16 => Token::Map(self.len16()?),
            Marker::Map32 => Token::Map(self.len32()?),
            other => return Err(TokenError::Unsupported(other.to_u8())),
        })
    }

    /// Takes one whole value and returns its bytes. Neither recursion nor memory depend on what is inside.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], TokenError> {
        let before = self.rest;
        let mut owed = 1u64;
        while owed > 0 {
            owed += self.token()?.children();
            owed -= 1;
        }
        Ok(before.get(..before.len() - self.rest.len()).unwrap_or_default())
    }

    fn len16(&mut self) -> Result<u32, TokenError> {
        Ok(u32::from(u16::from_be_bytes(self.take()?)))
    }

    fn len32(&mut self) -> Result<u32, TokenError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    #[inline]
    fn raw(&mut self, len: u32) -> Result<Token<'a>, TokenError> {
        let (raw, rest) = self.rest.split_at_checked(len as usize).ok_or(TokenError::Truncated)?;
        self.rest = rest;
        Ok(Token::Raw(raw))
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TokenError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(TokenError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// Signed forms may hold what is not negative; the protocol makes no difference.
fn signed(number: i64) -> Token<'static> {
    u64::try_from(number).map_or(Token::Int(number), Token::Uint)
}
