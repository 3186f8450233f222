//! What the tests of the whole program share: the example's project on a stage of its own (`project`), its three systems
//! as simulators in this process (`systems`), the server as a child process (`server`), a sender as senders are
//! (`sender`), and the verdict over what the systems saw (`judge`).
//!
//! Deliberately not here: anything of the platform's own code but the simulators. These tests see what an outsider sees.

#![allow(dead_code, reason = "each test program uses its part of the stage")]

pub(crate) mod chance;
pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod sender;
pub(crate) mod server;
pub(crate) mod signing;
pub(crate) mod story;
pub(crate) mod systems;
pub(crate) mod wire;

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use qc_model::Clock;
use qc_model::Timestamp;

/// The wall clock: these tests run in real time.
pub(crate) struct WallClock;

impl Clock for WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test runs in real time, and so must its world"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// A number from the environment, such as `QC_KILL_SEED`.
#[expect(clippy::disallowed_methods, reason = "a test takes its wishes from the environment")]
pub(crate) fn wish(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}
