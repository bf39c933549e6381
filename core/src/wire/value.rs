//! Free-form values: msgpack without the distinctions that this protocol does not make.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

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
