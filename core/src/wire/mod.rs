//! What travels on sockets: frames, headers, values, method trees and error codes.
//!
//! A connection is a stream of msgpack arrays. [`Scanner`] cuts it into frames; [`v1`] and [`v0`] read and write
//! the frames of the two dialects; [`args`] reads what is inside. Nothing here keeps state but the scanner and the
//! two ends of a header table.

pub mod args;
pub mod codes;
pub mod encode;
pub mod error;
pub mod frame;
pub mod graph;
pub mod headers;
pub mod limits;
pub mod protocols;
pub mod scanner;
mod token;
pub mod v0;
pub mod v1;
pub mod value;

pub use args::{Args, ArgsError, single_raw};
pub use error::{ErrorCode, Failure};
pub use frame::{Dialect, FrameError, dialect};
pub use graph::{Graph, Protocol};
pub use headers::{Header, HeaderDecoder, HeaderEncoder, HeaderError};
pub use limits::Limits;
pub use scanner::{Frame, ScanError, Scanner};
pub use token::TokenError;
pub use value::{Value, ValueError};

#[cfg(test)]
mod tests;
