//! Tests that cross package borders.
