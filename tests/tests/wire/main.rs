//! The wire against what others have sent.

mod corpora;
mod transcripts;
