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
mod admission;
mod api;
mod arrangements;
mod asking;
mod broker;
mod bulk;
mod bus;
mod capture;
mod chain;
mod child;
mod children;
mod chores;
mod claim;
pub mod codes;
mod command;
mod continuation;
mod data;
mod deliver;
mod deployments;
mod draft;
mod drift;
mod drive;
mod engine;
mod entry;
mod failures;
mod fair;
mod fixture;
mod follow;
mod forward;
mod gates;
mod gather;
mod groups;
mod happening;
mod hold;
mod judge;
mod kept;
mod leases;
mod lifecycle;
mod line;
mod lines;
mod listening;
mod mail;
mod mended;
mod nodes;
mod obey;
mod open;
mod operate;
mod outbox;
mod outgoing;
mod pace;
mod park;
mod pause;
mod person;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod poll;
mod probe;
mod publish;
mod queue;
mod record;
mod recover;
mod refused;
mod rehearsal;
mod release;
mod repeat;
mod repin;
mod run;
mod schedules;
mod search;
mod settle;
mod signal;
mod spent;
mod standing;
mod start;
mod stated;
mod subject;
mod subscribe;
mod tail;
mod tenure;
mod timekeeper;
mod together;
mod topics;
mod trace;
mod unavailable;
mod unwind;
mod view;
mod waiting;
mod wheel;
mod worker;

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("bugs are planted in builds with debug assertions only: a release has none");

pub use admission::{AdmissionLimits, Busy, DiskGauge, DiskRoom};
pub use api::{
    Accepted, Arrivals, EngineError, Incoming, Queued, Replay, Resolution, Retry, RunEnd, RunView,
    Terms,
};
pub use arrangements::{Bus, Schedule, Subscription, Takes, Times};
pub use broker::{AmqpTrigger, BrokerAccess, BrokerAddress, MessageForm, NoAddress};
pub use bulk::{
    Bulk, BulkError, BulkFilter, BulkId, BulkRefused, BulkRequest, BulkState, Deed, Progress,
    RATE_MAX as BULK_RATE_MAX,
};
pub use bus::HOPS_MAX;
pub use data::{DataRules, Spot, TokenRoots};
pub use deployments::{Deployments, ReleaseSource};
pub use drift::{
    CanaryOutcome, CanaryStanding, DriftDifference, DriftFilter, DriftFinding, DriftReleased,
    DriftSeen, DriftShape, FindingKind,
};
pub use engine::{Engine, EngineParts, EngineSettings, Gauges};
pub use failures::{
    FailureGroup, FailuresError, GroupFilter, GroupState, MUTE_LONGEST, Said, Word,
};
pub use fair::{GateLimits, Pace, Paces, SystemStanding};
pub use fixture::{FIXTURES_MAX, FIXTURES_USUAL, Fixture, Recording};
pub use happening::{Failed, Happening, What};
pub use judge::{Judged, Refusal, is_legal_key, judge};
pub use kept::{
    ECHO_WINDOW_MAX, Echo, EchoRule, KEY_BYTES_MAX, Kept, KeptPruning, KeptScope, LinkCounts,
    LinkView, StateRule, StateView, TableRule, VALUE_BYTES_MAX,
};
pub use lines::{LineName, LineView};
pub use mended::Mended;
pub use open::{OpenAt, OpenPlaces};
pub use outbox::{Departure, Outbox, OutboxEntry, Publication, Target};
pub use park::LineDiscard;
pub use pause::{DiscardPlan, TriggerName, TriggerView};
pub use person::{
    Decision, FailureMode, Failures, Level, People, PersonTask, StuckAct, TaskAnswer, TaskFilter,
    TaskId, TaskKind, TaskPage, TaskState, shown_hash,
};
pub use poll::PollTrigger;
pub use publish::{Announced, BusEvent};
pub use qc_workflow::KeptDeed;
pub use refused::Refused;
pub use rehearsal::{
    Difference, DifferenceKind, FieldDifference, Incomparable, Rehearsal, RehearsedRun, Rehearsing,
    SAMPLE_MAX, SAMPLE_USUAL, Verdict,
};
pub use release::{
    Deployment, Does, Idempotency, OnFailure, OrderingRule, Release, ServiceClass, TenantRule,
    Traffic, Trigger, TriggerAuth, TriggerKind,
};
pub use schedules::ScheduleView;
pub use search::{CORRELATION_ATTRIBUTE, REQUEST_ATTRIBUTE, SearchKey};
pub use standing::{Standing, Standings, Tie, TieKind};
pub use start::over_event;
pub use subject::{Subject, SubjectArchive, SubjectErased};
pub use subscribe::SubscriptionView;
pub use topics::{Role, Topic, topics};
pub use trace::run_span;

/// What a run did in another way than its workflow says, as those need it who show it.
pub use qc_workflow::{Substitute, Substitution};
