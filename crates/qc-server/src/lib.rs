//! All HTTP that comes in: events at their triggers (`/in/…`), the management API (`/api/v1/…`), health and metrics.
//!
//! Here: connections with their bounds and TLS ([`serve`]), the order in which an event is accepted (`ingress`), the
//! table of the API's operations (`api`) from which router, authorisation and OpenAPI document are made, errors as
//! problem documents ([`Problem`]), the endpoints at which services and people prove who they are (`identity`), and what
//! is deployed on this node ([`Catalogue`]).
//!
//! Deliberately not here: what an accepted event leads to (`qc-engine`), how files become releases (given as [`Craft`]),
//! reading configuration and wiring (`quickconnect`), and the web console.

mod api;
mod asker;
mod audit;
mod body;
mod captures;
mod catalogue;
pub mod codes;
mod connect;
mod directory;
mod drill;
mod drops;
mod egress;
mod expectations;
mod health;
mod identity;
mod ingress;
mod leaving;
mod limits;
mod listen;
mod mended;
mod metrics;
mod needs;
mod openapi;
mod owners;
mod page;
mod problem;
mod proxies;
mod rotations;
mod service;
mod settings;
mod state;
mod token_keeper;
mod traffic;
mod upkeep;
mod usage;

pub use api::{VERSION, action_of, wire};
pub use catalogue::{Catalogue, CompileError, Craft, HoldExpectations, JudgeRelease, MakeBundle};
pub use egress::PolicyEgress;
pub use ingress::{OfferOutcome, Offered};
pub use limits::ServerLimit;
pub use listen::{TlsError, TlsFiles, TlsKeys, bind, serve};
pub use metrics::{CommitNumbers, MeteredStore};
pub use openapi::document as openapi_document;
pub use problem::{PointedError, Problem, ProblemParts};
pub use proxies::{Network, NetworkError, TrustedProxies};
pub use service::{Door, Service};
pub use settings::{Operator, ServerSettings};
pub use state::{ServerParts, State};
pub use token_keeper::TokenKeeper;

use metrics::Metrics;
use service::bearer;
