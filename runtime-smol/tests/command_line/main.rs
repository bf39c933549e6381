//! The two programs as people and scripts see them: what they print, where, and how they exit.
//!
//! Real binaries, each test with directories and ports of its own.

mod call;
mod daemon;
mod demo;
mod node;
mod program;
mod tool;
