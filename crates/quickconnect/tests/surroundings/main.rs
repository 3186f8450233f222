//! The program and what surrounds it: signals, certificates that change, proxies, private authorities, and a working tree
//! that somebody edits. All of it through the real binary and real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod certificates;
mod chat;
mod dev;
mod doors;
mod memory;
mod mutual_tls;
mod notify;
mod outbound_tls;
mod people;
mod proxy;
mod signals;
mod tls;
