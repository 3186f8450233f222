//! From files to what runs: bindings of the workflow, bundles, and the engine's releases.

mod bindings;
mod build;
mod data;
mod echo;
mod kept;
pub(crate) mod limits;
mod narrowing;
mod people;
mod policies;
mod publications;
mod release;
mod search_keys;
mod standing;
mod triggers;
mod unavailable;
mod versions;

pub(crate) use bindings::Bound;
pub(crate) use build::used_connectors;
pub use build::{build, export};
pub(crate) use data::{movement, names as names_site, rule_of, system_at};
pub(crate) use echo::places as echo_places;
pub(crate) use kept::{kept, kept_names};
pub(crate) use narrowing::narrowing;
pub(crate) use policies::{effect_class, rules_of, task_policies};
pub(crate) use publications::publications;
pub(crate) use release::vars;
pub use release::{Compiled, release};
pub(crate) use search_keys::search_keys;
pub(crate) use standing::standing;
pub(crate) use triggers::{broker, compile_jq, load_schema, triggers};
pub(crate) use unavailable::unavailable;
pub(crate) use versions::versions;
