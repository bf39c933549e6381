//! A Cocaine node on smol.

pub mod driver;
