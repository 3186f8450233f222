//! The doors as strangers see them: a server on loopback over an engine in memory, spoken to in raw bytes, so that a
//! request can be as wrong as it likes. What usual callers do is tested in `tests/it`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod access;
mod api;
mod approvals;
mod audited;
mod bodies;
mod boundaries;
mod busy;
mod captures;
mod challenges;
mod client;
mod cloudevents;
mod connected;
mod deployment;
mod drifted;
mod drill;
mod drops;
mod gate;
mod github;
mod idempotency;
mod identity;
mod keys;
mod limited;
mod outside;
mod parameters;
mod people;
mod rehearsals;
mod repeats;
mod replies;
mod requests;
mod reviews;
mod rights;
mod secrets;
mod sign;
mod signatures;
mod tasks;
mod units;
mod used;
mod versions;
mod world;
