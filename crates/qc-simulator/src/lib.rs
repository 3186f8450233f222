//! Simulated providers: an OpenAPI document that answers as the real system would, and goes wrong on demand.
//!
//! Here: [`Provider`] (routing, checks, credentials, stateful resources, idempotency, faults, ledger),
//! [`SimulatorSpec`] (`simulator.yaml`), [`Fault`] (faults as data), [`LedgerEntry`] (the outside ledger),
//! [`SimulatedCaller`] (providers in process, behind the outbound seam) and [`serve()`], [`start`], [`run`]
//! (providers over HTTP on this machine).
//!
//! Deliberately not here: how the platform calls providers (`qc-connect`), acceptance scenarios
//! (`qc-project`), and reading the connector's own file. A provider never looks at the wall clock: it is
//! given a [`qc_model::Clock`], and all its randomness comes from a seed.

mod auth;
mod blueprint;
mod caller;
pub mod codes;
mod control;
mod exchange;
mod fault;
mod ledger;
mod problem;
mod provider;
mod random;
mod serve;
mod spec;
mod state;

pub use auth::Credentials;
pub use caller::SimulatedCaller;
pub use exchange::{SimAnswer, SimRequest, SimResponse};
pub use fault::{Condition, Deed, Drift, FAULT_LIMIT, Fault, Moment};
pub use ledger::{Answered, AnsweredContent, LedgerBody, LedgerEntry, read_ledger};
pub use provider::{Provider, Setup};
pub use serve::{ServeSpec, Serving, load_folder, run, serve, start};
pub use spec::SimulatorSpec;
