//! What people do with what is kept: look at it, and mend it. Each change is one write with its
//! row of the audit.

use bytes::Bytes;
use qc_model::{Actor, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, LedgerKind, LedgerRow};
use qc_workflow::KeptDeed;
use serde_json::{Map, Value, json};

use super::{
    KeptScope, fault,
    perform::{Asked, once},
    place::{LINK_KIND, STATE_KIND},
    state,
    stored::{StoredLink, decode},
};
use crate::{Deployment, Engine, EngineError, codes};

/// So often a change is decided again because somebody else was first.
const TRIES_MAX: u32 = 16;

/// A value with its key.
#[derive(Debug, Clone, PartialEq)]
pub struct StateView {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Its revision.
    pub revision: u64,
    /// Until when it is there.
    pub expires_at: Option<Timestamp>,
}

/// A link: two ids, in the order of the table's systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The systems.
    pub systems: [String; 2],
    /// The ids.
    pub ids: [String; 2],
    /// Its revision.
    pub revision: u64,
}

/// What became of links that were to be made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkCounts {
    /// That were not there.
    pub new: usize,
    /// That were there already.
    pub same: usize,
    /// That were not made, each with its number in the list and why.
    pub refused: Vec<(usize, String)>,
}

impl Engine {
    /// Does one deed to what an integration keeps, as a call of a workflow with these arguments
    /// does, and gives its answer. A change has its row of the audit.
    pub async fn tend(
        &self,
        scope: &KeptScope,
        deed: KeptDeed,
        place: &str,
        arguments: &Value,
        actor: &Actor,
    ) -> Result<Value, EngineError> {
        let deployment = self.deployment_of(scope)?;
        let kept = &deployment.release.kept;
        let shared = &self.shared;
        for _ in 0..TRIES_MAX {
            let at = shared.now();
            let asked = Asked { deed, place, arguments, at };
            let decided = once(&*shared.store, kept, scope, &asked).await;
            let decided = decided.map_err(EngineError::Failed)?;
            if decided.documents.is_empty() {
                return Ok(decided.answer);
            }
            let row = audit(scope, deed, place, actor, at);
            let change = Change {
                id: TxnId::new(at, &*shared.entropy),
                documents: decided.documents,
                ledger: vec![row],
                signals: Vec::new(),
            };
            if shared.committer.change(change).await? == ChangeOutcome::Changed {
                return Ok(decided.answer);
            }
        }
        Err(EngineError::Failed(Box::new(fault::contended(TRIES_MAX))))
    }

    /// Makes links, one after the other: what is linked otherwise is told and left. With `plan`
    /// nothing is written.
    pub async fn link_all(
        &self,
        scope: &KeptScope,
        table: &str,
        links: &[Map<String, Value>],
        plan: bool,
        actor: &Actor,
    ) -> Result<LinkCounts, EngineError> {
        let deployment = self.deployment_of(scope)?;
        let kept = &deployment.release.kept;
        let [a, b] = kept.table(table).map_err(EngineError::Failed)?.systems.clone();
        let mut counts = LinkCounts::default();
        for (number, link) in links.iter().enumerate() {
            if let Some(odd) = link.keys().find(|key| **key != a && **key != b) {
                let why = format!("`{odd}` is no system of the table; it has `{a}` and `{b}`");
                counts.refused.push((number, why));
                continue;
            }
            let arguments = Value::Object(link.clone());
            let answer = if plan {
                let at = self.shared.now();
                let asked = Asked { deed: KeptDeed::Link, place: table, arguments: &arguments, at };
                let decided = once(&*self.shared.store, kept, scope, &asked).await;
                decided.map(|decided| decided.answer).map_err(EngineError::Failed)
            } else {
                self.tend(scope, KeptDeed::Link, table, &arguments, actor).await
            };
            match answer {
                Ok(answer) if answer["new"] == true => counts.new += 1,
                Ok(_) => counts.same += 1,
                Err(EngineError::Failed(failure)) if failure.code != codes::KEPT_UNREADABLE => {
                    counts.refused.push((number, failure.detail));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(counts)
    }

    /// The values of a state whose keys come after `after`, in their order; those whose time has
    /// run out are left out.
    pub async fn kept_values(
        &self,
        scope: &KeptScope,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StateView>, EngineError> {
        let deployment = self.deployment_of(scope)?;
        deployment.release.kept.state(name).map_err(EngineError::Failed)?;
        let prefix = scope.of_state(name);
        let at = self.shared.now();
        let mut views = Vec::new();
        let mut from = format!("{prefix}{}", after.unwrap_or_default());
        while views.len() < limit {
            let page = self.shared.store.documents(STATE_KIND, Some(&from), limit).await?;
            let Some(last) = page.last() else { break };
            from.clone_from(&last.name);
            for document in &page {
                let Some(key) = document.name.strip_prefix(&prefix) else { return Ok(views) };
                let there = state::There::of(Some(document)).map_err(EngineError::Failed)?;
                if let Some(stored) = state::live(there.as_ref(), at) {
                    views.push(StateView {
                        key: key.to_owned(),
                        value: stored.value.clone(),
                        revision: stored.revision,
                        expires_at: stored.expires_at,
                    });
                }
            }
        }
        views.truncate(limit);
        Ok(views)
    }

    /// The systems of a table.
    pub fn systems_of(&self, scope: &KeptScope, table: &str) -> Result<[String; 2], EngineError> {
        let deployment = self.deployment_of(scope)?;
        let rule = deployment.release.kept.table(table).map_err(EngineError::Failed)?;
        Ok(rule.systems.clone())
    }

    /// The links of a table, by the ids of its first system, after `after`.
    pub async fn links(
        &self,
        scope: &KeptScope,
        table: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LinkView>, EngineError> {
        let deployment = self.deployment_of(scope)?;
        let rule = deployment.release.kept.table(table).map_err(EngineError::Failed)?;
        let prefix = scope.of_system(table, &rule.systems[0]);
        let from = format!("{prefix}{}", after.unwrap_or_default());
        let page = self.shared.store.documents(LINK_KIND, Some(&from), limit).await?;
        let mut views = Vec::new();
        for document in &page {
            let Some(id) = document.name.strip_prefix(&prefix) else { break };
            let link: StoredLink = decode(document).map_err(EngineError::Failed)?;
            views.push(LinkView {
                systems: rule.systems.clone(),
                ids: [id.to_owned(), link.to],
                revision: link.revision,
            });
        }
        Ok(views)
    }

    fn deployment_of(&self, scope: &KeptScope) -> Result<std::sync::Arc<Deployment>, EngineError> {
        let deployments = self.deployments();
        let (environment, integration) = (scope.environment.as_str(), scope.integration.as_str());
        deployments.lookup(environment, integration).cloned().ok_or_else(|| {
            let name = format!("{environment}/{integration}");
            EngineError::Failed(fault::unknown("deployed integration", &name, &[]))
        })
    }
}

fn audit(
    scope: &KeptScope,
    deed: KeptDeed,
    place: &str,
    actor: &Actor,
    at: Timestamp,
) -> LedgerRow {
    LedgerRow {
        at,
        kind: LedgerKind::Audit,
        tenant: scope.tenant.clone(),
        environment: Some(scope.environment.clone()),
        integration: Some(scope.integration.clone()),
        run: None,
        event: None,
        actor: actor.text(),
        subject: place.to_owned(),
        outcome: format!("{}.{}", deed.connector(), deed.operation()),
        code: None,
        facts: Bytes::from(actor.with_origin(json!({})).to_string()),
    }
}
