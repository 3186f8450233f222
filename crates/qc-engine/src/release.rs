use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_connect::{
    call::Connectors,
    webhook::{Challenge, SignatureScheme},
};
use qc_contract::Schema;
use qc_expression::Expression;
use qc_model::{EnvironmentName, Name, TenantName};
use qc_store::Priority;
use qc_vault::SecretRef;
use qc_version::Versions;
use qc_workflow::{Program, QuietHours};
use serde_json::Value;

use crate::{AmqpTrigger, Bus, DataRules, Kept, People, PollTrigger, Publication, SearchKey};

/// A release as it runs: everything compiled, nothing fetched. Runs are pinned to it by its hash.
#[derive(Debug)]
pub struct Release {
    /// Content hash of the bundle: hex SHA-256.
    pub hash: String,
    /// The integration.
    pub integration: Name,
    /// The integration's version, as its owner declares it.
    pub version: String,
    /// The compiled workflow.
    pub program: Arc<Program>,
    /// The connectors that it uses, with only the operations that it uses.
    pub connectors: Arc<Connectors>,
    /// How events come in.
    pub triggers: BTreeMap<Name, Trigger>,
    /// What it publishes of the events that it emits, by name.
    pub publications: BTreeMap<Name, Publication>,
    /// What it keeps between runs.
    pub kept: Kept,
    /// What keeps its events in order, when something does.
    pub ordering: Option<OrderingRule>,
    /// By what its runs are found.
    pub search_keys: Vec<SearchKey>,
    /// What each secret of the workflow (`$secrets.x`) refers to.
    pub secrets: Arc<BTreeMap<String, SecretRef>>,
    /// Who owns it: shown with every failure.
    pub owner: Option<String>,
    /// Who can be asked, and who takes over when automation cannot go on.
    pub people: People,
    /// Who owns each system that it calls, by connector: named in failures of that hop.
    pub system_owners: BTreeMap<String, String>,
    /// What it has on the event bus.
    pub bus: Bus,
    /// The classes of its data, and where that may go.
    pub data: DataRules,
    /// How much of its events comes in.
    pub limits: Vec<qc_limit::Rule>,
    /// How much depends on its events when there are too many.
    pub class: ServiceClass,
    /// How long a run may take from its event to its end.
    pub deadline: Option<Duration>,
    /// In which hours which tasks make no calls, by the task's pointer.
    pub quiet: BTreeMap<String, QuietHours>,
}

/// How much depends on an integration's events when the server cannot take all that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ServiceClass {
    /// They may wait: they are refused first, and their runs go behind the others.
    Deferrable,
    /// As usual.
    #[default]
    Standard,
    /// They have a share that is kept for them, and their runs go before the others.
    Critical,
}

impl ServiceClass {
    /// All, those first that are refused first.
    pub const ALL: [Self; 3] = [Self::Deferrable, Self::Standard, Self::Critical];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deferrable => "deferrable",
            Self::Standard => "standard",
            Self::Critical => "critical",
        }
    }

    /// How runs of this class stand among others when something is scarce, where their sender asked for this priority.
    pub fn priority(self, asked: Priority) -> Priority {
        match (self, asked) {
            (Self::Deferrable, _) | (_, Priority::Low) => Priority::Low,
            (Self::Critical, _) => Priority::High,
            (Self::Standard, asked) => asked,
        }
    }
}

/// A release in an environment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The environment.
    pub environment: EnvironmentName,
    /// The environment's variables (hosts, channels; no secrets).
    pub vars: Arc<BTreeMap<String, Value>>,
    /// Whether canary calls are made there.
    pub canaries: bool,
    /// The release.
    pub release: Arc<Release>,
}

/// What keeps an integration's events in order: those of one key are worked on one after the other.
#[derive(Debug)]
pub struct OrderingRule {
    /// The key, over the event; a string or a number.
    pub key: Expression,
    /// What becomes of those behind a run that fails.
    pub on_failure: OnFailure,
}

/// What becomes of those behind a run that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// They wait until the dead letter is dealt with.
    #[default]
    Block,
    /// The next one begins.
    Skip,
    /// They wait until somebody decides about the key.
    Park,
}

/// How events of one kind come in.
#[derive(Debug)]
pub struct Trigger {
    /// Its name, part of its URL.
    pub name: Name,
    /// The form of what comes in.
    pub kind: TriggerKind,
    /// Who may send.
    pub auth: TriggerAuth,
    /// Whose event it is.
    pub tenant: TenantRule,
    /// What makes a repeat recognisable.
    pub idempotency: Option<Idempotency>,
    /// What the event is about in business words; over the event (`.data.case_id`).
    pub subject: Option<Expression>,
    /// The contract of the event's data, with which the workflow works.
    pub contract: Option<Schema>,
    /// The versions of the contract that senders may speak; that one is the current of them.
    pub versions: Option<Arc<Versions>>,
    /// The workflow's input from the event; the event's data when absent.
    pub input: Option<Expression>,
    /// The largest body in bytes.
    pub body_limit: usize,
    /// What becomes of the event.
    pub does: Does,
    /// How many units of each limit one event takes.
    pub cost: u64,
    /// How many events are declared to come.
    pub traffic: Traffic,
}

/// How many events are declared to come in at a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traffic {
    /// Usually, in events a second.
    pub average: Option<f64>,
    /// At most, in events a second.
    pub peak: Option<f64>,
    /// How long a peak lasts; None: nobody said.
    pub peak_lasts: Option<Duration>,
    /// How many may come at once besides.
    pub burst: u64,
}

/// What becomes of an event that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Does {
    /// A run begins with it.
    #[default]
    Start,
    /// It is published on the bus of its tenant, for those who listen and those who subscribed.
    Publish,
    /// Both, in one commit.
    Both,
}

/// The form of what comes in.
#[derive(Debug)]
pub enum TriggerKind {
    /// CloudEvents over HTTP: binary, structured or batched; only these types when some are named.
    CloudEvents {
        /// The accepted types.
        types: Vec<String>,
        /// The handshake that the sender starts.
        challenge: Option<Challenge>,
    },
    /// A plain JSON body, wrapped as an event of this type.
    Json {
        /// The event's type.
        event_type: String,
    },
    /// A provider's webhook, wrapped as an event.
    Webhook {
        /// The event's type, over `{headers, body}` with lower-case header names.
        event_type: Expression,
        /// The delivery's id, over the same; the sender's key when the trigger declares none.
        event_id: Option<Expression>,
        /// The handshake that the provider starts.
        challenge: Option<Challenge>,
    },
    /// Messages from a queue of a broker.
    Amqp(AmqpTrigger),
    /// Items of another system's list, asked for again and again.
    Poll(Box<PollTrigger>),
}

impl TriggerKind {
    /// Whether events come over HTTP; the platform fetches the others by itself.
    pub fn is_sent(&self) -> bool {
        match self {
            Self::CloudEvents { .. } | Self::Json { .. } | Self::Webhook { .. } => true,
            Self::Amqp(_) | Self::Poll(_) => false,
        }
    }
}

/// Who may send.
#[derive(Debug)]
pub enum TriggerAuth {
    /// A holder of an API token with the scope to send to this trigger.
    Token,
    /// Whoever signs with the secret.
    Signature {
        /// How.
        scheme: SignatureScheme,
        /// With what.
        secret: SecretRef,
    },
    /// Anybody; declared on purpose, and a finding.
    Open,
    /// Nobody: the platform fetches the events by itself.
    Fetched,
}

/// How the tenant of an event is found.
#[derive(Debug, Clone)]
pub enum TenantRule {
    /// Always this one.
    Fixed(TenantName),
    /// From an expression over the event; must give a legal name.
    FromEvent(Expression),
}

/// What makes a repeat of an event recognisable.
#[derive(Debug)]
pub struct Idempotency {
    /// The key, over the event; a string or a number.
    pub key: Expression,
    /// How long it is remembered.
    pub window: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_and_what_was_asked_make_a_priority() {
        use Priority::{High, Low, Normal};
        let of = |class: ServiceClass| [High, Normal, Low].map(|asked| class.priority(asked));
        assert_eq!(of(ServiceClass::Deferrable), [Low, Low, Low]);
        assert_eq!(of(ServiceClass::Standard), [High, Normal, Low]);
        assert_eq!(of(ServiceClass::Critical), [High, High, Low]);
    }
}
