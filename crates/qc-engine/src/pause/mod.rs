//! Paused triggers. While a trigger is paused its events are accepted as ever, and their runs do not
//! begin: they are held in the store. When it goes on, the runs begin in the order in which they were
//! accepted, and events that come meanwhile are held behind them.
//!
//! A document says how a trigger stands; there is none for one that is open. Every node reads the
//! documents again and again, and lets begin, or cancels, the runs that are its own. So whoever owns
//! a run when a node goes away goes on with it.

mod ask;
mod keep;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use qc_model::{EnvironmentName, Name, Timestamp};
use qc_store::{Document, LiveCause, RunHead, RunState, RunStatus};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::Deployment;

pub use ask::{DiscardPlan, TriggerView};

/// The kind of the documents; they bear the name `<environment>/<integration>/<trigger>`.
pub(crate) const KIND: &str = "trigger_pause";

/// The version that is written.
const VERSION: u32 = 1;

/// What a list says of a run that is held.
const HELD: &str = "held: its trigger is paused";

/// Which trigger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TriggerName {
    /// Where.
    pub environment: EnvironmentName,
    /// Of which integration.
    pub integration: Name,
    /// Its name there.
    pub trigger: Name,
}

impl TriggerName {
    pub(crate) fn in_deployment(deployment: &Deployment, trigger: &Name) -> Self {
        Self {
            environment: deployment.environment.clone(),
            integration: deployment.release.integration.clone(),
            trigger: trigger.clone(),
        }
    }

    /// The trigger of a run.
    pub(crate) fn of(head: &RunHead) -> Self {
        let facts = &head.facts;
        Self {
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
            trigger: facts.trigger.clone(),
        }
    }

    fn document(&self) -> String {
        format!("{}/{}/{}", self.environment, self.integration, self.trigger)
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('/');
        let environment = parts.next()?.parse().ok()?;
        let (integration, trigger) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { environment, integration, trigger })
    }
}

impl std::fmt::Display for TriggerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of `{}` in `{}`", self.trigger, self.integration, self.environment)
    }
}

/// How a trigger stands that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stand {
    /// Its runs do not begin.
    Paused,
    /// Those that are held begin; what comes meanwhile stands behind them.
    Releasing,
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pause {
    v: u32,
    pub(crate) stand: Stand,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Who said so.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
    /// What was held is being cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) discard: Option<Discard>,
}

/// What is being cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Discard {
    /// Runs that were accepted by then.
    pub(crate) until: Timestamp,
    /// Who said so.
    pub(crate) by: qc_model::Actor,
    /// Why.
    pub(crate) reason: String,
}

impl Pause {
    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("pauses are plain data").into()
    }
}

/// A document as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) pause: Pause,
    pub(crate) revision: u64,
}

/// One that cannot be read holds: an event must not begin to run that somebody wanted held.
fn read(document: &Document) -> Known {
    let revision = document.revision;
    let pause = serde_json::from_slice(&document.body).unwrap_or_else(|error| {
        tracing::error!(name = %document.name, "a pause cannot be read, and is kept: {error}");
        Pause {
            v: VERSION,
            stand: Stand::Paused,
            since: document.updated_at,
            by: "platform".to_owned(),
            reason: "the document cannot be read by this version".to_owned(),
            discard: None,
        }
    });
    Known { pause, revision }
}

/// What this node knows of paused triggers.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the documents were read once.
    read: bool,
    known: BTreeMap<TriggerName, Known>,
    /// Triggers of which a run is held that need not be.
    left: BTreeSet<TriggerName>,
    /// Triggers that somebody is at work on here.
    at_work: BTreeSet<TriggerName>,
}

impl Pauses {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment or one call on a map.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether runs of a trigger do not begin by themselves now.
    pub(crate) fn hold(&self, trigger: &TriggerName) -> bool {
        self.state().known.contains_key(trigger)
    }

    /// Whether a run that is held stays so: its trigger is paused, or it is to be cancelled.
    pub(crate) fn keep(&self, head: &RunHead) -> bool {
        if !is_held(head) {
            return false;
        }
        let state = self.state();
        let Some(known) = state.known.get(&TriggerName::of(head)) else { return false };
        known.pause.stand == Stand::Paused
    }

    /// A run is held that need not be: it is looked after.
    pub(crate) fn found(&self, head: &RunHead) {
        let trigger = TriggerName::of(head);
        let mut state = self.state();
        let waits = state.known.get(&trigger).is_some_and(|known| {
            known.pause.stand == Stand::Paused && known.pause.discard.is_none()
        });
        if state.read && !waits && state.left.insert(trigger) {
            drop(state);
            self.changed.notify_one();
        }
    }
}

/// Whether a run is held because its trigger was paused when it was accepted.
pub(crate) fn is_held(head: &RunHead) -> bool {
    head.state.cause == LiveCause::Held && head.state.wake_at.is_none()
}

/// The state of a run that is held.
pub(crate) fn held(at: Timestamp) -> RunState {
    RunState {
        status: RunStatus::Waiting,
        cause: LiveCause::Held,
        wake_at: None,
        summary: Some(HELD.to_owned()),
        updated_at: at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_cannot_be_read_holds() {
        let document = Document {
            kind: KIND.to_owned(),
            name: "production/orders/in".to_owned(),
            revision: 7,
            body: Bytes::from_static(b"{\"v\":9,\"stand\":\"frozen\"}"),
            updated_at: Timestamp::from_millis(5),
        };
        let known = read(&document);
        assert_eq!((known.pause.stand, known.revision), (Stand::Paused, 7));
        let name = TriggerName::parse(&document.name).unwrap();
        assert_eq!(name.document(), document.name);
        assert_eq!(TriggerName::parse("production/orders"), None);
        assert_eq!(TriggerName::parse("production/orders/in/x"), None);
    }
}
