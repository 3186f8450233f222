//! The engine as a whole, over the in-memory store, a scripted outside and virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod admission;
mod blobs;
mod children;
mod compensation;
mod continuation;
mod crash;
mod effects;
mod fairness;
mod link;
mod listening;
mod nodes;
mod operations;
mod ordering;
mod poison;
mod polling;
mod publishing;
mod review;
mod schedules;
mod simulation;
mod story;
mod subscriptions;
mod world;
