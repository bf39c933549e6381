//! When a failed worker is replaced.
