//! Workflows: the language, its checks, and the machine that runs them. Pure.
//!
//! Here: the QuickConnect profile of the Open Workflow Specification DSL 1.0.3 ([`load`]), its
//! compilation against what a project binds ([`compile`]), and the [`Machine`]: a deterministic
//! fold of [`Input`]s over a [`Start`] that answers with [`Action`]s. The exact semantics are
//! written in `docs/workflow-profile.md`.
//!
//! Deliberately not here: performing anything (the engine does), time and chance (they arrive
//! with each input), storage, secrets (only placeholders for them, see [`SecretMark`]), and
//! connectors (known only as policies behind [`Bindings`]).

mod bindings;
mod call;
mod chance;
pub mod codes;
mod compile;
mod dsl;
mod happening;
mod machine;
mod policy;
mod program;
mod schema;
mod secret;

pub use bindings::Bindings;
pub use call::{
    Authentication, AuthenticationScheme, CallId, CallOutput, CallRequest, CallTarget,
    ClientAuthentication, OutputShape, RequestFacts,
};
pub use compile::compile;
pub use dsl::{Workflow, load};
pub use happening::{
    Action, Happening, Input, NoteKind, Outcome, RuntimeFacts, Start, TaskNote, TimerId,
};
pub use machine::{Machine, STEP_BUDGET};
pub use policy::{Backoff, CallPolicy, Effect, Jitter, RetryPolicy};
pub use program::{CallSite, Program, SiteTarget, TaskFact};
pub use schema::schema;
pub use secret::{MissingSecret, SecretMark, contains_placeholder};
