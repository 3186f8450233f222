//! Canary calls: operations that say so are asked on a schedule by one node, and their answers are held against the contract
//! as those of runs are.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use qc_connect::{call::Performed, connector::CanaryRule};
use qc_model::{EnvironmentName, Name, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, StoreError};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{
    DriftFilter, Watched,
    finding::Site,
    keep::{put, read},
};
use crate::{Deployment, Engine, probe::Question};

/// The kind of what is known of an operation's canary calls.
const KIND: &str = "drift-canary";
/// How often it is looked which are due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So many are under way at the same time on one node.
const AT_ONCE: usize = 4;
/// How long an answer is waited for at most, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

/// What is stored of an operation's canary calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Log {
    /// The version of the stored form.
    v: u32,
    /// When it was asked last. Whoever writes it asks.
    asked_at: Timestamp,
    /// What came; None: nothing yet.
    outcome: Option<CanaryOutcome>,
    sent: u64,
    failed: u64,
}

/// What a canary call got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CanaryOutcome {
    /// An answer that keeps what the contract promises.
    Fits,
    /// An answer that breaks the contract.
    Breaks {
        /// The finding.
        finding: String,
    },
    /// No answer that says something of the contract.
    Failed {
        /// Its code.
        code: String,
        /// What it was, in a few words.
        title: String,
    },
}

/// How the canary of an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryStanding {
    /// Where.
    pub environment: EnvironmentName,
    /// Against whose contract the answer is held.
    pub integration: Name,
    /// The connector.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// How often it is asked.
    pub every: Duration,
    /// When it was asked last; None: never.
    pub last_at: Option<Timestamp>,
    /// When it is asked next; None: the environment has no canary calls.
    pub next_at: Option<Timestamp>,
    /// What came last; None: nothing yet.
    pub outcome: Option<CanaryOutcome>,
    /// How often it was asked.
    pub sent: u64,
    /// How often it failed.
    pub failed: u64,
}

/// One that a deployed release declares.
struct Canary {
    deployment: Arc<Deployment>,
    site: Site,
    rule: CanaryRule,
}

/// When it is asked next.
fn next_at(log: Option<&Log>, every: Duration, now: Timestamp) -> Timestamp {
    log.map_or(now, |log| (log.asked_at + every).max(now))
}

impl Log {
    /// The next call, which is about to be made.
    fn asked(before: Option<&Self>, now: Timestamp) -> Self {
        let (sent, failed) = before.map_or((0, 0), |log| (log.sent, log.failed));
        Self { v: 1, asked_at: now, outcome: None, sent: sent.saturating_add(1), failed }
    }

    fn heard(self, outcome: CanaryOutcome) -> Self {
        let failed = u64::from(matches!(outcome, CanaryOutcome::Failed { .. }));
        Self { outcome: Some(outcome), failed: self.failed.saturating_add(failed), ..self }
    }
}

impl CanaryOutcome {
    /// What an answer means, with the finding when it breaks its contract.
    fn of(performed: &Performed, finding: Option<String>) -> Self {
        match (&performed.result, finding) {
            (_, Some(finding)) => Self::Breaks { finding },
            (Ok(_), None) => Self::Fits,
            (Err(failure), None) => {
                Self::Failed { code: failure.code.to_string(), title: failure.title.clone() }
            }
        }
    }
}

impl Engine {
    /// Makes the canary calls that are due, until the drain. Not part of [`Engine::run`]: scenarios and simulations have
    /// none.
    pub async fn keep_canaries(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = sleep(LOOK_EVERY) => {}
            }
            stream::iter(self.canaries())
                .for_each_concurrent(AT_ONCE, |canary| Box::pin(self.ask_when_due(canary)))
                .await;
        }
    }

    /// What is deployed has these.
    fn canaries(&self) -> Vec<Canary> {
        let mut all = Vec::new();
        for deployment in self.deployments().iter() {
            for connector in deployment.release.connectors.iter() {
                all.extend(connector.canaries().map(|(operation, rule)| Canary {
                    deployment: Arc::clone(deployment),
                    site: Site {
                        environment: deployment.environment.clone(),
                        integration: deployment.release.integration.clone(),
                        connector: connector.name().as_str().to_owned(),
                        operation: operation.to_owned(),
                    },
                    rule: rule.clone(),
                }));
            }
        }
        all.sort_by_cached_key(|canary| canary.site.text());
        all
    }

    async fn ask_when_due(&self, canary: Canary) {
        if !canary.deployment.canaries || self.shared.is_draining() {
            return;
        }
        if let Err(error) = self.ask_canary(&canary).await {
            tracing::debug!(canary = %canary.site.text(), %error, "no canary call now");
        }
    }

    async fn ask_canary(&self, canary: &Canary) -> Result<(), StoreError> {
        let (shared, Canary { deployment, site, rule }) = (&self.shared, canary);
        let name = site.text();
        let stored = shared.store.document(KIND, &name).await?;
        let log = stored.as_ref().map(read::<Log>).transpose()?;
        let now = shared.now();
        if next_at(log.as_ref(), rule.every, now) > now {
            return Ok(());
        }
        // Whoever writes that it asks is the one who asks.
        let asked = Log::asked(log.as_ref(), now);
        if !self.write_canary(put(KIND, &name, stored.as_ref(), &asked, now)).await? {
            return Ok(());
        }
        let question = Question {
            connector: &site.connector,
            operation: &site.operation,
            arguments: &rule.arguments,
            what: "canary",
            timeout_ms: TIMEOUT_MS,
        };
        let performed = Box::pin(self.ask_outside(deployment, question)).await;
        let found = shared.drift.watch(Watched {
            environment: &deployment.environment,
            release: &deployment.release,
            performed: &performed,
            at: shared.now(),
            canary: true,
        });
        let outcome = CanaryOutcome::of(&performed, found.map(|(finding, _)| finding));
        let failed = matches!(outcome, CanaryOutcome::Failed { .. });
        shared.drift.numbers.canary(failed);
        if let (true, Err(failure)) = (failed, &performed.result) {
            tracing::info!(canary = %name, code = %failure.code, "a canary call failed");
        }
        // One that was asked again meanwhile is known better by the other.
        let stored = shared.store.document(KIND, &name).await?;
        let ours = stored.as_ref().map(read::<Log>).transpose()?.is_some_and(|log| log == asked);
        if ours {
            let heard = asked.heard(outcome);
            self.write_canary(put(KIND, &name, stored.as_ref(), &heard, shared.now())).await?;
        }
        Ok(())
    }

    /// Writes it; says whether nobody else did meanwhile.
    async fn write_canary(&self, document: qc_store::DocumentOp) -> Result<bool, StoreError> {
        let shared = &self.shared;
        let id = TxnId::new(shared.now(), &*shared.entropy);
        let change =
            Change { id, documents: vec![document], ledger: Vec::new(), signals: Vec::new() };
        Ok(shared.committer.change(change).await? == ChangeOutcome::Changed)
    }

    /// How the canary calls of what is deployed stand.
    pub async fn drift_canaries(
        &self,
        filter: &DriftFilter,
    ) -> Result<Vec<CanaryStanding>, StoreError> {
        let mut all = Vec::new();
        for Canary { deployment, site, rule } in self.canaries() {
            if !filter.passes(&site.environment, &site.integration, &site.connector) {
                continue;
            }
            let stored = self.shared.store.document(KIND, &site.text()).await?;
            let log = stored.as_ref().map(read::<Log>).transpose()?;
            let next = next_at(log.as_ref(), rule.every, self.shared.now());
            all.push(CanaryStanding {
                every: rule.every,
                last_at: log.as_ref().map(|log| log.asked_at),
                next_at: deployment.canaries.then_some(next),
                sent: log.as_ref().map_or(0, |log| log.sent),
                failed: log.as_ref().map_or(0, |log| log.failed),
                outcome: log.and_then(|log| log.outcome),
                environment: site.environment,
                integration: site.integration,
                connector: site.connector,
                operation: site.operation,
            });
        }
        Ok(all)
    }
}
