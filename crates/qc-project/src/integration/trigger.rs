//! Triggers.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_engine::{Does, OnFailure};
use serde_json::Value;

use super::{
    AmqpSpec, EventSpec, PollSpec, ScheduleSpec, TenantSpec,
    schedule::SCHEDULE_KEYS,
    subscription::EVENT_KEYS,
    trigger_auth::{Coming, TriggerAccess},
};
use crate::codes;
use crate::shape::{
    ByteSize, Definitions, Fields, Integer, Jq, ProjectPath, Rate, Record, Shape, Spanned,
    read_word, word_schema,
};

/// How events of one kind come in.
#[derive(Debug, Clone)]
pub struct TriggerSpec {
    /// The form of what comes in.
    pub form: TriggerForm,
    /// Who may send.
    pub access: Spanned<TriggerAccess>,
    /// Whose event it is.
    pub tenant: TenantSpec,
    /// The contract of the event's data.
    pub contract: Option<ProjectPath>,
    /// The versions of the contract that are served side by side.
    pub versions: Option<ProjectPath>,
    /// What makes a repeat recognisable.
    pub idempotency: Option<Idempotency>,
    /// What the event is about.
    pub subject: Option<Jq>,
    /// The workflow's input from the event; its data when left out.
    pub input: Option<Jq>,
    /// How many events are expected.
    pub expected_rate: Option<Rate>,
    /// How they come.
    pub traffic: Option<TrafficProfile>,
    /// The largest body.
    pub body_limit: ByteSize,
    /// What becomes of the event.
    pub does: Spanned<Does>,
    /// How many units of each limit one event takes.
    pub cost: Spanned<Integer<1, 1_000>>,
    /// Where the trigger stands.
    pub span: qc_document::Span,
}

/// The form of what comes in.
#[derive(Debug, Clone)]
pub enum TriggerForm {
    /// CloudEvents over HTTP.
    CloudEvents {
        /// The accepted types; all when empty.
        types: Vec<Spanned<String>>,
        /// The handshake that the sender starts, as `qc-connect` reads it.
        challenge: Option<Node>,
    },
    /// A plain JSON body.
    Json {
        /// The type of the event that it becomes.
        event_type: String,
    },
    /// A provider's webhook.
    Webhook {
        /// The event's type, over `{headers, body}`.
        event_type: Jq,
        /// The delivery's id, over the same.
        event_id: Option<Jq>,
        /// The handshake that the provider starts, as `qc-connect` reads it.
        challenge: Option<Node>,
    },
    /// Messages of a queue: CloudEvents, or plain JSON when a type is given.
    Amqp {
        /// The queue.
        source: AmqpSpec,
        /// The accepted types of CloudEvents; all when empty.
        types: Vec<Spanned<String>>,
        /// The type of the events that plain JSON becomes.
        event_type: Option<String>,
    },
    /// Items of another system's list.
    Poll {
        /// What is asked.
        poll: Box<PollSpec>,
        /// The type of the event that an item becomes.
        event_type: String,
    },
    /// Nothing comes in: it is time.
    Schedule(ScheduleSpec),
    /// An event of the bus.
    Event(EventSpec),
}

/// What makes a repeat of an event recognisable.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The key, over the event.
    pub key: Jq,
    /// How long it is remembered.
    pub window: Duration,
}

/// What keeps events in order.
#[derive(Debug, Clone)]
pub struct Ordering {
    /// Events with the same key are worked on one after the other.
    pub key: Jq,
    /// What becomes of those behind a run that fails.
    pub on_failure: OnFailure,
}

/// How events come over time.
#[derive(Debug, Clone)]
pub struct TrafficProfile {
    /// The highest rate.
    pub peak: Rate,
    /// How long a peak lasts.
    pub peak_lasts: Option<Duration>,
    /// The usual size of a body.
    pub typical_size: Option<ByteSize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CloudEvents,
    Json,
    Webhook,
    Amqp,
    Poll,
    Schedule,
    Event,
}

impl Kind {
    fn coming(self) -> Coming {
        match self {
            Self::Amqp | Self::Poll => Coming::Fetched,
            Self::Schedule | Self::Event => Coming::Timed,
            Self::CloudEvents | Self::Json | Self::Webhook => Coming::Sent,
        }
    }
}

const KINDS: &[(&str, Kind)] = &[
    ("cloudevents", Kind::CloudEvents),
    ("json", Kind::Json),
    ("webhook", Kind::Webhook),
    ("amqp", Kind::Amqp),
    ("poll", Kind::Poll),
    ("schedule", Kind::Schedule),
    ("event", Kind::Event),
];

/// What has no meaning when nothing comes in.
const OF_REQUESTS: [&str; 17] = [
    "cost",
    "types",
    "event_type",
    "event_id",
    "challenge",
    "auth",
    "signature",
    "secret",
    "contract",
    "versions",
    "idempotency",
    "expected_rate",
    "traffic",
    "body_limit",
    "amqp",
    "poll",
    "does",
];

/// What has no meaning for a poll: nobody sends its items, so nobody signs them, asks first or says a version.
const OF_SENDERS: [&str; 10] = [
    "cost",
    "types",
    "event_id",
    "challenge",
    "auth",
    "signature",
    "secret",
    "amqp",
    "does",
    "versions",
];

/// What has no meaning for an event of the bus: who publishes it has the platform's word for it, and it is recognised by
/// its own id.
const OF_DOORS: [&str; 13] = [
    "cost",
    "event_type",
    "event_id",
    "challenge",
    "auth",
    "signature",
    "secret",
    "versions",
    "idempotency",
    "body_limit",
    "amqp",
    "poll",
    "does",
];

const DOES: &[(&str, Does)] =
    &[("start", Does::Start), ("publish", Does::Publish), ("both", Does::Both)];

impl Shape for Does {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(DOES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(DOES)
    }
}

const DEFAULT_BODY: ByteSize = ByteSize(256 << 10);

impl Shape for Kind {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(KINDS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(KINDS)
    }
}

impl Record for TriggerSpec {
    const NAME: &'static str = "trigger";
    const DOC: &'static str = "How events of one kind come in.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let span = f.span();
        let kind = f.required("kind", "The form of what comes in.");
        let form = read_form(f, kind);
        let access = TriggerAccess::of_fields(f, kind.map(Kind::coming));
        let tenant = read_tenant(f, kind);
        let contract =
            f.optional("contract", "The JSON Schema of the event's data, a file of this folder.");
        let versions: Option<ProjectPath> = f.optional(
            "versions",
            "The versions of the contract that are served side by side: a file of this folder, `contracts/<name>.versions.yaml`.",
        );
        if let (Some(versions), false) = (&versions, f.has("contract")) {
            f.report(
                qc_document::codes::MISSING_KEY,
                versions.span,
                "`versions` needs `contract`",
                "it is that of the current version, with which the workflow works",
            );
        }
        let idempotency = f.optional("idempotency", "What makes a repeat recognisable.");
        if kind == Some(Kind::Poll) && !f.has("idempotency") {
            f.report(
                qc_document::codes::MISSING_KEY,
                span,
                "a trigger of kind `poll` needs `idempotency`",
                "after a crash the same items are read again, and only their keys tell",
            );
        }
        let subject = f.optional("subject", "What the event is about: jq over the event.");
        let input =
            f.optional("input", "The workflow's input: jq over the event; its data when left out.");
        let expected_rate = f.optional("expected_rate", "How many events are expected.");
        let traffic = f.optional("traffic", "How events come over time.");
        let body_limit = f.optional("body_limit", "The largest body; 256KiB when left out.");
        let does = f.optional(
            "does",
            "Whether the event starts a run, is published on the bus, or both; `start` when left out.",
        );
        let cost = f.optional(
            "cost",
            "How many units of each limit that counts over time one event takes; 1 when left out.",
        );
        Some(Self {
            form: form?,
            access: access?,
            tenant: tenant?,
            contract,
            versions,
            idempotency,
            subject,
            input,
            expected_rate,
            traffic,
            body_limit: body_limit.unwrap_or(DEFAULT_BODY),
            does: does.unwrap_or(Spanned { value: Does::Start, span }),
            cost: cost.unwrap_or(Spanned { value: Integer(1), span }),
            span,
        })
    }
}

/// Whose event it is. One of the bus is its own tenant's.
fn read_tenant(f: &mut Fields<'_, '_>, kind: Option<Kind>) -> Option<TenantSpec> {
    let tenant = f.optional(
        "tenant",
        "Whose event it is: a tenant's name, or `{from: <jq over the event>}`. Needed but for `event`, where it restricts.",
    );
    if tenant.is_none() && !f.has("tenant") {
        if kind == Some(Kind::Event) {
            return Some(TenantSpec::OfEvent);
        }
        let help = "everything in flight and at rest belongs to a tenant";
        let message = "the trigger needs `tenant`";
        f.report(qc_document::codes::MISSING_KEY, f.span(), message, help);
    }
    tenant
}

fn read_form(f: &mut Fields<'_, '_>, kind: Option<Kind>) -> Option<TriggerForm> {
    let types: Vec<Spanned<String>> =
        f.several("types", "For CloudEvents: the accepted types; all when left out. For `event`: those that begin a run.");
    let event_type: Option<Jq> = f.optional(
        "event_type",
        "For `json`, `poll`, and plain JSON of `amqp`: the event's type. For `webhook`: jq over `{headers, body}`.",
    );
    let event_id =
        f.optional("event_id", "For `webhook`: the delivery's id, jq over `{headers, body}`.");
    let challenge: Option<Node> = f.optional(
        "challenge",
        "For `cloudevents` and `webhook`: the handshake that the sender starts.",
    );
    let amqp: Option<AmqpSpec> = f.optional("amqp", "For `amqp`: the queue.");
    let poll: Option<PollSpec> = f.optional("poll", "For `poll`: what is asked, and how often.");
    let schedule = ScheduleSpec::of_fields(f);
    let event = EventSpec::of_fields(f);
    let kind = kind?;
    let misplaced: &[&str] = match kind {
        Kind::CloudEvents => &["event_type", "event_id", "amqp", "poll"],
        Kind::Json => &["types", "event_id", "challenge", "amqp", "poll"],
        Kind::Webhook => &["types", "amqp", "poll"],
        Kind::Amqp if f.has("event_type") => {
            &["types", "event_id", "challenge", "auth", "signature", "secret", "poll"]
        }
        Kind::Amqp => &["event_id", "challenge", "auth", "signature", "secret", "poll"],
        Kind::Poll => &OF_SENDERS,
        Kind::Schedule => &OF_REQUESTS,
        Kind::Event => &OF_DOORS,
    };
    let timed: &[&str] = if kind == Kind::Schedule { &[] } else { &SCHEDULE_KEYS };
    let of_bus: &[&str] = if kind == Kind::Event { &[] } else { &EVENT_KEYS };
    let misplaced: Vec<&str> = misplaced.iter().chain(timed).chain(of_bus).copied().collect();
    for key in misplaced.iter().filter(|key| f.has(key)) {
        let word = KINDS.iter().find(|(_, k)| *k == kind).map_or("", |(word, _)| word);
        let message = format!("`{key}` has no meaning for a trigger of kind `{word}`");
        f.report(codes::MISPLACED_KEY, f.span(), message, "remove it, or change the `kind`");
    }
    let needs_type = || {
        f.report(
            qc_document::codes::MISSING_KEY,
            f.span(),
            "the trigger needs `event_type`",
            "events of every kind have a type by which people and metrics know them",
        );
    };
    for (own, key) in [(Kind::Amqp, "amqp"), (Kind::Poll, "poll")] {
        if kind == own && !f.has(key) {
            let message = format!("a trigger of kind `{key}` needs `{key}`");
            let help = "say where the events come from";
            f.report(qc_document::codes::MISSING_KEY, f.span(), message, help);
        }
    }
    match (kind, event_type) {
        (Kind::Schedule, _) => Some(TriggerForm::Schedule(schedule)),
        (Kind::Event, _) if types.is_empty() => {
            let message = "the trigger needs `types`";
            let help = "name the types of the events that begin a run; `qc events list` shows which there are";
            f.report(qc_document::codes::MISSING_KEY, f.span(), message, help);
            None
        }
        (Kind::Event, _) => Some(TriggerForm::Event(EventSpec { types, ..event })),
        (Kind::CloudEvents, _) => Some(TriggerForm::CloudEvents { types, challenge }),
        (Kind::Json, Some(event_type)) => Some(TriggerForm::Json { event_type: event_type.source }),
        (Kind::Webhook, Some(event_type)) => {
            Some(TriggerForm::Webhook { event_type, event_id, challenge })
        }
        (Kind::Amqp, event_type) => Some(TriggerForm::Amqp {
            source: amqp?,
            types,
            event_type: event_type.map(|text| text.source),
        }),
        (Kind::Poll, Some(event_type)) => {
            Some(TriggerForm::Poll { poll: Box::new(poll?), event_type: event_type.source })
        }
        (Kind::Json | Kind::Webhook | Kind::Poll, None) => {
            needs_type();
            None
        }
    }
}

impl Record for Idempotency {
    const NAME: &'static str = "idempotency";
    const DOC: &'static str = "What makes a repeat of an event recognisable.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let key = f.required("key", "The key: jq over the event, such as `.data.case_id`.");
        let window = f.required("window", "How long it is remembered.");
        Some(Self { key: key?, window: window? })
    }
}

const ON_FAILURE: &[(&str, OnFailure)] =
    &[("block", OnFailure::Block), ("skip", OnFailure::Skip), ("park", OnFailure::Park)];

impl Shape for OnFailure {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(ON_FAILURE, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(ON_FAILURE)
    }
}

impl Record for Ordering {
    const NAME: &'static str = "ordering";
    const DOC: &'static str = "What keeps events in order.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let key = f.required("key", "Events with the same key are worked on one after the other.");
        let on_failure = f.optional(
            "on_failure",
            "What becomes of those behind a run that fails: with `block` (when left out) they wait until its dead letter is dealt with, with `skip` the next one begins, with `park` they wait until somebody decides about the key.",
        );
        Some(Self { key: key?, on_failure: on_failure.unwrap_or_default() })
    }
}

impl Record for TrafficProfile {
    const NAME: &'static str = "traffic";
    const DOC: &'static str = "How events come over time.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let peak = f.required("peak", "The highest rate.");
        let peak_lasts = f.optional("peak_lasts", "How long a peak lasts.");
        let typical_size = f.optional("typical_size", "The usual size of a body.");
        Some(Self { peak: peak?, peak_lasts, typical_size })
    }
}
