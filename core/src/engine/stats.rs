//! What `info` counts.
