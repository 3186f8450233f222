//! A real OpenID provider for a test: the library `oidc-provider` of npm, on a free port of the loopback address, gone with
//! the test's process however that ends; and a browser that goes through its pages.
//!
//! `./test` installs the library, in exactly the versions of `package-lock.json`, into `target/oidcserver`; by hand that is
//! `npm ci` on a copy of `package.json` and `package-lock.json` there.
//!
//! [`Fake`] is one without a socket, for what a real one would not do: wrong claims, lost keys, being away.
//!
//! For tests only; it panics. Deliberately not here: anything that knows QuickConnect.

mod browser;
mod fake;
mod server;

pub use browser::{Browser, Page};
pub use fake::{CLIENT, Fake, Parts, Spoil};
pub use server::Server;

/// The variable that makes the absence of the library an error; `./test` sets it.
pub const REQUIRED: &str = "QC_REQUIRE_OIDC";

/// A provider with these settings, which `provider.mjs` describes; None, said loudly, when node or the library is missing.
pub fn own(settings: &serde_json::Value) -> Option<Server> {
    let started = Server::start(settings);
    if let Err(why) = &started {
        assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {why}");
        println!("SKIPPED: {why}; nothing is tested with a real OpenID provider");
    }
    started.ok()
}
