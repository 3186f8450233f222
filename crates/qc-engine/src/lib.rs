//! Runs workflows durably: takes events, drives runs, performs their calls through the outbound
//! stack, and takes up again whatever an end of the process left behind.
//!
//! An event is taken by one commit ([`Engine::accept`]). A run in memory is one task (`drive`)
//! around the pure machine of qc-workflow: every input to the machine is journaled in the commit
//! that also journals the intents of the calls that it leads to, so the run can be rebuilt from
//! its journal (`recover`). What an ambiguous outcome means is decided by effect class (`settle`).
//!
//! Deliberately not here: HTTP, SQL, files, and the meaning of workflows.

mod accept;
mod api;
mod bus;
mod chain;
mod child;
mod children;
pub mod codes;
mod command;
mod deliver;
mod deployments;
mod draft;
mod drive;
mod engine;
mod entry;
mod follow;
mod gather;
mod happening;
mod lifecycle;
mod listening;
mod operate;
mod pace;
mod publish;
mod record;
mod recover;
mod release;
mod repeat;
mod run;
mod schedules;
mod settle;
mod standing;
mod start;
mod subscribe;
mod tail;
mod timekeeper;
mod topics;
mod trace;
mod unwind;
mod waiting;
mod wheel;
mod worker;

pub use api::{Accepted, EngineError, Incoming, Replay, Resolution, RunEnd, RunView};
pub use deployments::{Deployments, ReleaseSource};
pub use engine::{Engine, EngineParts, EngineSettings, Gauges};
pub use happening::{Failed, Happening, What};
pub use publish::{BusEvent, Publication};
pub use release::{
    Deployment, Does, Idempotency, Release, TenantRule, Trigger, TriggerAuth, TriggerKind,
};
pub use schedules::ScheduleView;
pub use standing::{Bus, Schedule, Subscription, Takes, Times};
pub use start::over_event;
pub use subscribe::SubscriptionView;
pub use topics::{Role, Topic, topics};
pub use trace::run_span;
