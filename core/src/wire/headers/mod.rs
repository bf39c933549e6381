//! Headers: names and values beside a message, compressed with a table per direction of a connection.

mod codec;
mod known;
mod static_table;
mod table;

pub use codec::{HeaderDecoder, HeaderEncoder, HeaderError, encode_literal};
pub use known::{KnownHeaderError, Trace, names, request_timeout, trace};
pub use static_table::STATIC_TABLE;
pub use table::{DYNAMIC_TABLE_BYTES, ENTRY_OVERHEAD, Header, HeaderTable};
