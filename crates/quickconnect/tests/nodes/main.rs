//! The whole program on PostgreSQL: one node that is killed while its database crashes too, two that
//! share the runs, three that share limits, and three to which everything happens under load. `QC_NODES_SEED` and
//! `QC_NODES_EVENTS` override the seed and the number of events of the last one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod limits;
mod secrets;
mod settings;
mod shared;
mod three;
