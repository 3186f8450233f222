//! Access tokens of services: who gets one, which of them count, and what ends them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod access;
mod assertions;
mod clients;
mod forge;
mod world;
