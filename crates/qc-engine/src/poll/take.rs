//! Takes the items of an answer as events, and moves the cursor with the last of them.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::join_all;
use qc_model::{Actor, Event, EventData, EventId, TxnId};
use qc_store::{Change, ChangeOutcome, DocumentOp, LedgerRow, Priority, StoreError};
use serde_json::Value;

use super::{PollTrigger, cursor::KIND};
use crate::{Accepted, Deployment, Engine, EngineError, Incoming, Refused, Trigger, judge};

/// How many events are accepted at a time.
const AT_A_TIME: usize = 64;

/// How many ledger rows wait for the cursor's commit.
const ROWS: usize = 1_000;

/// What became of the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    pub(super) new: usize,
    pub(super) repeated: usize,
    pub(super) refused: usize,
}

/// An item that may be accepted.
struct Ready {
    incoming: Incoming,
    body: Vec<u8>,
}

/// One poll's items on their way.
pub(super) struct Taking<'a> {
    pub(super) engine: &'a Engine,
    pub(super) deployment: &'a Arc<Deployment>,
    pub(super) trigger: &'a Trigger,
    pub(super) poll: &'a PollTrigger,
    pub(super) actor: Actor,
    pub(super) taken: Taken,
    /// What the ledger will say when the cursor moves.
    pub(super) rows: Vec<LedgerRow>,
}

impl Taking<'_> {
    /// Accepts all items, then moves the cursor: in the commit of the last event when that is a new one, else in one of
    /// its own. Nothing is moved when anything failed.
    pub(super) async fn take(
        &mut self,
        items: Vec<Value>,
        cursor: Option<DocumentOp>,
    ) -> Result<(), EngineError> {
        let mut ready = Vec::with_capacity(items.len());
        for item in items {
            ready.extend(self.judge(item).await?);
            if self.rows.len() >= ROWS {
                self.settle(None).await?;
                self.rows.clear();
            }
        }
        let last = ready.pop();
        while !ready.is_empty() {
            let some: Vec<Ready> = ready.drain(..ready.len().min(AT_A_TIME)).collect();
            let accepting = some.iter().map(|one| {
                self.engine.accept_with(
                    self.deployment,
                    one.incoming.clone(),
                    Vec::new(),
                    Vec::new(),
                )
            });
            let outcomes = join_all(accepting).await;
            for (one, outcome) in some.iter().zip(outcomes) {
                self.count(one, outcome)?;
            }
        }
        let Some(last) = last else { return self.settle(cursor).await };
        let documents: Vec<DocumentOp> = cursor.iter().cloned().collect();
        let rows = self.rows.clone();
        let accepting =
            self.engine.accept_with(self.deployment, last.incoming.clone(), documents, rows);
        match accepting.await {
            Ok(Accepted::New { .. }) => {
                self.arrived();
                Ok(())
            }
            other => {
                self.count(&last, other)?;
                self.settle(cursor).await
            }
        }
    }

    /// A new event came.
    fn arrived(&mut self) {
        self.taken.new += 1;
        if let Some(arrivals) = self.engine.shared.arrivals.get() {
            arrivals.came(self.deployment, self.trigger);
        }
    }

    /// Looks at an item as at an event that came; nothing when it is not taken.
    async fn judge(&mut self, item: Value) -> Result<Option<Ready>, EngineError> {
        let shared = &self.engine.shared;
        // Equal items have one text, in whichever order their keys came.
        let mut sorted = item.clone();
        sorted.sort_all_objects();
        let (at, body) = (shared.now(), sorted.to_string().into_bytes());
        let Deployment { environment, release, .. } = &**self.deployment;
        let mut event = Event {
            id: EventId::new(at, &*shared.entropy).to_string(),
            source: format!("/in/{environment}/{}/{}", release.integration, self.trigger.name),
            kind: self.poll.event_type.clone(),
            subject: None,
            time: Some(at.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: BTreeMap::new(),
            data: EventData::Json(item),
        };
        let judged = match judge(self.trigger, &mut event, None, None, at) {
            Ok(judged) => judged,
            Err(refusal) => {
                self.refuse(refusal.code(), refusal.detail(), None, &body);
                return Ok(None);
            }
        };
        let hash = digest(&SHA256, &body);
        let incoming = Incoming {
            trigger: self.trigger.name.clone(),
            tenant: judged.tenant,
            event,
            body_hash: hash.as_ref().try_into().expect("SHA-256 has 32 bytes"),
            key: judged.key,
            actor: self.actor.clone(),
            received_at: at,
            traceparent: None,
            priority: Priority::Normal,
            version: None,
            terms: crate::Terms::default(),
            hops: 0,
        };
        let ready = Ready { incoming, body };
        let Some(breach) = judged.breach else { return Ok(Some(ready)) };
        match self.engine.repeat(self.deployment, &ready.incoming).await {
            Ok(Some(_)) => self.taken.repeated += 1,
            Ok(None) => {
                let key = ready.incoming.key.clone();
                self.refuse(breach.code(), breach.detail(), key, &ready.body);
            }
            Err(error) => self.count(&ready, Err(error))?,
        }
        Ok(None)
    }

    /// Counts what became of an event; an error is one that stops the poll.
    fn count(
        &mut self,
        one: &Ready,
        outcome: Result<Accepted, EngineError>,
    ) -> Result<(), EngineError> {
        match outcome {
            Ok(Accepted::New { .. }) => self.arrived(),
            Ok(Accepted::Repeat { .. }) => self.taken.repeated += 1,
            Err(EngineError::Failed(failure)) => {
                let key = one.incoming.key.clone();
                self.refuse(failure.code, failure.detail, key, &one.body);
            }
            Err(error @ EngineError::KeyReused { .. }) => {
                let key = one.incoming.key.clone();
                self.refuse(crate::codes::KEY_REUSED, error.to_string(), key, &one.body);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn refuse(&mut self, code: qc_model::Code, detail: String, id: Option<String>, body: &[u8]) {
        let refused = Refused { code, detail, places: Vec::new(), id };
        let (engine, actor) = (self.engine, &self.actor);
        self.rows.push(engine.refused_row(self.deployment, self.trigger, actor, &refused, body));
        self.taken.refused += 1;
    }

    /// Moves the cursor by itself, with what the ledger says.
    async fn settle(&mut self, cursor: Option<DocumentOp>) -> Result<(), EngineError> {
        if cursor.is_none() && self.taken.refused == 0 {
            return Ok(());
        }
        let shared = &self.engine.shared;
        let change = Change {
            id: TxnId::new(shared.now(), &*shared.entropy),
            documents: cursor.into_iter().collect(),
            ledger: self.rows.clone(),
            signals: Vec::new(),
        };
        match shared.committer.change(change).await? {
            ChangeOutcome::Changed => Ok(()),
            ChangeOutcome::Conflict { name, .. } => {
                Err(StoreError::Unavailable(format!("the {KIND} {name} moved meanwhile")).into())
            }
        }
    }
}
