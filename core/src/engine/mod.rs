//! One app: its queue, its pool of workers, and how load is spread over them.

pub mod backoff;
pub mod balance;
pub mod stats;
