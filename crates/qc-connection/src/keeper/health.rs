//! Whether the other system takes a connection's token, as an operation that reads says now and then. What that means for
//! the connection is the machine's to say ([`State::probed`](crate::State::probed)).

use std::time::Duration;

use qc_model::{Class, Code, Failure, Timestamp};
use qc_store::{DocumentOp, Expect, StoreError};
use serde::{Deserialize, Serialize};

use super::Connections;
use crate::{
    codes,
    machine::Heard,
    provider::ConnectionId,
    record::{LastFailure, Record},
};

/// The kind of the documents; their name is the connection's.
const HEALTH_KIND: &str = "connection-health";
/// How often the state is written again that others changed meanwhile.
const TRIES: usize = 5;

/// How a connection's probe went last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The version of this body's form.
    pub schema_version: u32,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// What was heard; None: nothing that says anything, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// The code of the failure, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// How often in a row the system did not answer.
    #[serde(default)]
    pub misses: u32,
}

/// The turn to ask: no other node has it.
#[derive(Debug)]
pub struct ProbeTurn {
    revision: u64,
    health: Health,
}

impl Heard {
    /// What the answer to a probe says about the credential. None: nothing, as when there was no token to ask with, which
    /// is known already, or when only scopes are missing.
    pub fn of(answer: &Result<(), Failure>) -> Option<Self> {
        let Err(failure) = answer else { return Some(Self::Well) };
        match failure.class {
            _ if codes::tells_nothing(&failure.code) => None,
            Class::Auth => Some(Self::Refused),
            Class::Transient | Class::Timeout | Class::Overloaded | Class::Dependency => {
                Some(Self::Away)
            }
            // Whatever else it says, it took the credential.
            _ => Some(Self::Well),
        }
    }
}

impl Connections {
    /// How the connection's probe went last.
    pub async fn health(&self, id: &ConnectionId) -> Result<Option<Health>, StoreError> {
        let found = self.store().document(HEALTH_KIND, &id.text()).await?;
        Ok(found.and_then(|found| serde_json::from_slice(&found.body).ok()))
    }

    /// The turn to ask, when nobody asked for so long.
    pub async fn probe_turn(
        &self,
        id: &ConnectionId,
        every: Duration,
    ) -> Result<Option<ProbeTurn>, StoreError> {
        let now = self.now();
        let found = self.store().document(HEALTH_KIND, &id.text()).await?;
        let before: Option<Health> =
            found.as_ref().and_then(|found| serde_json::from_slice(&found.body).ok());
        if before.as_ref().is_some_and(|one| now.since(one.asked_at) < every) {
            return Ok(None);
        }
        let health = match before {
            Some(before) => Health { asked_at: now, ..before },
            None => Health {
                schema_version: 1,
                asked_at: now,
                heard: None,
                code: None,
                took_ms: 0,
                misses: 0,
            },
        };
        let revision = found.map(|found| found.revision);
        let put = put(id, &health, revision.map_or(Expect::Absent, Expect::Revision), now);
        let ours = self.change(vec![put], vec![]).await?;
        let revision = revision.unwrap_or(0) + 1;
        Ok(ours.then_some(ProbeTurn { revision, health }))
    }

    /// Writes what was heard, and what it makes of the connection.
    pub async fn probed(
        &self,
        id: &ConnectionId,
        turn: ProbeTurn,
        answer: &Result<(), Failure>,
        took: Duration,
    ) -> Result<(), StoreError> {
        let (now, heard) = (self.now(), Heard::of(answer));
        let misses = match heard {
            Some(Heard::Away) => turn.health.misses.saturating_add(1),
            Some(Heard::Well | Heard::Refused) => 0,
            None => turn.health.misses,
        };
        let health = Health {
            heard,
            code: answer.as_ref().err().map(|failure| failure.code.clone()),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            misses,
            ..turn.health
        };
        let put = put(id, &health, Expect::Revision(turn.revision), now);
        // Whoever was faster asked later and knows better.
        if !self.change(vec![put], vec![]).await? {
            return Ok(());
        }
        let Some(heard) = heard else { return Ok(()) };
        for _ in 0..TRIES {
            let Some(found) = self.find(id).await? else { return Ok(()) };
            let Some(state) = found.0.state.probed(heard, misses, now) else { return Ok(()) };
            let failure = answer.as_ref().err();
            let last_failure = failure.map(|failure| LastFailure {
                at: now,
                code: failure.code.clone(),
                detail: failure.detail.clone(),
            });
            let record = Record { state, last_failure, ..found.0.clone() };
            let beside = if heard == Heard::Well { vec![self.works_again(id)] } else { vec![] };
            if self.put(&record, Some(&found), beside).await? {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn put(id: &ConnectionId, health: &Health, expect: Expect, at: Timestamp) -> DocumentOp {
    DocumentOp::Put {
        kind: HEALTH_KIND.to_owned(),
        name: id.text(),
        expect,
        body: serde_json::to_vec(health).expect("only string keys").into(),
        at,
    }
}
