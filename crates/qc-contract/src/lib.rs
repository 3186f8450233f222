//! The only loader of OpenAPI (2.0, 3.0, 3.1; 3.2 tolerated) and JSON Schema. Pure: text in, model and verdicts out.
//!
//! Here: [`OpenApi`] (load with overlays, model of operations, request building, checks of requests and responses,
//! pruning for a release, routing for simulators), [`Schema`] (plain JSON Schema contracts), [`covers`] (whether one
//! schema admits everything that another admits), [`pact`] (consumers' expectations) and [`sample`] (valid instances,
//! deterministic), [`compare`] (what changed between two versions, which way, and how much that weighs).
//!
//! [`AsyncApi`] (what is exchanged over channels) is loaded and compared, no more. Not here: reading files (a [`Files`] is
//! given), sending requests (`qc-connect`), and anything that would fetch a remote reference: those are refused.

mod asyncapi;
pub mod codes;
mod compare;
mod description;
mod documents;
mod files;
mod mismatch;
mod model;
mod openapi;
mod overlay;
pub mod pact;
mod request;
mod sample;
mod schema;
mod subsume;

pub use asyncapi::AsyncApi;
pub use compare::{
    Area, Change, ChangeSide, Comparison, Day, Level, Mode, Options, Profile, ReportFormat, Rule,
    SchemaDocument, Uses, Verdict, compare, compare_events, compare_schemas, rule, rules,
};
pub use description::Description;
pub use files::Files;
pub use mismatch::{Direction, Mismatch};
pub use model::{
    Callback, Content, Header, Method, OAuthFlow, Operation, Parameter, ParameterLocation,
    RequestBody, Response, SchemaAt, SecurityRequirement, SecurityScheme, Server, StatusPattern,
    Style, Version,
};
pub use openapi::{IncomingRequest, OpenApi, Routed, Undeclared};
pub use request::{BodyPlan, BodyValue, BuiltRequest, Part, PartContent, is_json};
pub use sample::sample;
pub use schema::Schema;
pub use subsume::{CoverOptions, Covers, Draft, covers};
