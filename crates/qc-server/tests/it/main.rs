//! The server as its callers see it: requests over loopback to a server whose store and clock are in this process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod api;
mod connections;
mod events;
mod github;
mod refusals;
mod stage;
mod waiting;
