//! Events on their way out. What a workflow emits and its release publishes is written, in the commit of the step that
//! emits it, into the outbox of each publication; whoever sends it on moves a durable cursor after the receiver's word.
//!
//! The release to which the run is pinned says what is published; the release that is deployed says where to.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use qc_expression::Expression;
use qc_model::{EnvironmentName, Name, RunId, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, RunFacts, Signal,
    SignalFilter, StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{BrokerAccess, Engine, Release, Tie, codes, record, start::over_event};

/// What an integration publishes.
#[derive(Debug)]
pub struct Publication {
    /// The type of the events.
    pub kind: String,
    /// Where they go.
    pub to: Target,
}

/// Where events go.
#[derive(Debug)]
pub enum Target {
    /// An exchange of an AMQP 0-9-1 broker.
    Amqp {
        /// The broker.
        broker: BrokerAccess,
        /// The exchange; it must be there.
        exchange: String,
        /// The routing key, over the event.
        routing_key: Expression,
    },
}

/// The cursors' kind.
const CURSOR: &str = "publish-cursor";
/// The version that is written of cursors and of what waits.
const VERSION: u32 = 1;
/// How long an event waits at most for a receiver that is away.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How many events are read at a time.
const PAGE: usize = 100;
/// The longest routing key, in bytes.
const ROUTING_KEY: usize = 255;
/// The longest text that a store indexes, in bytes.
const INDEXED: usize = qc_store::TEXT_BYTES_MAX;

/// What waits in an outbox.
#[derive(Serialize, Deserialize)]
struct Waiting {
    v: u32,
    tenant: TenantName,
    run: RunId,
    event: Value,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    v: u32,
    seq: u64,
}

/// An event in an outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// Its place; rises.
    pub seq: u64,
    /// Whose it is.
    pub tenant: TenantName,
    /// The run that emitted it.
    pub run: RunId,
    /// The CloudEvent, structured.
    pub event: Value,
}

/// What became of an event, for the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Departure {
    /// The event.
    pub entry: OutboxEntry,
    /// Where it went, or why it cannot go anywhere.
    pub result: Result<String, String>,
}

/// The events of one publication that wait to be sent on.
#[derive(Clone)]
pub struct Outbox {
    engine: Engine,
    tie: Tie,
}

/// What an emitted event writes for the publications of its release: what `lets` makes of it for each of them.
pub(crate) fn signals(
    release: &Release,
    facts: &RunFacts,
    at: Timestamp,
    event: &Value,
    mut lets: impl FnMut(&Name, &Value) -> Option<Value>,
) -> Vec<Signal> {
    let kind = event["type"].as_str().unwrap_or_default();
    let wanted = release.publications.iter().filter(|(_, publication)| publication.kind == kind);
    let mut signals = Vec::new();
    for (name, _) in wanted {
        let Some(event) = lets(name, event) else { continue };
        let id = identity(&event);
        let waiting = Waiting { v: VERSION, tenant: facts.tenant.clone(), run: facts.id, event };
        signals.push(Signal {
            scope: scope(&facts.environment, &facts.integration, name),
            kind: kind.to_owned(),
            id,
            at,
            body: Bytes::from(serde_json::to_vec(&waiting).expect("plain data")),
            expires_at: at + KEPT,
        });
    }
    signals
}

/// A CloudEvent is known by its source and id; a long pair by its hash.
fn identity(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let pair = format!("{} {}", text("source"), text("id"));
    if pair.len() <= INDEXED {
        return pair;
    }
    format!("sha256:{}", record::hex(digest(&SHA256, pair.as_bytes()).as_ref()))
}

fn scope(environment: &EnvironmentName, integration: &Name, publication: &Name) -> String {
    format!("publish:{environment}/{integration}/{publication}")
}

impl Publication {
    /// The routing key of an event; an error says why there is none.
    pub fn routing_key(&self, event: &Value, at: Timestamp) -> Result<String, String> {
        let Target::Amqp { routing_key, .. } = &self.to;
        let why = match over_event(routing_key, event, at) {
            Ok(Value::String(key)) if key.len() <= ROUTING_KEY => return Ok(key),
            Ok(Value::String(key)) => {
                format!("it gives {} bytes of at most {ROUTING_KEY}", key.len())
            }
            Ok(_) => "it gives no text".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(format!(
            "the routing key `{}` cannot be used on the event: {why}",
            routing_key.source()
        ))
    }
}

impl Engine {
    /// The outbox of a publication.
    pub fn outbox(&self, tie: Tie) -> Outbox {
        Outbox { engine: self.clone(), tie }
    }

    /// Whether this node is the one that sends on what waits there.
    pub fn sends(&self, tie: &Tie) -> bool {
        self.may_tend(tie)
    }

    /// Hears of every commit of this node that added events to outboxes.
    pub fn emissions(&self) -> watch::Receiver<u64> {
        self.shared.emitted.subscribe()
    }
}

impl Outbox {
    fn name(&self) -> String {
        let Tie { environment, integration, name, .. } = &self.tie;
        format!("{environment}/{integration}/{name}")
    }

    async fn cursor(&self) -> Result<(u64, Expect), StoreError> {
        let name = self.name();
        let Some(document) = self.engine.shared.store.document(CURSOR, &name).await? else {
            return Ok((0, Expect::Absent));
        };
        let cursor: Cursor = serde_json::from_slice(&document.body)
            .ok()
            .filter(|cursor: &Cursor| cursor.v == VERSION)
            .ok_or_else(|| StoreError::Corrupt(format!("the {CURSOR} {name} cannot be read")))?;
        Ok((cursor.seq, Expect::Revision(document.revision)))
    }

    /// The next events that wait, in order, a page at most.
    pub async fn waiting(&self) -> Result<Vec<OutboxEntry>, StoreError> {
        let (after, _) = self.cursor().await?;
        let Tie { environment, integration, name, .. } = &self.tie;
        let filter = SignalFilter {
            scope: Some(scope(environment, integration, name)),
            after,
            limit: PAGE,
            ..SignalFilter::default()
        };
        let found = self.engine.shared.store.signals(&filter).await?;
        found
            .into_iter()
            .map(|found| {
                let waiting: Waiting = serde_json::from_slice(&found.signal.body)
                    .ok()
                    .filter(|waiting: &Waiting| waiting.v == VERSION)
                    .ok_or_else(|| {
                        StoreError::Corrupt(format!("what waits at {} cannot be read", found.seq))
                    })?;
                let Waiting { tenant, run, event, .. } = waiting;
                Ok(OutboxEntry { seq: found.seq, tenant, run, event })
            })
            .collect()
    }

    /// Says what became of the next events; the cursor moves behind the last of them. False: another node has moved it
    /// meanwhile, and nothing was written.
    pub async fn departed(&self, departures: &[Departure]) -> Result<bool, StoreError> {
        let Some(last) = departures.last() else { return Ok(true) };
        let shared = &self.engine.shared;
        let (seq, expect) = self.cursor().await?;
        if departures.first().is_some_and(|first| first.entry.seq <= seq) {
            return Ok(false);
        }
        let at = shared.now();
        let cursor = Cursor { v: VERSION, seq: last.entry.seq };
        let put = DocumentOp::Put {
            kind: CURSOR.to_owned(),
            name: self.name(),
            expect,
            body: Bytes::from(serde_json::to_vec(&cursor).expect("plain data")),
            at,
        };
        let change = Change {
            id: TxnId::new(at, &*shared.entropy),
            documents: vec![put],
            ledger: departures.iter().map(|departure| self.row(departure, at)).collect(),
            signals: Vec::new(),
        };
        Ok(shared.committer.change(change).await? == ChangeOutcome::Changed)
    }

    fn row(&self, departure: &Departure, at: Timestamp) -> LedgerRow {
        let OutboxEntry { tenant, run, event, .. } = &departure.entry;
        let mut facts =
            json!({ "id": event["id"], "source": event["source"], "type": event["type"] });
        let (outcome, code) = match &departure.result {
            Ok(to) => {
                facts["to"] = json!(to);
                ("published", None)
            }
            Err(why) => {
                facts["detail"] = json!(why);
                ("unpublished", Some(codes::UNROUTABLE.to_string()))
            }
        };
        LedgerRow {
            at,
            kind: LedgerKind::Event,
            tenant: tenant.clone(),
            environment: Some(self.tie.environment.clone()),
            integration: Some(self.tie.integration.clone()),
            run: Some(*run),
            event: None,
            actor: record::engine_of(&self.engine.shared.settings.node),
            subject: self.tie.name.to_string(),
            outcome: outcome.to_owned(),
            code,
            facts: Bytes::from(facts.to_string()),
        }
    }
}
