//! The engine as a whole, over the in-memory store, a scripted outside and virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod crash;
mod effects;
mod operations;
mod review;
mod story;

use qc_simulation::world;
