//! The engine in a hostile world, seed by seed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod determinism;
mod found;
mod seeds;
