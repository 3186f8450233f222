//! Begins runs at their times. Where a schedule stands is a document that moves with the accept of each run, so that an
//! occurrence begins one run whoever keeps time, and however often.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use qc_model::{Actor, Event, EventData, Name, RunId, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, Priority, StoreError,
};
use qc_workflow::{Overlap, Timetable};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Accepted, Deployment, Engine, EngineError, Incoming, Schedule, Times, TriggerName,
    accept::Taking, record,
};

/// The kind of the documents.
pub(crate) const KIND: &str = "schedule";
/// The type of the event of an occurrence.
const DUE: &str = "qc.schedule.due";
/// The longest pause: clocks may jump, and other nodes may have moved a schedule.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The same when other nodes can begin runs, end them and pause schedules.
const LOOK_SHARED: Duration = Duration::from_secs(2);
/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);
/// What is due no longer ago than this was not missed: a server that starts again is no downtime.
const GRACE_MS: u64 = 60_000;
/// How long an occurrence is remembered as one that had its run.
const WINDOW: Duration = Duration::from_secs(40 * 24 * 3_600);
/// Where a schedule stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) v: u32,
    /// Its times as they were when this was written.
    pub(crate) plan: String,
    /// From when an interval counts.
    pub(crate) anchor: Timestamp,
    /// The last occurrence that was dealt with.
    pub(crate) last: Timestamp,
    /// The run that began last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_run: Option<RunId>,
    /// An occurrence that waits for the end of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queued: Option<Timestamp>,
    /// Since when nothing begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Timestamp>,
}

/// A standing with its place in the store.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    pub(crate) revision: u64,
}

/// One schedule of what is deployed.
pub(crate) struct One<'d> {
    pub(crate) deployment: &'d Arc<Deployment>,
    pub(crate) trigger: &'d Name,
    pub(crate) schedule: &'d Schedule,
    pub(crate) name: String,
}

impl Engine {
    /// Keeps the times of all schedules that are this node's.
    pub(crate) async fn keep_time(&self) {
        let shared = &self.shared;
        let mut known: HashMap<String, Known> = HashMap::new();
        loop {
            let changed = shared.clockwork.notified();
            let alone = shared.leases.is_alone();
            let mut pause = if alone { LOOK_AGAIN } else { LOOK_SHARED };
            if shared.leases.any() {
                if shared.times_changed.swap(false, Ordering::AcqRel) || !alone {
                    // Others may have moved them.
                    known.clear();
                }
                match self.look_at_times(&mut known).await {
                    Ok(Some(next)) => pause = pause.min(next.since(shared.now())),
                    Ok(None) => {}
                    Err(error) => {
                        known.clear();
                        tracing::warn!("the schedules cannot be kept now: {error}");
                        pause = STORE_AGAIN;
                    }
                }
            } else {
                known.clear();
                pause = pause.min(shared.settings.lease_ttl / 3);
            }
            tokio::select! {
                () = changed => {}
                () = sleep(pause.max(Duration::from_millis(1))) => {}
                () = self.draining() => return,
            }
        }
    }

    /// Begins what is due; when to look again.
    async fn look_at_times(
        &self,
        known: &mut HashMap<String, Known>,
    ) -> Result<Option<Timestamp>, EngineError> {
        if known.is_empty() {
            self.forget_removed().await?;
        }
        let deployments = self.deployments();
        let mut next: Option<Timestamp> = None;
        let mut there = Vec::new();
        for one in all(&deployments).filter(|one| self.tends_times(one)) {
            let wake = self.keep(&one, known).await?;
            next = next.into_iter().chain(wake).min();
            there.push(one.name);
        }
        if known.len() != there.len() {
            known.retain(|name, _| there.contains(name));
        }
        Ok(next)
    }

    /// Whether this node is the one that keeps its times.
    pub(crate) fn tends_times(&self, one: &One<'_>) -> bool {
        self.does(&format!("{KIND} {}", one.name))
    }

    async fn keep(
        &self,
        one: &One<'_>,
        known: &mut HashMap<String, Known>,
    ) -> Result<Option<Timestamp>, EngineError> {
        let now = self.shared.now();
        if !known.contains_key(&one.name) {
            let stored = self.standing_of(one).await?;
            known.insert(one.name.clone(), stored);
        }
        let Some(at) = known.get_mut(&one.name) else { return Ok(None) };
        let plan = one.schedule.times.plan();
        if at.revision == 0 || at.standing.plan != plan {
            // New, or other times: counted from now on.
            let fresh = Standing { queued: None, ..fresh(plan, now) };
            let kept =
                Standing { last_run: at.standing.last_run, paused: at.standing.paused, ..fresh };
            self.write_standing(one, at, kept, Vec::new()).await?;
        }
        if at.standing.paused.is_some() {
            return Ok(None);
        }
        let open = self.is_open(at.standing.last_run).await?;
        if let Some(instant) = at.standing.queued {
            if open {
                // Its end is told.
                return Ok(None);
            }
            self.fire(one, at, instant).await?;
            return Ok(Some(now));
        }
        match &one.schedule.times {
            Times::After { ms } => self.keep_after(one, at, *ms, open).await,
            _ => self.keep_timetable(one, at, open).await,
        }
    }

    async fn keep_after(
        &self,
        one: &One<'_>,
        at: &mut Known,
        ms: u64,
        open: bool,
    ) -> Result<Option<Timestamp>, EngineError> {
        if open {
            return Ok(None);
        }
        let ended = match at.standing.last_run {
            Some(run) => {
                let head = self.shared.store.run(run).await?;
                head.map_or(at.standing.last, |head| head.state.updated_at)
            }
            None => at.standing.anchor,
        };
        let due = ended.max(at.standing.anchor) + Duration::from_millis(ms);
        if due > self.shared.now() {
            return Ok(Some(due));
        }
        self.fire(one, at, due).await?;
        Ok(None)
    }

    async fn keep_timetable(
        &self,
        one: &One<'_>,
        at: &mut Known,
        mut open: bool,
    ) -> Result<Option<Timestamp>, EngineError> {
        let now = self.shared.now();
        let Some(timetable) = timetable(one.schedule, at.standing.anchor) else { return Ok(None) };
        let due = one.schedule.catch_up.due(&timetable, at.standing.last, now, GRACE_MS);
        if due.left_out > 0 {
            let before = due.run.first().copied().unwrap_or(due.last);
            let row =
                self.times_row(one, "missed", &json!({"left_out": due.left_out, "before": before}));
            // The oldest that is run must still come after the last that was dealt with.
            let last = due.run.first().map_or(due.last, |first| *first - Duration::from_millis(1));
            self.write_standing(one, at, Standing { last, ..at.standing.clone() }, vec![row])
                .await?;
        }
        for instant in due.run {
            let begins = timetable.begins(instant, chance(&one.name, instant));
            if begins > now {
                return Ok(Some(begins));
            }
            if !open || one.schedule.overlap == Overlap::Allow {
                open = self.fire(one, at, instant).await?;
                continue;
            }
            let queued = one.schedule.overlap == Overlap::Queue && at.standing.queued.is_none();
            let outcome = if queued { "queued" } else { "skipped" };
            let standing = Standing {
                last: instant,
                queued: if queued { Some(instant) } else { at.standing.queued },
                ..at.standing.clone()
            };
            let row = self.times_row(
                one,
                outcome,
                &json!({"scheduled_at": instant, "last_run": standing.last_run}),
            );
            self.write_standing(one, at, standing, vec![row]).await?;
        }
        let next = timetable.next(now.max(at.standing.last));
        Ok(next.map(|next| timetable.begins(next, chance(&one.name, next))))
    }

    /// Begins the run of an occurrence; true when a run is on its way.
    async fn fire(
        &self,
        one: &One<'_>,
        at: &mut Known,
        instant: Timestamp,
    ) -> Result<bool, EngineError> {
        let incoming = incoming(one, instant, self.shared.now());
        let taking = Taking {
            input: one.schedule.input.as_ref(),
            subject: one.schedule.subject.as_ref(),
            window: WINDOW,
            hops: 0,
        };
        let moved = |run: Option<RunId>| Standing {
            last: at.standing.last.max(instant),
            last_run: run.or(at.standing.last_run),
            queued: None,
            ..at.standing.clone()
        };
        let held =
            self.holds_events(&TriggerName::in_deployment(one.deployment, one.trigger)).await?;
        let mut prepared = match self.prepare(one.deployment, &taking, &incoming, held) {
            Ok(prepared) => prepared,
            Err(EngineError::Failed(failure)) => {
                let mut row = self.times_row(
                    one,
                    "refused",
                    &json!({"scheduled_at": instant, "detail": failure.detail}),
                );
                row.code = Some(failure.code.to_string());
                let standing = moved(None);
                self.write_standing(one, at, standing, vec![row]).await?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let run = prepared.begun.facts.id;
        let standing = moved(Some(run));
        prepared.documents.push(self.put_standing(one, &standing, at.revision));
        match self.write(prepared).await? {
            Accepted::New { .. } => {
                *at = Known { standing, revision: at.revision + 1 };
                Ok(true)
            }
            // It had its run before: only where the schedule stands was not known.
            Accepted::Repeat { run } => {
                let standing = moved(Some(run));
                self.write_standing(one, at, standing, Vec::new()).await?;
                Ok(self.is_open(Some(run)).await?)
            }
        }
    }

    pub(crate) async fn is_open(&self, run: Option<RunId>) -> Result<bool, StoreError> {
        let Some(run) = run else { return Ok(false) };
        let head = self.shared.store.run(run).await?;
        Ok(head.is_some_and(|head| !head.state.status.is_terminal()))
    }

    pub(crate) async fn standing_of(&self, one: &One<'_>) -> Result<Known, StoreError> {
        let stored = self.shared.store.document(KIND, &one.name).await?;
        let Some(document) = stored else {
            let now = self.shared.now();
            return Ok(Known { standing: fresh(one.schedule.times.plan(), now), revision: 0 });
        };
        let standing = serde_json::from_slice(&document.body)
            .map_err(|error| StoreError::Corrupt(format!("{KIND} `{}`: {error}", one.name)))?;
        Ok(Known { standing, revision: document.revision })
    }

    fn put_standing(&self, one: &One<'_>, standing: &Standing, revision: u64) -> DocumentOp {
        let body = serde_json::to_vec(standing).expect("a standing is plain data");
        let expect = if revision == 0 { Expect::Absent } else { Expect::Revision(revision) };
        DocumentOp::Put {
            kind: KIND.to_owned(),
            name: one.name.clone(),
            expect,
            body: Bytes::from(body),
            at: self.shared.now(),
        }
    }

    pub(crate) async fn write_standing(
        &self,
        one: &One<'_>,
        at: &mut Known,
        standing: Standing,
        ledger: Vec<LedgerRow>,
    ) -> Result<(), StoreError> {
        let put = self.put_standing(one, &standing, at.revision);
        let id = TxnId::new(self.shared.now(), &*self.shared.entropy);
        let change = Change { id, documents: vec![put], ledger, signals: Vec::new() };
        match self.shared.committer.change(change).await? {
            ChangeOutcome::Changed => {
                *at = Known { standing, revision: at.revision + 1 };
                Ok(())
            }
            ChangeOutcome::Conflict { .. } => Err(StoreError::Unavailable(format!(
                "another node moved the schedule `{}`",
                one.name
            ))),
        }
    }

    pub(crate) fn times_row(
        &self,
        one: &One<'_>,
        outcome: &str,
        facts: &serde_json::Value,
    ) -> LedgerRow {
        LedgerRow {
            at: self.shared.now(),
            kind: LedgerKind::Decision,
            tenant: one.schedule.tenant.clone(),
            environment: Some(one.deployment.environment.clone()),
            integration: Some(one.deployment.release.integration.clone()),
            run: None,
            event: None,
            actor: record::engine_of(&self.shared.settings.node),
            subject: one.trigger.to_string(),
            outcome: outcome.to_owned(),
            code: None,
            facts: Bytes::from(facts.to_string()),
        }
    }
}

pub(crate) fn all(deployments: &crate::Deployments) -> impl Iterator<Item = One<'_>> {
    deployments.iter().flat_map(of)
}

pub(crate) fn of(deployment: &Arc<Deployment>) -> impl Iterator<Item = One<'_>> {
    deployment.release.bus.schedules.iter().map(move |(trigger, schedule)| One {
        deployment,
        trigger,
        schedule,
        name: format!("{}/{}/{trigger}", deployment.environment, deployment.release.integration),
    })
}

fn fresh(plan: String, now: Timestamp) -> Standing {
    Standing { v: 1, plan, anchor: now, last: now, last_run: None, queued: None, paused: None }
}

pub(crate) fn timetable(schedule: &Schedule, anchor: Timestamp) -> Option<Timetable> {
    let timetable = match &schedule.times {
        Times::Every { ms } => Timetable::every(*ms, anchor),
        Times::Cron { cron, zone, .. } => Timetable::cron(cron.clone(), zone.clone()),
        Times::After { .. } => return None,
    };
    Some(timetable.with_jitter(u64::try_from(schedule.jitter.as_millis()).unwrap_or(u64::MAX)))
}

/// By how much an occurrence is put off does not change when it is asked again (FNV-1a).
fn chance(name: &str, instant: Timestamp) -> u64 {
    let bytes = name.bytes().chain(instant.as_millis().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn incoming(one: &One<'_>, instant: Timestamp, now: Timestamp) -> Incoming {
    let data = json!({ "scheduled_at": instant });
    let event = Event {
        id: instant.to_string(),
        source: format!("/schedules/{}", one.name),
        kind: DUE.to_owned(),
        subject: None,
        time: Some(instant.to_string()),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        extensions: std::collections::BTreeMap::new(),
        data: EventData::Json(data),
    };
    Incoming {
        trigger: one.trigger.clone(),
        tenant: one.schedule.tenant.clone(),
        event,
        body_hash: [0; 32],
        key: Some(instant.to_string()),
        actor: Actor::platform("schedule"),
        received_at: now,
        traceparent: None,
        priority: Priority::Normal,
        version: None,
        terms: crate::Terms::default(),
        hops: 0,
    }
}
