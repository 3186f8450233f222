//! A PostgreSQL server of a test's own: made in a temporary folder, on a free port of the loopback
//! address, gone with the test's process however that ends.
//!
//! For tests only; it panics. Deliberately not here: anything that knows what is stored.

mod programs;
mod server;

pub use server::{PASSWORD, Server, USER};

use std::sync::OnceLock;

/// The variable that makes the absence of PostgreSQL an error; `./test` sets it.
pub const REQUIRED: &str = "QC_REQUIRE_POSTGRES";

/// The one server that all tests of a process share; None, said loudly, when PostgreSQL is not
/// installed.
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| own(&[])).as_ref()
}

/// A server for one test that stops it or sets it up in its own way; `settings` are lines of its
/// `postgresql.conf`.
pub fn own(settings: &[&str]) -> Option<Server> {
    let Some(programs) = programs::Programs::find() else {
        assert!(
            std::env::var_os(REQUIRED).is_none(),
            "{REQUIRED} is set, and there is no initdb below /usr/lib/postgresql or in the PATH"
        );
        println!("SKIPPED: PostgreSQL is not installed; nothing is tested on it");
        return None;
    };
    Some(Server::start(programs, settings))
}
