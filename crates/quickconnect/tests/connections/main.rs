//! Connections through the whole program: a provider in this process that rotates refresh tokens and ends everything when
//! a spent one comes again, and a real OpenID provider.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

#[path = "../surroundings/notify.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod notify;

mod killed;
mod oidc;
mod provider;
mod scene;
mod shared;
mod used;
