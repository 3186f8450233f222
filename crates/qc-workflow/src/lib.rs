//! Workflows: the language, its checks, and the machine that runs them. Pure.
//!
//! Here: the QuickConnect profile of the Open Workflow Specification DSL 1.0.3 ([`load`]), its
//! compilation against what a project binds ([`compile`]), and the [`Machine`]: a deterministic
//! fold of [`Input`]s over a [`Start`] that answers with [`Action`]s. What surrounds runs is here as
//! far as it is a matter of data: when runs begin by themselves ([`Timetable`]), which runs wait for
//! an event ([`Subscription`], [`correlation_key`]), and what is told of them ([`Lifecycle`]). The
//! exact semantics are written in `docs/workflow-profile.md`.
//!
//! Deliberately not here: performing anything (the engine does), time and chance (they arrive
//! with each input), storage, secrets (only placeholders for them, see [`SecretMark`]), and
//! connectors (known only as policies behind [`Bindings`]).

mod bindings;
mod call;
mod chance;
mod child;
pub mod codes;
mod compensation;
mod compile;
mod correlation;
mod dsl;
mod event_filter;
mod happening;
mod human;
mod kept;
mod lifecycle;
mod machine;
mod policy;
mod program;
mod same;
mod schedule;
mod schema;
mod secret;
mod subscription;
mod unavailable;

pub use bindings::Bindings;
pub use call::{
    Authentication, AuthenticationScheme, CallId, CallOutput, CallRequest, CallTarget,
    ClientAuthentication, OutputShape, RequestFacts,
};
pub use child::{ChildRequest, ChildSite, DEPTH_LIMIT, OpenChild, WorkflowRef};
pub use compensation::{Compensated, Compensation, Compensations, Undone};
pub use compile::{compile, compile_compensated};
pub use correlation::{CorrelationSite, correlation_key};
pub use dsl::{Workflow, load};
pub use event_filter::ReadAs;
pub use happening::{
    Action, Deadline, Happening, Input, NoteKind, Outcome, RuntimeFacts, Start, TaskNote, TimerId,
};
pub use human::{
    APPROVED, FILLED, HUMAN, HumanFlaw, HumanKind, HumanLevel, HumanOption, HumanProblem,
    HumanTask, REJECTED, read_human,
};
pub use kept::{CROSSREF, KeptDeed, KeptNames, NOT_A_SYSTEM, STATE, is_kept};
pub use lifecycle::{Lifecycle, LifecycleFact};
pub use machine::{Machine, STEP_BUDGET};
pub use policy::{Backoff, CallPolicy, Effect, Jitter, RetryPolicy};
pub use program::{CallSite, Program, SiteTarget, TaskFact};
pub use schedule::{
    CatchUp, Cron, CronError, Due, EventStart, Gathering, MISSED_LIMIT, Overlap, QuietHours,
    Schedule, TimeOfDay, TimeOfDayError, Timetable, Zone, ZoneError,
};
pub use schema::schema;
pub use secret::{MissingSecret, SecretMark, contains_placeholder};
pub use subscription::{FilterIndex, ListenId, Subscription};
pub use unavailable::{
    HeldCall, Substitute, Substitution, Unavailable, WhenUnavailable, means_unavailable,
};
