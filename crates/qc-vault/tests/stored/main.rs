//! Secrets of the store, on the model of a store that every backend agrees with: what is on it, what opens, and what
//! several nodes see.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod changing;
mod drops;
mod keys;
mod world;
