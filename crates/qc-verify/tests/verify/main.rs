//! Verifications against simulators, against servers that break one thing each, and against consumers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod bounds;
mod broken;
mod consumers;
mod pacts;
mod scale;
mod scene;
mod simulator;
