//! The verbs that need no server, as a person uses them: the real program, its output and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broken;
mod connectors;
mod contracts;
mod expected;
mod formats;
mod gate;
mod limits;
mod loads;
mod movement;
mod scenarios;
mod scene;
mod simulators;
mod templates;
mod usage;
