//! A Cocaine node on smol.
