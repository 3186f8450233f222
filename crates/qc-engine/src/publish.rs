//! Publishing an event that came in from outside: no run begins, whoever listens or subscribed gets it.

use base64::Engine as _;
use bytes::Bytes;
use qc_model::{EnvironmentName, Name, RunId, TenantName, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, LedgerKind, LedgerRow, Signal, SignalFilter, StoreError};
use serde_json::{Value, json};

use crate::{
    Deployment, Engine, EngineError, Incoming,
    bus::{self, Published, Told},
    record,
};

/// What became of an event that was to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// It is on disk.
    New {
        /// Its id, as its sender or the trigger gave it.
        event: String,
    },
    /// It had come before.
    Repeat {
        /// The id of the first one.
        event: String,
    },
}

impl Engine {
    /// What was published under the key of an event, when it came before.
    ///
    /// Errors: [`EngineError::KeyReusedByEvent`] when its key stands for an event with another body.
    pub async fn published(
        &self,
        deployment: &Deployment,
        incoming: &Incoming,
    ) -> Result<Option<Announced>, EngineError> {
        let signal = incoming_signal(deployment, incoming);
        let Some(known) = self.shared.store.signal(&signal.scope, &signal.id).await? else {
            return Ok(None);
        };
        let Ok(Told::Event(published)) = bus::decode(&known.signal) else { return Ok(None) };
        let event = text_of(&published.event["id"]);
        if published.body_sha256 == Some(hash_of(incoming)) {
            return Ok(Some(Announced::Repeat { event }));
        }
        Err(EngineError::KeyReusedByEvent { event })
    }

    /// Publishes an event. Returns when it is on disk, or known from before.
    ///
    /// Errors: [`EngineError::KeyReusedByEvent`] when its key stands for an event with another body.
    pub async fn publish(
        &self,
        deployment: &Deployment,
        incoming: Incoming,
    ) -> Result<Announced, EngineError> {
        let shared = &self.shared;
        if shared.is_draining() {
            return Err(EngineError::Draining);
        }
        if let Some(known) = self.published(deployment, &incoming).await? {
            return Ok(known);
        }
        let signal = incoming_signal(deployment, &incoming);
        let event = incoming.event.id.clone();
        let change = Change {
            id: TxnId::new(incoming.received_at, &*shared.entropy),
            documents: Vec::new(),
            ledger: vec![row(&shared.settings.ledger_key, deployment, &incoming, &signal)],
            signals: vec![signal],
        };
        match shared.committer.change(change).await? {
            ChangeOutcome::Changed => {
                shared.news.wake();
                Ok(Announced::New { event })
            }
            ChangeOutcome::Conflict { kind, name, .. } => Err(StoreError::Unavailable(format!(
                "the {kind} `{name}` changed meanwhile; try again"
            ))
            .into()),
        }
    }
}

/// An event as it is on a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct BusEvent {
    /// Its place: rises with every event.
    pub seq: u64,
    /// Whose bus.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which integration published it.
    pub integration: Name,
    /// The run that published it; None when it came in from outside.
    pub run: Option<RunId>,
    /// When it was published.
    pub at: Timestamp,
    /// The structured CloudEvent.
    pub event: Value,
}

impl Engine {
    /// Reads the buses, the oldest event first: what comes after a place, of one type when one is named. Also the place
    /// up to which was read, to go on from; None when there was nothing.
    ///
    /// Errors: those of the store.
    pub async fn bus_events(
        &self,
        after: u64,
        event_type: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<BusEvent>, Option<u64>), StoreError> {
        let kind = event_type.map(bus::bounded);
        let filter = SignalFilter { after, kind, limit, ..SignalFilter::default() };
        let page = self.shared.store.signals(&filter).await?;
        let last = page.last().map(|entry| entry.seq);
        let events = page.into_iter().filter_map(|entry| {
            let (tenant, environment) = bus::parts_of(&entry.signal.scope)?;
            let Ok(Told::Event(published)) = bus::decode(&entry.signal) else { return None };
            let Published { event, integration, run, .. } = *published;
            let (seq, at) = (entry.seq, entry.signal.at);
            Some(BusEvent { seq, tenant, environment, integration, run, at, event })
        });
        Ok((events.collect(), last))
    }
}

/// The signal of an event from outside. Its key makes a repeat recognisable; without one its source and id do.
pub(crate) fn incoming_signal(deployment: &Deployment, incoming: &Incoming) -> Signal {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut event = incoming.event.to_structured(encode);
    event.sort_all_objects();
    let integration = deployment.release.integration.clone();
    let id = match &incoming.key {
        Some(key) => format!("{integration}/{} {key}", incoming.trigger),
        None => bus::id_of(&event),
    };
    let body_sha256 = Some(hash_of(incoming));
    let published = Published { event, integration, run: None, body_sha256, hops: incoming.hops };
    let scope = bus::scope_of(&incoming.tenant, &deployment.environment);
    bus::signal(scope, id, incoming.received_at, deployment, published)
}

fn hash_of(incoming: &Incoming) -> String {
    base64::engine::general_purpose::STANDARD.encode(incoming.body_hash)
}

fn text_of(id: &Value) -> String {
    id.as_str().unwrap_or_default().to_owned()
}

fn row(key: &[u8; 32], deployment: &Deployment, incoming: &Incoming, signal: &Signal) -> LedgerRow {
    let event = incoming
        .event
        .to_structured(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
    let payload = record::canonical_payload(&event);
    let mut details = json!({
        "bytes": signal.body.len(),
        "id": incoming.event.id,
        "type": incoming.event.kind,
        "payload_hmac": record::payload_hash(key, &incoming.tenant, payload.as_bytes()),
    });
    if let Some(version) = &incoming.version {
        details[record::CONTRACT_VERSION] = json!(version);
    }
    LedgerRow {
        at: incoming.received_at,
        kind: LedgerKind::Event,
        tenant: incoming.tenant.clone(),
        environment: Some(deployment.environment.clone()),
        integration: Some(deployment.release.integration.clone()),
        run: None,
        event: None,
        actor: incoming.actor.text(),
        subject: incoming.trigger.to_string(),
        outcome: "published".to_owned(),
        code: None,
        facts: Bytes::from(details.to_string()),
    }
}
