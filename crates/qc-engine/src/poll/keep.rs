//! Keeps asking: one loop for each deployed poll, while this node may.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use qc_model::{Actor, Class, Failure, Finding, TxnId};
use qc_store::{Change, LedgerKind, LedgerRow};
use serde_json::{Value, json};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use super::{
    PollTrigger,
    ask::{Answer, Unanswered, unusable},
    cursor::Cursor,
    take::{Taken, Taking},
};
use crate::{
    Deployment, Engine, EngineError, Tie, TieKind, Trigger, TriggerKind, TriggerName, codes,
    record, unwind::caught,
};

/// The pauses after failures: the first, and the longest.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How often a node that may not ask looks whether it may.
const LOOK: Duration = Duration::from_secs(5);

type Key = (Tie, String);

impl Engine {
    /// Keeps all deployed polls going until the drain.
    pub(crate) async fn keep_polling(&self) {
        let mut changed = self.deployments_changed();
        let mut loops: JoinSet<()> = JoinSet::new();
        let mut running: BTreeMap<Key, AbortHandle> = BTreeMap::new();
        loop {
            changed.borrow_and_update();
            let wanted = self.polls();
            let keys: BTreeSet<Key> = wanted.iter().map(|(key, _)| key.clone()).collect();
            running.retain(|key, handle| {
                let keep = keys.contains(key);
                if !keep {
                    // Nothing is lost by that: the cursor moves last.
                    handle.abort();
                    self.shared.standings.gone(&key.0);
                }
                keep
            });
            for (key, deployment) in wanted {
                running.entry(key.clone()).or_insert_with(|| {
                    let engine = self.clone();
                    loops.spawn(async move { Box::pin(engine.poll_on(&key.0, &deployment)).await })
                });
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = self.draining() => return,
            }
        }
    }

    fn polls(&self) -> Vec<(Key, Arc<Deployment>)> {
        let deployments = self.deployments();
        let mut polls = Vec::new();
        for deployment in deployments.iter() {
            let release = &deployment.release;
            for trigger in release.triggers.values() {
                let name = TriggerName {
                    environment: deployment.environment.clone(),
                    integration: release.integration.clone(),
                    trigger: trigger.name.clone(),
                };
                if matches!(trigger.kind, TriggerKind::Poll(_)) && !self.paused(&name) {
                    let tie = Tie {
                        kind: TieKind::Poll,
                        environment: deployment.environment.clone(),
                        integration: release.integration.clone(),
                        name: trigger.name.clone(),
                    };
                    polls.push(((tie, release.hash.clone()), Arc::clone(deployment)));
                }
            }
        }
        polls
    }

    /// Asks again and again.
    async fn poll_on(&self, tie: &Tie, deployment: &Arc<Deployment>) {
        let Some(trigger) = deployment.release.triggers.get(&tie.name) else { return };
        let TriggerKind::Poll(poll) = &trigger.kind else { return };
        let mut failures = 0;
        loop {
            if !self.may_tend(tie) {
                self.shared.standings.gone(tie);
                sleep(LOOK).await;
                continue;
            }
            let polled =
                caught(Box::pin(self.poll_once(deployment, trigger, poll, failures + 1))).await;
            let polled = polled.unwrap_or_else(|broken| Err(broken_off(&broken)));
            let pause = match polled {
                Ok(()) => {
                    failures = 0;
                    self.say(tie, None);
                    poll.every
                }
                // It was not asked, and nothing failed.
                Err(failure) if failure.code == qc_connect::codes::NOT_ITS_TURN => {
                    self.say(tie, Some(&failure));
                    poll.every
                }
                Err(failure) => {
                    failures += 1;
                    let pause = backoff(failures, poll.every, failure.stated_pause());
                    self.say(tie, Some(&failure));
                    pause
                }
            };
            self.rest(pause).await;
        }
    }

    /// Whether this node is the one that tends a tie of which there must be only one: the one that may run the runs of
    /// its bucket. Two at a time would do no harm, as the cursor moves only from where it was read.
    pub(crate) fn may_tend(&self, tie: &Tie) -> bool {
        let Tie { kind, environment, integration, name } = tie;
        let text = format!("{} {environment}/{integration}/{name}", kind.as_str());
        self.does(&text)
    }

    /// Waits by the engine's clock, also when that jumps.
    async fn rest(&self, pause: Duration) {
        let shared = &self.shared;
        let (began, until) = (shared.now(), shared.now() + pause);
        loop {
            let now = shared.now();
            if now >= until || now < began {
                return;
            }
            sleep(until.since(now).min(LOOK)).await;
        }
    }

    async fn poll_once(
        &self,
        deployment: &Arc<Deployment>,
        trigger: &Trigger,
        poll: &PollTrigger,
        attempt: u32,
    ) -> Result<(), Box<Failure>> {
        let shared = &self.shared;
        let Deployment { environment, release, .. } = &**deployment;
        let cursor = Cursor::read(
            &*shared.store,
            environment,
            &release.integration,
            &trigger.name,
            &poll.start,
        )
        .await
        .map_err(|error| store_away(&error.to_string()))?;
        let answer = match self.ask_other(deployment, trigger, poll, &cursor, attempt).await {
            Ok(answer) => answer,
            Err(unanswered) => {
                let Unanswered { failure, record } = *unanswered;
                self.note(deployment, trigger, poll, record, Err(&failure)).await;
                return Err(Box::new(failure));
            }
        };
        let Answer { items, next, record } = answer;
        let count = items.len();
        let moved = match cursor.moved(next, shared.now()) {
            Ok(moved) => moved,
            Err(why) => {
                let failure = unusable(&format!("`cursor` of the poll cannot be used: {why}"));
                self.note(deployment, trigger, poll, Some(record), Err(&failure)).await;
                return Err(failure);
            }
        };
        if count == 0 && moved.is_none() {
            return Ok(());
        }
        let row = self.row(deployment, trigger, poll, Some(record), Ok(count));
        let mut taking = Taking {
            engine: self,
            deployment,
            trigger,
            poll,
            actor: Actor::platform(&format!("poll:{}.{}", poll.connector, poll.operation)),
            taken: Taken::default(),
            rows: vec![row],
        };
        let result = taking.take(items, moved).await;
        let refused = u64::try_from(taking.taken.refused).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                shared.counters.refused.fetch_add(refused, Ordering::Relaxed);
                Ok(())
            }
            // Another node has done it: what it took is known by its keys, the rest comes from where it stopped.
            Err(_) if matches!(cursor.stands(&*shared.store).await, Ok(false)) => Ok(()),
            Err(EngineError::Draining) => Err(store_away("the server is ending")),
            Err(error) => Err(store_away(&error.to_string())),
        }
    }

    /// Writes into the ledger that a poll failed. The poll goes on when that cannot be written now.
    async fn note(
        &self,
        deployment: &Deployment,
        trigger: &Trigger,
        poll: &PollTrigger,
        record: Option<qc_connect::call::CallRecord>,
        result: Result<usize, &Failure>,
    ) {
        let shared = &self.shared;
        let row = self.row(deployment, trigger, poll, record, result);
        let id = TxnId::new(row.at, &*shared.entropy);
        let change = Change { id, documents: Vec::new(), ledger: vec![row], signals: Vec::new() };
        if let Err(error) = shared.committer.change(change).await {
            tracing::warn!("a failed poll cannot be written into the ledger now: {error}");
        }
    }

    fn row(
        &self,
        deployment: &Deployment,
        trigger: &Trigger,
        poll: &PollTrigger,
        record: Option<qc_connect::call::CallRecord>,
        result: Result<usize, &Failure>,
    ) -> LedgerRow {
        let shared = &self.shared;
        let mut facts = serde_json::to_value(record).unwrap_or(Value::Null);
        if !facts.is_object() {
            facts = json!({});
        }
        facts["trigger"] = json!(trigger.name);
        match result {
            Ok(items) => facts["items"] = json!(items),
            Err(failure) => facts["detail"] = json!(failure.detail),
        }
        let failure = result.err();
        LedgerRow {
            at: shared.now(),
            kind: LedgerKind::Call,
            tenant: record::tenant_of(trigger),
            environment: Some(deployment.environment.clone()),
            integration: Some(deployment.release.integration.clone()),
            run: None,
            event: None,
            actor: record::engine_of(&shared.settings.node),
            subject: format!("{}.{}", poll.connector, poll.operation),
            outcome: if failure.is_some() { "failed" } else { "ok" }.to_owned(),
            code: failure.map(|failure| failure.code.to_string()),
            facts: Bytes::from(facts.to_string()),
        }
    }

    /// Says how a poll stands, to whoever looks.
    fn say(&self, tie: &Tie, failure: Option<&Failure>) {
        let finding = failure.map(|failure| {
            Finding::error(failure.code.clone(), failure.detail.clone())
                .help("it is tried again by itself, in growing pauses; `qc ask` shows the attempts")
        });
        if self.shared.standings.stands(tie, finding, self.shared.now()) {
            let Tie { environment, integration, name, .. } = tie;
            match failure {
                None => {
                    tracing::info!(%environment, %integration, trigger = %name, "the poll works");
                }
                Some(failure) => tracing::warn!(
                    %environment, %integration, trigger = %name, code = %failure.code,
                    "the poll fails: {}", failure.detail
                ),
            }
        }
    }
}

/// The pause after the n-th failure: growing, never beyond the longest, and never shorter than the other side asks.
fn backoff(failures: u32, every: Duration, stated: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.min(16) - 1).unwrap_or(u32::MAX));
    doubled.min(LONGEST.max(every)).max(stated.unwrap_or_default())
}

fn store_away(why: &str) -> Box<Failure> {
    Box::new(Failure::new(
        Class::Dependency,
        codes::POLL_NOT_TAKEN,
        "What a poll brought cannot be taken now",
        format!("what the poll brought cannot be taken now: {why}"),
    ))
}

fn broken_off(why: &str) -> Box<Failure> {
    Box::new(Failure::new(Class::Internal, codes::BROKE_OFF, "A poll broke off", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_growing_pauses() {
        let every = Duration::from_secs(60);
        let pauses: Vec<u64> = (1..=10).map(|n| backoff(n, every, None).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(backoff(1, every, Some(Duration::from_secs(30))).as_secs(), 30);
        assert_eq!(backoff(99, Duration::from_secs(7_200), None).as_secs(), 7_200);
    }
}
