//! A drill: a connection's tokens are renewed while calls go on, and what came of it is kept as evidence.
//!
//! The calls are the connection's probe, at a declared rate; the renewals are those that `qc conn rotate` asks for. A
//! drill passes when no call failed, every renewal brought new tokens, and at least one call came after the last of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_connection::ConnectionId;
use qc_model::{Actor, Failure, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, StoreError};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{State, connect::grant_of, upkeep::User};

/// The kind of the documents; their name is `<environment>/<connection>/<id>`.
const DRILL_KIND: &str = "connection-drill";
/// So many drills of a connection are kept.
const KEPT: usize = 20;
/// How long a drill may last.
pub(crate) const SECONDS: std::ops::RangeInclusive<u64> = 5..=600;
/// How many calls it may make in a second.
pub(crate) const RATE: std::ops::RangeInclusive<u32> = 1..=50;
/// How long a renewal is waited for.
const RENEWAL: Duration = Duration::from_secs(25);
/// So long after its end a drill is taken for interrupted of which nothing was heard.
const GRACE: Duration = Duration::from_secs(60);
/// At which parts of its time, in percent, the tokens are renewed.
const RENEWALS: [u32; 2] = [25, 60];

/// A drill as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Drill {
    pub(crate) schema_version: u32,
    pub(crate) id: String,
    pub(crate) environment: String,
    pub(crate) connection: String,
    pub(crate) actor: String,
    pub(crate) reason: Option<String>,
    pub(crate) operation: String,
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
    pub(crate) began_at: Timestamp,
    pub(crate) result: Option<DrillResult>,
}

/// What a drill came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct DrillResult {
    pub(crate) passed: bool,
    pub(crate) ended_at: Timestamp,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// How often each code failed a call.
    pub(crate) codes: BTreeMap<String, u64>,
    /// So many times new tokens came.
    pub(crate) refreshes: u64,
    pub(crate) median_ms: u64,
    pub(crate) slowest_ms: u64,
    pub(crate) steps: Vec<DrillStep>,
}

/// A step of a drill.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DrillStep {
    pub(crate) step: String,
    /// After its begin, in milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) took_ms: u64,
    /// The generation of tokens after it.
    pub(crate) generation: u64,
    /// What failed.
    pub(crate) code: Option<String>,
}

impl Drill {
    /// `running`, `passed`, `failed` or `interrupted`.
    pub(crate) fn state(&self, now: Timestamp) -> &'static str {
        match &self.result {
            Some(result) if result.passed => "passed",
            Some(_) => "failed",
            None if now < self.began_at + Duration::from_secs(self.seconds) + GRACE => "running",
            None => "interrupted",
        }
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.environment, self.connection, self.id)
    }

    fn put(&self, expect: Expect, at: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: DRILL_KIND.to_owned(),
            name: self.name(),
            expect,
            body: serde_json::to_vec(self).expect("only string keys").into(),
            at,
        }
    }
}

/// What is asked of a drill.
pub(crate) struct DrillOrder {
    pub(crate) seconds: u64,
    pub(crate) rate: u32,
    pub(crate) reason: Option<String>,
}

impl State {
    /// The drills of a connection, newest last.
    pub(crate) async fn drills(&self, id: &ConnectionId) -> Result<Vec<Drill>, StoreError> {
        let first = format!("{}/", id.text());
        let found = self.store.documents(DRILL_KIND, Some(&first), qc_store::PAGE_MAX).await?;
        let own = found.iter().take_while(|one| one.name.starts_with(&first));
        Ok(own.filter_map(|one| serde_json::from_slice(&one.body).ok()).collect())
    }

    /// Begins a drill. It goes on by itself; what it comes to is written when it ends.
    pub(crate) async fn begin_drill(
        self: &Arc<Self>,
        id: &ConnectionId,
        user: User,
        order: DrillOrder,
        actor: Actor,
    ) -> Result<Drill, StoreError> {
        let now = self.clock.now();
        let drill = Drill {
            schema_version: 1,
            id: format!("{:013}-{:08x}", now.as_millis(), self.entropy.next_u64() >> 32),
            environment: id.environment.to_string(),
            connection: id.name.clone(),
            actor: actor.text(),
            reason: order.reason,
            operation: user
                .connector
                .probe()
                .map(|probe| probe.operation.clone())
                .unwrap_or_default(),
            rate: order.rate,
            seconds: order.seconds,
            began_at: now,
            result: None,
        };
        let mut documents = vec![drill.put(Expect::Absent, now)];
        let before = self.drills(id).await?;
        let surplus = (before.len() + 1).saturating_sub(KEPT);
        documents.extend(before.iter().take(surplus).map(|old| DocumentOp::Delete {
            kind: DRILL_KIND.to_owned(),
            name: old.name(),
            expect: Expect::Any,
        }));
        self.write_drill(documents, row(&drill, "drill begun", &actor, now)).await?;
        let (state, id, own) = (Arc::clone(self), id.clone(), drill.clone());
        tokio::spawn(Box::pin(
            async move { state.carry_out(&id, Arc::new(user), own, actor).await },
        ));
        Ok(drill)
    }

    async fn carry_out(
        self: Arc<Self>,
        id: &ConnectionId,
        user: Arc<User>,
        drill: Drill,
        actor: Actor,
    ) {
        let result = Arc::clone(&self).drill(id, user, &drill, &actor).await;
        let deed = if result.passed { "drill passed" } else { "drill failed" };
        let drill = Drill { result: Some(result), ..drill };
        let now = self.clock.now();
        let written =
            self.write_drill(vec![drill.put(Expect::Any, now)], row(&drill, deed, &actor, now));
        if let Err(error) = written.await {
            tracing::warn!(connection = %id.text(), %error, "what a drill came to is not stored");
        }
    }

    async fn drill(
        self: Arc<Self>,
        id: &ConnectionId,
        user: Arc<User>,
        drill: &Drill,
        actor: &Actor,
    ) -> DrillResult {
        let (began, span) = (Instant::now(), Duration::from_secs(drill.seconds));
        let heard = Arc::<Mutex<Vec<Call>>>::default();
        let calls = {
            let (state, heard) = (Arc::clone(&self), Arc::clone(&heard));
            let rate = drill.rate;
            tokio::spawn(Box::pin(
                async move { state.call_on(user, rate, began, span, heard).await },
            ))
        };
        let first = self.generation(id).await;
        let mut steps = Vec::new();
        for part in RENEWALS {
            sleep_until(began + span * part / 100).await;
            steps.push(self.renew(id, actor, began).await);
        }
        drop(calls.await);
        let last = self.generation(id).await;
        let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        summed(&heard, steps, last.saturating_sub(first), self.clock.now())
    }

    /// Makes calls at the drill's rate until its time is over, and waits for their answers.
    async fn call_on(
        self: Arc<Self>,
        user: Arc<User>,
        rate: u32,
        began: Instant,
        span: Duration,
        heard: Arc<Mutex<Vec<Call>>>,
    ) {
        let mut ticks = interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut calls = JoinSet::new();
        while began.elapsed() < span {
            ticks.tick().await;
            while calls.try_join_next().is_some() {}
            let (state, user, heard) = (Arc::clone(&self), Arc::clone(&user), Arc::clone(&heard));
            calls.spawn(Box::pin(async move {
                let at = began.elapsed();
                let (answer, took) = state.probe(&user).await;
                let code = answer.err().map(|failure| failure.code.to_string());
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(Call { at, took, code });
            }));
        }
        while calls.join_next().await.is_some() {}
    }

    async fn renew(&self, id: &ConnectionId, actor: &Actor, began: Instant) -> DrillStep {
        let (at, start) = (began.elapsed(), Instant::now());
        let done = match grant_of(self, id) {
            Ok(Some(grant)) => self.connections.rotate(grant, actor, RENEWAL).await.map(drop),
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        DrillStep {
            step: "rotate".to_owned(),
            at_ms: millis(at),
            took_ms: millis(start.elapsed()),
            generation: self.generation(id).await,
            code: done.err().map(|failure: Box<Failure>| failure.code.to_string()),
        }
    }

    async fn generation(&self, id: &ConnectionId) -> u64 {
        let shown = self.connections.show(id).await;
        shown.ok().flatten().map_or(0, |shown| shown.record.generation)
    }

    async fn write_drill(
        &self,
        documents: Vec<DocumentOp>,
        row: LedgerRow,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger: vec![row], signals: vec![] };
        self.committer.change(change).await
    }
}

/// A call of a drill.
struct Call {
    at: Duration,
    took: Duration,
    code: Option<String>,
}

fn summed(calls: &[Call], steps: Vec<DrillStep>, refreshes: u64, now: Timestamp) -> DrillResult {
    let mut took: Vec<u64> = calls.iter().map(|call| millis(call.took)).collect();
    took.sort_unstable();
    let mut codes = BTreeMap::new();
    for code in calls.iter().filter_map(|call| call.code.clone()) {
        *codes.entry(code).or_default() += 1;
    }
    let failures: u64 = codes.values().sum();
    let renewed = steps.iter().all(|step| step.code.is_none()) && refreshes >= steps.len() as u64;
    let last = steps.last().map_or(0, |step| step.at_ms + step.took_ms);
    let after = calls.iter().any(|call| millis(call.at) >= last);
    DrillResult {
        passed: failures == 0 && renewed && after,
        ended_at: now,
        requests: calls.len() as u64,
        failures,
        codes,
        refreshes,
        median_ms: took.get(took.len() / 2).copied().unwrap_or_default(),
        slowest_ms: took.last().copied().unwrap_or_default(),
        steps,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn row(drill: &Drill, outcome: &str, actor: &Actor, at: Timestamp) -> LedgerRow {
    let facts = serde_json::to_value(drill).expect("only string keys");
    LedgerRow {
        at,
        kind: LedgerKind::Audit,
        tenant: qc_model::TenantName::new("default").expect("a legal name"),
        environment: drill.environment.parse().ok(),
        integration: None,
        run: None,
        event: None,
        actor: actor.text(),
        subject: format!("connection {}", drill.connection),
        outcome: outcome.to_owned(),
        code: None,
        facts: actor.with_origin(facts).to_string().into_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at: u64, code: Option<&str>) -> Call {
        let (at, took) = (Duration::from_millis(at), Duration::from_millis(at / 10));
        Call { at, took, code: code.map(str::to_owned) }
    }

    fn step(at_ms: u64, code: Option<&str>) -> DrillStep {
        let code = code.map(str::to_owned);
        DrillStep { step: "rotate".to_owned(), at_ms, took_ms: 10, generation: 2, code }
    }

    #[test]
    fn a_drill_passes_when_nothing_failed_and_everything_was_tried() {
        let passed = |calls: &[Call], steps: Vec<DrillStep>, refreshes| {
            summed(calls, steps, refreshes, Timestamp::from_millis(0)).passed
        };
        let good = [call(0, None), call(200, None)];
        assert!(passed(&good, vec![step(100, None)], 1));
        assert!(!passed(&[call(0, None), call(200, Some("QC-N001"))], vec![step(100, None)], 1));
        assert!(!passed(&good, vec![step(100, Some("QC-N305"))], 1), "a renewal failed");
        assert!(!passed(&good, vec![step(100, None)], 0), "nothing was renewed");
        assert!(!passed(&good[..1], vec![step(100, None)], 1), "nobody called afterwards");
        let summed = summed(&good, vec![], 0, Timestamp::from_millis(0));
        assert_eq!((summed.requests, summed.median_ms, summed.slowest_ms), (2, 20, 20));
    }
}
