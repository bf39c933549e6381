//! Where load goes and how many workers there should be: pure functions.
