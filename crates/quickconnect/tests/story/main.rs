//! Stories through the real program: the demonstration, what a new user does with each template, and a server's life
//! from its start to a graceful end, a full disk and a damaged database included.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod audit;
mod backup;
mod bounded;
mod chain;
mod demo;
mod disk;
mod drifted;
mod events;
mod large;
mod life;
mod limits;
mod outage;
mod papers;
mod recovery;
mod replayed;
mod stranger;
mod templates;
mod unaided;
mod upgrade;
mod vault;
mod versions;
