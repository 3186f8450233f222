//! Contracts held against what really runs: providers against their descriptions and against their consumers'
//! expectations, consumers against what a provider may send.
//!
//! Here: [`Verification`] (cases made from an OpenAPI description, sent and judged), [`measure`] (how strong those cases
//! are), [`Replay`] (Pact files against a provider), [`Delivery`] (payloads of a contract to a consumer), [`Report`],
//! and [`Target`], which alone says where requests may go.
//!
//! Deliberately not here: sockets (a [`qc_model::Caller`] is given), reading files, and any address that is neither on
//! this machine nor declared to be for tests.

mod cases;
pub mod codes;
mod consumer;
mod credentials;
mod expectations;
mod judge;
mod provider;
mod report;
mod resources;
mod score;
mod simulated;
mod target;
mod vary;
mod wire;

pub use cases::{Kind, NotTried};
pub use consumer::Delivery;
pub use credentials::Credentials;
pub use expectations::{PactFile, Replay};
pub use judge::{Outcome, Problem};
pub use provider::{CASE_LIMIT, OPERATION_CASE_LIMIT, Verification};
pub use report::{CaseResult, Cut, Exchange, Format, Report, Seen, Subject, written};
pub use score::{MUTANT_LIMIT, Mutant, Score, measure};
pub use simulated::simulated;
pub use target::Target;
