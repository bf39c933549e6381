//! What travels on sockets: frames, headers, values, method trees and error codes.

mod value;

pub use value::Value;
