//! The whole program on PostgreSQL: one node that is killed while its database crashes too, and a
//! second node that takes over.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod settings;
mod shared;
