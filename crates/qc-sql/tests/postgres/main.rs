//! The store on PostgreSQL, on a server of the tests' own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod blobs;
mod conformance;
mod crash;
mod cuts;
mod ledger;
mod limits;
mod nodes;
mod opening;
mod place;
mod proxy;
mod signals;
mod tls;
mod upgrade;
