//! Verifications against simulators, against servers that break one thing each, and against consumers.

mod bounds;
mod broken;
mod consumers;
mod pacts;
mod scale;
mod scene;
mod simulator;
