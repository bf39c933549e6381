//! A Cocaine node on smol.

mod bare;
pub mod client;
pub mod daemon;
pub mod driver;
pub mod echo;
mod print;
pub mod tool;
pub mod worker;
