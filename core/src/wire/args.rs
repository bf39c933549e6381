//! Reading the arguments of a message.

use core::ops::Range;

use thiserror::Error;

use super::token::{Reader, Token, TokenError};
use super::value::{Value, ValueError};

/// Reads an array's values one after the other: a frame's arguments, or an array among them.
///
/// What is not read is ignored, so surplus arguments do no harm; a missing one is an error that says which.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    reader: Reader<'a>,
    left: u32,
    index: u32,
}

/// An argument that is not what the method wants. The caller is at fault; the answer is `[7,2]` on its channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("argument {index}: expected {expected}, found {found}")]
pub struct ArgsError {
    /// Which one, counted from 0 in the array that was read.
    pub index: u32,
    /// What the method wants.
    pub expected: &'static str,
    /// What there is.
    pub found: &'static str,
}

impl<'a> Args<'a> {
    /// A reader for an encoded array.
    ///
    /// # Errors
    ///
    /// The bytes do not begin with an array.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, ArgsError> {
        let mut reader = Reader::new(bytes);
        match reader.token() {
            Ok(Token::Array(left)) => Ok(Self { reader, left, index: 0 }),
            other => Err(ArgsError { index: 0, expected: "an array", found: found(other) }),
        }
    }

    /// A reader for an encoded map, as key, value, key, value.
    ///
    /// # Errors
    ///
    /// The bytes do not begin with a map.
    pub fn from_map(bytes: &'a [u8]) -> Result<Self, ArgsError> {
        Self::entries(bytes, 0)
    }

    fn entries(bytes: &'a [u8], index: u32) -> Result<Self, ArgsError> {
        let mut reader = Reader::new(bytes);
        match reader.token() {
            Ok(Token::Map(pairs)) if let Some(left) = pairs.checked_mul(2) => {
                Ok(Self { reader, left, index: 0 })
            }
            other => Err(ArgsError { index, expected: "a map", found: found(other) }),
        }
    }

    /// How many values are left.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.left as usize
    }

    /// Whether no value is left: an optional argument is missing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Takes text or bytes.
    ///
    /// # Errors
    ///
    /// Missing, or something else; so with all the others.
    #[inline]
    pub fn raw(&mut self) -> Result<&'a [u8], ArgsError> {
        self.take("a string", |token| if let Token::Raw(raw) = token { Some(raw) } else { None })
    }

    /// Takes text in UTF-8.
    ///
    /// # Errors
    ///
    /// Missing, or not text.
    pub fn text(&mut self) -> Result<&'a str, ArgsError> {
        let index = self.index;
        core::str::from_utf8(self.raw()?).map_err(|_| ArgsError {
            index,
            expected: "text in UTF-8",
            found: "a string of other bytes",
        })
    }

    /// Takes an integer ≥ 0.
    ///
    /// # Errors
    ///
    /// Missing, negative, or not an integer.
    pub fn uint(&mut self) -> Result<u64, ArgsError> {
        self.take("an integer ≥ 0", |token| if let Token::Uint(number) = token { Some(number) } else { None })
    }

    /// Takes an integer.
    ///
    /// # Errors
    ///
    /// Missing, not an integer, or above the largest `i64`.
    pub fn int(&mut self) -> Result<i64, ArgsError> {
        self.take("an integer of 64 bits with sign", |token| match token {
            Token::Uint(number) => i64::try_from(number).ok(),
            Token::Int(number) => Some(number),
            _ => None,
        })
    }

    /// Takes true or false.
    ///
    /// # Errors
    ///
    /// Missing, or not a boolean.
    pub fn boolean(&mut self) -> Result<bool, ArgsError> {
        self.take("a boolean", |token| if let Token::Bool(flag) = token { Some(flag) } else { None })
    }

    /// Takes a number as floating point; an integer is one too.
    ///
    /// # Errors
    ///
    /// Missing, or not a number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "what a caller gets who sends a large integer for a float"
    )]
    pub fn float(&mut self) -> Result<f64, ArgsError> {
        self.take("a number", |token| match token {
            Token::Float(number) => Some(number),
            Token::Uint(number) => Some(number as f64),
            Token::Int(number) => Some(number as f64),
            _ => None,
        })
    }

    /// Takes an array, to be read on its own.
    ///
    /// # Errors
    ///
    /// Missing, or not an array.
    pub fn array(&mut self) -> Result<Self, ArgsError> {
        let index = self.index;
        let mut inner = Reader::new(self.slice()?);
        match inner.token() {
            Ok(Token::Array(left)) => Ok(Self { reader: inner, left, index: 0 }),
            other => Err(ArgsError { index, expected: "an array", found: found(other) }),
        }
    }

    /// Takes a map, to be read on its own as key, value, key, value; so [`len`](Self::len) says twice its pairs.
    ///
    /// # Errors
    ///
    /// Missing, or not a map.
    pub fn map(&mut self) -> Result<Self, ArgsError> {
        let index = self.index;
        Self::entries(self.slice()?, index)
    }

    /// Takes anything, decoded.
    ///
    /// # Errors
    ///
    /// Missing, or beyond the bounds of [`Value::decode`].
    pub fn value(&mut self) -> Result<Value, ArgsError> {
        let index = self.index;
        let (value, _) = Value::decode(self.slice()?).map_err(|error| ArgsError {
            index,
            expected: "a value",
            found: match error {
                ValueError::Encoding(error) => found(Err(error)),
                ValueError::TooDeep => "one that nests too deep",
                ValueError::TooMany => "one with too many parts",
            },
        })?;
        Ok(value)
    }

    /// Takes anything, as its bytes.
    ///
    /// # Errors
    ///
    /// Missing, or no value.
    pub fn slice(&mut self) -> Result<&'a [u8], ArgsError> {
        let index = self.begin("a value")?;
        self.reader.skip().map_err(|error| ArgsError { index, expected: "a value", found: found(Err(error)) })
    }

    /// Passes over one value.
    ///
    /// # Errors
    ///
    /// Missing, or no value.
    pub fn skip(&mut self) -> Result<(), ArgsError> {
        self.slice().map(drop)
    }

    #[inline]
    fn begin(&mut self, expected: &'static str) -> Result<u32, ArgsError> {
        let index = self.index;
        self.left = self.left.checked_sub(1).ok_or(ArgsError { index, expected, found: "nothing" })?;
        self.index += 1;
        Ok(index)
    }

    /// Takes a value without others inside.
    #[inline]
    fn take<T>(
        &mut self,
        expected: &'static str,
        accept: impl FnOnce(Token<'a>) -> Option<T>,
    ) -> Result<T, ArgsError> {
        let index = self.begin(expected)?;
        let token = self.reader.token();
        token.ok().and_then(accept).ok_or_else(|| ArgsError { index, expected, found: found(token) })
    }
}

fn found(token: Result<Token<'_>, TokenError>) -> &'static str {
    match token {
        Ok(token) => token.name(),
        Err(TokenError::Truncated) => "half a value",
        Err(TokenError::Unsupported(_)) => "a byte that begins no value",
    }
}

/// Where in `args` the bytes of the first argument are, which must be text or bytes. Others are ignored.
///
/// # Errors
///
/// There is no argument, or it is something else.
#[inline]
pub fn single_raw(args: &[u8]) -> Result<Range<usize>, ArgsError> {
    let mut reader = Args::new(args)?;
    let raw = reader.raw()?;
    let end = args.len() - reader.reader.rest().len();
    Ok(end - raw.len()..end)
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;

    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn every_kind_is_read_in_turn() {
        let bytes = encoded(|out| {
            encode::array(out, 8);
            encode::raw(out, b"name");
            encode::uint(out, 300);
            encode::int(out, -5);
            encode::boolean(out, true);
            encode::float(out, 0.5);
            encode::array(out, 1);
            encode::uint(out, 9);
            encode::map(out, 1);
            encode::raw(out, b"k");
            encode::nil(out);
            encode::raw(out, b"tail");
        });
        let mut args = Args::new(&bytes).unwrap();
        assert_eq!(args.text(), Ok("name"));
        assert_eq!(args.uint(), Ok(300));
        assert_eq!(args.int(), Ok(-5));
        assert_eq!(args.boolean(), Ok(true));
        assert_eq!(args.float(), Ok(0.5));
        assert_eq!(args.array().unwrap().uint(), Ok(9));
        let mut map = args.map().unwrap();
        assert_eq!((map.len(), map.text()), (2, Ok("k")));
        assert_eq!(map.value(), Ok(Value::Nil));
        assert_eq!(args.len(), 1);
        assert_eq!(args.slice(), Ok(&b"\xa4tail"[..]));
        assert!(args.is_empty());
    }

    #[test]
    fn errors_name_the_argument() {
        let bytes = encoded(|out| {
            encode::array(out, 2);
            encode::raw(out, b"\xff\xfe");
            encode::int(out, -1);
        });
        let mut args = Args::new(&bytes).unwrap();
        assert_eq!(
            args.text().unwrap_err().to_string(),
            "argument 0: expected text in UTF-8, found a string of other bytes"
        );
        assert_eq!(
            args.uint().unwrap_err().to_string(),
            "argument 1: expected an integer ≥ 0, found a negative integer"
        );
        assert_eq!(args.raw().unwrap_err().to_string(), "argument 2: expected a string, found nothing");
        assert_eq!(Args::new(&[0x80]).unwrap_err().found, "a map");
        assert_eq!(Args::new(&[]).unwrap_err().found, "half a value");
        assert_eq!(Args::new(&[0x91, 0xc1]).unwrap().raw().unwrap_err().found, "a byte that begins no value");
    }

    #[test]
    fn a_single_raw_is_found_in_every_family() {
        let forms: [(&[u8], Range<usize>); 8] = [
            (b"\x91\xa2hi", 2..4),
            (b"\x91\xa0", 2..2),
            (b"\x91\xd9\x02hi", 3..5),
            (b"\x91\xda\x00\x02hi", 4..6),
            (b"\x91\xdb\x00\x00\x00\x02hi", 6..8),
            (b"\x91\xc4\x02hi", 3..5),
            (b"\xdc\x00\x01\xc5\x00\x02hi", 6..8),
            (b"\x93\xa2hi\x01\x02", 2..4),
        ];
        for (args, range) in forms {
            assert_eq!(single_raw(args), Ok(range), "{args:02x?}");
        }
        assert_eq!(single_raw(&[0x90]).unwrap_err().found, "nothing");
        assert_eq!(single_raw(&[0x91, 0x05]).unwrap_err().found, "an integer");
        assert_eq!(single_raw(&[0x91, 0xa2, b'h']).unwrap_err().found, "half a value");
    }
}
