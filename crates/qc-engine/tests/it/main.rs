//! The engine as a whole, over the in-memory store, a scripted outside and virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod blobs;
mod children;
mod crash;
mod effects;
mod listening;
mod operations;
mod review;
mod schedules;
mod simulation;
mod story;
mod subscriptions;
mod world;
