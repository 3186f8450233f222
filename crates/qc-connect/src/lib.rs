//! Reaching third parties, and being reached by them.
//!
//! Here: connector packages ([`connector`]: an API's document with what it does not say: credentials, effect classes,
//! error map, pagination), the outbound stack ([`call`]: one request of a workflow becomes HTTP, and its answer becomes
//! an output or a classified failure), the real HTTP client ([`call::HttpCaller`]), and signatures and handshakes of
//! webhooks ([`webhook`]).
//!
//! Deliberately not here: when to try again (the workflow machine decides, the engine waits), what is stored (the
//! engine writes the [`call::CallRecord`]), rate limits and circuit breakers across runs, consent of users (OAuth's
//! authorization code), and signing of webhooks that go out.

pub mod call;
pub mod codes;
pub mod connector;
pub mod webhook;
