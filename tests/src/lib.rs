//! Tests that cross package borders.

pub mod blackbox;
pub mod counting;
pub mod fuzzing;
pub mod pairs;
pub mod scenario;
pub mod sim;
pub mod stored;
pub mod transcripts;
