//! Tests that cross package borders.

pub mod fuzzing;
pub mod scenario;
pub mod transcripts;
