//! Errors on the wire: categories, codes, and a text for people.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::args::{Args, ArgsError};
use super::codes::{self, CATEGORIES, ROWS};
use super::encode;

/// A category and a number in it: what programs look at. An unknown category stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode {
    /// The category's number, the same in every process (see [`codes`]).
    pub category: u32,
    /// The number inside the category.
    pub code: i32,
}

impl ErrorCode {
    /// A code of a category.
    #[must_use]
    pub const fn new(category: u32, code: i32) -> Self {
        Self { category, code }
    }

    /// The usual text of this code; empty if it has none.
    #[must_use]
    pub fn text(self) -> &'static str {
        ROWS.iter().find(|(code, _)| *code == self).map_or("", |(_, text)| text)
    }

    /// The name of the category; `unknown category` if it has none.
    #[must_use]
    pub fn category_name(self) -> &'static str {
        let known = CATEGORIES.iter().find(|(number, _)| *number == self.category);
        known.map_or("unknown category", |(_, name)| name)
    }

    /// Appends `[category, code]`.
    pub fn encode(self, out: &mut Vec<u8>) {
        encode::array(out, 2);
        encode::uint(out, u64::from(self.category));
        encode::int(out, i64::from(self.code));
    }

    /// Takes `[category, code]`. A number that does not fit becomes the unknown category, or code.
    ///
    /// # Errors
    ///
    /// The next argument is not two integers.
    pub fn decode(args: &mut Args<'_>) -> Result<Self, ArgsError> {
        let mut pair = args.array()?;
        let category = u32::try_from(pair.int()?).unwrap_or(codes::category::UNKNOWN);
        let code = i32::try_from(pair.int()?).unwrap_or(i32::MAX);
        Ok(Self { category, code })
    }

    /// The number that a peer of the older dialect gets for it.
    #[must_use]
    pub const fn to_v0(self) -> i32 {
        use codes::category;
        match (self.category, self.code) {
            (category::WORKER | category::WORKER_USER, code) => code,
            (category::NODE, 1) => V0_DEADLINE,
            (category::NODE, 3) => V0_TIMEOUT,
            (category::OVERSEER | category::SLAVE, _) | (category::NODE, 2 | 4) | (category::GENERIC, 32) => {
                V0_RESOURCE
            }
            (category::SYSTEM | category::ASIO_SYSTEM | category::ASIO_MISC, _) => V0_RESOURCE,
            _ => V0_INVOCATION,
        }
    }
}

/// Older dialect: the call could not be made (unknown method, bad arguments, the handler failed).
pub const V0_INVOCATION: i32 = 1;
/// Older dialect: nobody to do it (queue or pool full, worker died, engine stopped).
pub const V0_RESOURCE: i32 = 2;
/// Older dialect: it took too long.
pub const V0_TIMEOUT: i32 = 3;
/// Older dialect: it expired in the queue.
pub const V0_DEADLINE: i32 = 4;

/// Texts that the older dialect has of its own.
const V0_TEXTS: &[(ErrorCode, &str)] = &[
    (codes::SLOT_NOT_BOUND, "unknown message type"),
    (codes::QUEUE_IS_FULL, "the queue is full"),
    (codes::POOL_IS_FULL, "the pool is full"),
    (codes::APP_STOPPED, "the engine is not active"),
    (codes::INVOCATION_DEADLINE, "the session has expired in the queue"),
];

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{}]", self.category, self.code)?;
        match self.text() {
            "" => write!(f, " {}", self.category_name()),
            text => write!(f, " {text}"),
        }
    }
}

/// How a call failed: what programs look at and what people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: ErrorCode,
    /// The reason; not always UTF-8 when it came from a peer.
    pub text: Bytes,
}

impl Failure {
    /// A failure with a reason of its own.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<Bytes>) -> Self {
        Self { code, text: text.into() }
    }

    /// The failure that an error of a worker of the older dialect means: its code in the worker's category.
    #[must_use]
    pub fn from_v0_worker(code: i32, text: impl Into<Bytes>) -> Self {
        Self::new(ErrorCode::new(codes::category::WORKER, code), text)
    }

    /// Number and text for a peer of the older dialect. Where the reason is only the code's usual text, the peer
    /// gets the text that was usual there.
    #[must_use]
    pub fn to_v0(&self) -> (i32, &[u8]) {
        let usual = self.text == self.code.text().as_bytes();
        let row = V0_TEXTS.iter().find(|(code, _)| usual && *code == self.code);
        (self.code.to_v0(), row.map_or(&self.text, |(_, text)| text.as_bytes()))
    }

    /// Appends an error message's arguments: `[[category, code], text]`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::array(out, 2);
        self.code.encode(out);
        encode::raw(out, &self.text);
    }

    /// Reads an error message's arguments. The text may be missing.
    ///
    /// # Errors
    ///
    /// They are something else.
    pub fn decode(args: &[u8]) -> Result<Self, ArgsError> {
        let mut args = Args::new(args)?;
        let code = ErrorCode::decode(&mut args)?;
        let text = if args.is_empty() { &[] } else { args.raw()? };
        Ok(Self { code, text: Bytes::copy_from_slice(text) })
    }

    /// Reads an error message's arguments in the older dialect, `[code, text]`, as sent by a worker.
    ///
    /// # Errors
    ///
    /// They are something else.
    pub fn decode_v0_worker(args: &[u8]) -> Result<Self, ArgsError> {
        let mut args = Args::new(args)?;
        let code = i32::try_from(args.int()?).unwrap_or(i32::MAX);
        let text = if args.is_empty() { &[] } else { args.raw()? };
        Ok(Self::from_v0_worker(code, Bytes::copy_from_slice(text)))
    }
}

/// A failure with the code's usual text.
impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self { code, text: Bytes::from_static(code.text().as_bytes()) }
    }
}

/// Arguments that a method cannot take: the caller is at fault, on its own channel.
impl From<ArgsError> for Failure {
    fn from(error: ArgsError) -> Self {
        Self::new(codes::BAD_ARGUMENTS, alloc::format!("{error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = alloc::string::String::from_utf8_lossy(&self.text);
        write!(f, "[{},{}] {text}", self.code.category, self.code.code)
    }
}

impl core::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(failure: &Failure) -> Vec<u8> {
        let mut out = Vec::new();
        failure.encode(&mut out);
        out
    }

    #[test]
    fn failures_survive_the_wire() {
        let failure = Failure::new(codes::INVOCATION_DEADLINE, "the event has expired in the queue");
        assert_eq!(encoded(&failure)[..7], [0x92, 0x92, 0xcd, 0x51, 0xff, 0x01, 0xda]);
        assert_eq!(Failure::decode(&encoded(&failure)), Ok(failure));
    }

    #[test]
    fn the_text_may_be_missing_and_the_category_unknown() {
        let failure = Failure::decode(&[0x91, 0x92, 0xcd, 0x03, 0xe7, 0xff]).unwrap();
        assert_eq!(failure, Failure::new(ErrorCode::new(999, -1), ""));
        assert_eq!(failure.code.category_name(), "unknown category");
        assert_eq!(failure.code.to_string(), "[999,-1] unknown category");
    }

    #[test]
    fn numbers_that_do_not_fit_are_not_an_error_of_their_own() {
        let args = [&[0x91, 0x92, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xd3][..], &i64::MAX.to_be_bytes()].concat();
        assert_eq!(Failure::decode(&args).unwrap().code, ErrorCode::new(255, i32::MAX));
    }

    #[test]
    fn a_worker_error_of_the_older_dialect_gets_the_worker_category() {
        let failure = Failure::decode_v0_worker(b"\x92\xcd\x01\x9a\xaano handler").unwrap();
        assert_eq!(failure, Failure::new(ErrorCode::new(42, 410), "no handler"));
        assert_eq!(failure.code.to_v0(), 410);
    }

    #[test]
    fn codes_for_the_older_dialect() {
        let rows = [
            (codes::SLOT_NOT_BOUND, 1),
            (codes::BAD_ARGUMENTS, 1),
            (codes::UNCAUGHT, 1),
            (codes::SERVICE_NOT_AVAILABLE, 1),
            (codes::QUEUE_IS_FULL, 2),
            (codes::POOL_IS_FULL, 2),
            (codes::APP_STOPPED, 2),
            (codes::NO_RESOURCES, 2),
            (codes::CONTROL_IPC, 2),
            (codes::HEARTBEAT_TIMEOUT, 2),
            (codes::END_OF_FILE, 2),
            (codes::REQUEST_TIMED_OUT, 3),
            (codes::INVOCATION_DEADLINE, 4),
            (ErrorCode::new(42, 200), 200),
            (ErrorCode::new(43, -100), -100),
        ];
        for (code, v0) in rows {
            assert_eq!(code.to_v0(), v0, "{code}");
        }
    }

    #[test]
    fn texts_for_the_older_dialect() {
        for (code, text) in V0_TEXTS {
            assert_eq!(Failure::from(*code).to_v0(), (code.to_v0(), text.as_bytes()), "{code}");
        }
        let full = Failure::new(codes::QUEUE_IS_FULL, "queue is full: 100 requests");
        assert_eq!(full.to_v0(), (2, &b"queue is full: 100 requests"[..]), "a reason of its own stays");
        assert_eq!(Failure::from(codes::CONTROL_IPC).to_v0(), (2, &b"unexpected control IPC error"[..]));
    }
}
