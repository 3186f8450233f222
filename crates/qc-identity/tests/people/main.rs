//! People sign in, and what they get ends when it should.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod break_glass;
mod device;
mod real;
mod sessions;
mod sign_in;
mod world;
