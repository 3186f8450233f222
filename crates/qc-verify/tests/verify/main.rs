//! Verifications against simulators, against servers that break one thing each, and against consumers.

mod scene;
mod simulator;
