//! The engine as a whole, over the in-memory store, a scripted outside and virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod admission;
mod beside;
mod blobs;
mod bulk;
mod bus_nodes;
mod canaries;
mod children;
mod comparisons;
mod compensation;
mod continuation;
mod crash;
mod deadline;
mod desk;
mod drifted;
mod echo;
mod effects;
mod failures;
mod fairness;
mod kept;
mod link;
mod listening;
mod nodes;
mod operations;
mod ordering;
mod pausing;
mod people;
mod poison;
mod polling;
mod publishing;
mod queueing;
mod quiet;
mod recordings;
mod refitted;
mod rehearsals;
mod review;
mod schedules;
mod search;
mod simulation;
mod story;
mod subscriptions;
mod tempo;
mod together;
mod unavailable;
mod world;
