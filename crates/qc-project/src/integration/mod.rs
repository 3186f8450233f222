//! `integration.yaml`: the brief and the governance of one integration, in one schema.

mod binding;
mod breaking;
mod broker;
mod call_policy;
mod compensation;
mod echo;
mod excess;
mod failure_mode;
mod governance;
mod kept;
mod limit;
mod nfr;
mod object;
mod owners;
mod poll;
mod publication;
mod rollout;
mod schedule;
mod search_key;
mod service_class;
mod step;
mod subscription;
mod system;
mod trigger;
mod trigger_auth;
mod unavailable;

pub use binding::{BindingSpec, FieldText, QuotaSpec, ViewSpec};
pub use breaking::BreakingChange;
pub use broker::{AmqpSpec, BrokerName, BrokerParts, BrokerSpec, Prefetch};
pub use call_policy::{Backoff, CallRules, EffectWord, QuietRules, RetryRules, TaskRules};
pub use compensation::{Arguments, CompensationSpec};
pub use echo::{EchoOf, EchoSpec};
pub use excess::{Excess, Lesser};
pub use failure_mode::{ClassWord, Escalation, FailureCode, FailureMode, Matches};
pub use governance::{Acceptance, Communication, Review};
pub use kept::{CrossrefSpec, Pair, StateSpec};
pub use limit::{Limit, LimitScope};
pub use nfr::{Audit, Latency, Nfr, Recovery, Throughput};
pub use object::{DataClass, DataObject};
pub use owners::Owners;
pub use poll::PollSpec;
pub use publication::{EventType, ExchangeSpec, PublicationSpec, TargetSpec};
pub use rollout::{Fallback, Rollout, Stage};
pub use schedule::{Rhythm, ScheduleSpec};
pub use search_key::SearchKeySpec;
pub use service_class::ServiceClass;
pub use step::{Outcome, Step};
pub use subscription::{Beginning, EventSpec};
pub use system::{Criticality, Direction, System};
pub use trigger::{Idempotency, Ordering, TrafficProfile, TriggerForm, TriggerSpec};
pub use trigger_auth::{SignatureRef, TenantSpec, TriggerAccess};
pub use unavailable::{Answer, FallbackSpec, OnUnavailable, OperationRef};

use qc_model::Name;
use qc_vault::SecretRef;

use crate::shape::{Fields, Named, Record, Spanned, Version};

/// An integration's file. A part that is missing or wrong is absent here, with a finding, so that the other parts can be
/// checked all the same.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Its name, which is its folder's.
    pub name: Option<Spanned<Name>>,
    /// Its version, as its owner declares it.
    pub version: Option<Spanned<Version>>,
    /// What it accomplishes, in business words.
    pub purpose: Option<Spanned<String>>,
    /// How success is measured.
    pub outcome: Option<Outcome>,
    /// What happens, in business words, each bound to tasks of the workflow.
    pub steps: Vec<Step>,
    /// The systems that it touches.
    pub systems: Named<Name, System>,
    /// The data that it moves.
    pub objects: Named<Name, DataObject>,
    /// How events come in.
    pub triggers: Named<Name, TriggerSpec>,
    /// What it publishes of the events that it emits.
    pub publishes: Named<Name, PublicationSpec>,
    /// By what people find its runs.
    pub search_keys: Named<Name, SearchKeySpec>,
    /// The values that its runs read and write.
    pub state: Named<Name, StateSpec>,
    /// Which id in one system is which in another.
    pub crossrefs: Named<Name, CrossrefSpec>,
    /// Which changes of a system are its own.
    pub echo: Named<Name, EchoSpec>,
    /// What keeps events in order.
    pub ordering: Option<Ordering>,
    /// What can go wrong, and what then happens.
    pub failure_modes: Vec<FailureMode>,
    /// Who is asked about runs that cannot go on by themselves, level by level.
    pub escalation: Vec<Escalation>,
    /// When it is good enough.
    pub acceptance: Vec<Acceptance>,
    /// What it must withstand.
    pub nfr: Option<Nfr>,
    /// How much depends on its events coming through when there are too many.
    pub class: Option<Spanned<ServiceClass>>,
    /// What holds it in bounds.
    pub limits: Vec<Limit>,
    /// Rules for calls that tasks take by name.
    pub policies: Named<Name, CallRules>,
    /// Rules for the calls of single tasks.
    pub tasks: Named<String, TaskRules>,
    /// What undoes tasks when a run fails.
    pub compensation: Named<String, CompensationSpec>,
    /// Who answers for what.
    pub owners: Option<Owners>,
    /// How a new version goes live.
    pub rollout: Option<Rollout>,
    /// What is written about changes that break, by the change's id.
    pub breaking_changes: Named<String, BreakingChange>,
    /// Who is told of changes.
    pub communication: Option<Communication>,
    /// How often all of this is looked at again.
    pub review: Option<Review>,
    /// Whether the lives of its runs and tasks are told on the event bus.
    pub lifecycle_events: bool,
    /// What the workflow's `$secrets` refer to.
    pub secrets: Named<String, Spanned<SecretRef>>,
}

impl Record for Integration {
    const NAME: &'static str = "integration";
    const DOC: &'static str = "An integration: its brief in business words and its governance.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let name = f.required("name", "The integration's name; the same as its folder's.");
        let version = f.required("version", "The integration's version, as its owner declares it.");
        let purpose =
            f.required("purpose", "What the integration accomplishes, in business words.");
        let outcome = f.required("outcome", "How success is measured.");
        let steps = f.required(
            "steps",
            "What happens, in business words, each bound to tasks of the workflow.",
        );
        let systems = f.required("systems", "The systems that the integration touches, by name.");
        let objects = f.several("objects", "The data that the integration moves, by name.");
        let triggers = f.required("triggers", "How events come in, by name.");
        let publishes = f.several(
            "publishes",
            "What is published of the events that the workflow emits, by name.",
        );
        let search_keys = f.several(
            "search_keys",
            "By what people find runs: jq over the event, or over the answer to a task's call, by name.",
        );
        let state = f.several("state", "Values by key that runs of the integration keep, by name.");
        let crossrefs =
            f.several("crossrefs", "Which id in one system is which in another: tables, by name.");
        let echo = f.several(
            "echo",
            "Which changes of a system are the integration's own and begin no run, by system.",
        );
        let ordering = f.optional("ordering", "What keeps events in order.");
        let failure_modes = f.several("failure_modes", "What can go wrong, and what then happens.");
        let escalation = f.several(
            "escalation",
            "Who is asked about runs that cannot go on by themselves, level by level; and about tasks that name nobody else.",
        );
        let acceptance = f.several("acceptance", "When the integration is good enough.");
        let nfr = f.optional("nfr", "Non-functional requirements.");
        let class =
            f.optional("class", "What it is when there is too much; `standard` when left out.");
        let limits = f.several("limits", "What holds the integration in bounds.");
        let policies = f.several("policies", "Rules for calls that tasks take by name.");
        let tasks =
            f.several("tasks", "Rules for the calls of single tasks, by task name or pointer.");
        let compensation = f.several(
            "compensation",
            "What undoes tasks when a run fails or is cancelled so, by task name or pointer.",
        );
        let owners = f.required("owners", "Who answers for what.");
        let rollout = f.optional("rollout", "How a new version goes live.");
        let breaking_changes = f.several(
            "breaking_changes",
            "What is written about changes that break others, by the id that `qc gate` prints.",
        );
        let communication = f.optional("communication", "Who is told of changes.");
        let review = f.optional("review", "How often all of this is looked at again.");
        let secrets = f.several("secrets", "What the workflow's `$secrets` refer to.");
        let lifecycle_events = f.optional(
            "lifecycle_events",
            "Whether the lives of its runs and tasks are told on the event bus; false when left out.",
        );
        Some(Self {
            name,
            version,
            purpose,
            outcome,
            steps: steps.unwrap_or_default(),
            systems: systems.unwrap_or_default(),
            objects,
            triggers: triggers.unwrap_or_default(),
            publishes,
            search_keys,
            state,
            crossrefs,
            echo,
            ordering,
            failure_modes,
            escalation,
            acceptance,
            nfr,
            class,
            limits,
            policies,
            tasks,
            compensation,
            owners,
            rollout,
            breaking_changes,
            communication,
            review,
            lifecycle_events: lifecycle_events.unwrap_or(false),
            secrets,
        })
    }
}
