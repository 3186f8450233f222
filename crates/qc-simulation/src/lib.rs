//! A deterministic simulation of the engine: from a seed grow random workflows, other systems and
//! a store that fail, processes that end, and people who interfere. Every write and every request
//! is checked against the [`Invariant`]s, and the same seed gives the same story always.
//!
//! [`simulate`] tells one story, [`runner`] runs many of them on all cores, and [`world`] is the
//! small world in which the engine's own tests run too.
//!
//! Deliberately not here: anything that ships. Nothing but tests and `xtask` depends on this.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::format_push_string,
    reason = "a story that cannot go on ends, and is told as a failure"
)]

mod abilities;
mod bugs;
mod deeds;
mod desk;
mod dice;
mod door;
mod effect;
mod exercise;
mod hostile;
mod invariant;
mod judge;
pub mod link;
mod log;
mod office;
mod people;
mod plug;
mod record;
mod rehearsal;
pub mod runner;
mod story;
mod tidings;
mod witness;
mod workflows;
pub mod world;

pub use bugs::Planted;
pub use exercise::{Exercise, Exercised};
pub use invariant::{Broken, Invariant};
pub use story::{Told, simulate, simulate_with};
