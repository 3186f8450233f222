//! Runs that wait for a system that is not there: who tries, when the others follow, and how many
//! may wait. What is decided of a single call is the machine's; see `qc_workflow::Unavailable`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qc_model::{Actor, RunId, Timestamp};
use qc_store::{LiveCause, RunFilter, RunHead, RunStatus, StoreError};
use qc_workflow::{HeldCall, Substitute, codes::HELD_TOO_LONG, codes::HELD_TOO_MANY};
use tokio::{sync::Notify, time::sleep};

use crate::{
    Engine, EngineError, RunEnd,
    command::Request,
    draft::Draft,
    engine::Shared,
    gates::{GateName, Gates, Left, Order, Stop},
    operate::Asking,
    run::ActiveRun,
};

/// The longest sleep of the loop over the systems.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A run that was asked to try is in memory within this time, or something went wrong.
const TAKEN_UP_IN: Duration = Duration::from_secs(60);

/// How many runs that wait on other nodes are counted at most.
const COUNTED_MAX: usize = 20_000;

/// One look at the store.
const PAGE: usize = 1_000;

/// The systems for which runs wait here.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    gates: Mutex<Gates>,
    changed: Notify,
}

impl Absences {
    fn gates(&self) -> MutexGuard<'_, Gates> {
        // Every change is one call on the gates.
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a run says that it waits for a system, and nobody here knows for which one.
    pub(crate) fn is_news(&self, head: &RunHead) -> bool {
        // One of a paused trigger waits for no moment.
        let waits = head.state.cause == LiveCause::Held && head.state.wake_at.is_some();
        waits && !self.gates().knows(head.facts.id)
    }
}

/// A run took a step that is on disk: it may be held, or be held no longer.
pub(crate) fn report(shared: &Shared, run: &ActiveRun) {
    if !run.may_be_held() {
        return;
    }
    let now = shared.now();
    let facts = &run.context.facts;
    // A call that is being tried still is one that waits.
    if run.end.is_none() && run.is_probing() {
        return;
    }
    let held = if run.end.is_none() { run.held() } else { Vec::new() };
    let stops: Vec<Stop> = held.iter().map(|call| stop_of(run, call)).collect();
    let left = match &run.end {
        Some(RunEnd::Cancelled { .. }) => Left::Otherwise,
        Some(RunEnd::Faulted { failure, .. })
            if [HELD_TOO_LONG, HELD_TOO_MANY].contains(&failure.code) =>
        {
            Left::Otherwise
        }
        _ => Left::Answered,
    };
    let order = Order { accepted_at: facts.accepted_at, run: facts.id };
    let mut gates = shared.absences.gates();
    if stops.is_empty() && !gates.knows(facts.id) {
        return;
    }
    gates.report(order, &stops, left, now);
    drop(gates);
    shared.absences.changed.notify_one();
}

fn gate_of(run: &ActiveRun, call: &HeldCall) -> GateName {
    let facts = &run.context.facts;
    GateName {
        environment: facts.environment.clone(),
        integration: facts.integration.clone(),
        system: call.system.to_string(),
    }
}

fn stop_of(run: &ActiveRun, call: &HeldCall) -> Stop {
    let stated = call.failure.stated_pause().unwrap_or_default();
    let not_before = call.failed_at + stated;
    Stop { gate: gate_of(run, call), failed_at: call.failed_at, not_before }
}

/// Lets no more runs wait than may: one that is held with this step, and for which there is no room,
/// fails with it.
pub(crate) fn bound(shared: &Shared, run: &mut ActiveRun, draft: &mut Draft) {
    if draft.end.is_some() || !run.may_be_held() {
        return;
    }
    let held = run.held();
    // Who waits already goes on waiting.
    let Some(new) = held.iter().find(|call| call.since == draft.at) else { return };
    let stops: Vec<Stop> = held.iter().map(|call| stop_of(run, call)).collect();
    let facts = &run.context.facts;
    let order = Order { accepted_at: facts.accepted_at, run: facts.id };
    let mut gates = shared.absences.gates();
    let full = usize::try_from(new.max).unwrap_or(usize::MAX);
    if gates.knows(facts.id) || gates.waiting(&gate_of(run, new)) < full {
        // Counted at once: others may be about to wait, too.
        gates.report(order, &stops, Left::Otherwise, draft.at);
        return;
    }
    drop(gates);
    run.turn_away(new.call.clone(), shared.entropy.next_u64(), draft);
}

/// What a list says of a run that waits for a system.
pub(crate) fn summary_of(system: &str) -> String {
    format!("waits for `{system}`, which is not available")
}

/// What a list says of a run that came to its end without a system.
pub(crate) fn degraded(run: &ActiveRun) -> Option<String> {
    let left_out: Vec<String> = run
        .substituted()
        .iter()
        .filter(|one| one.by == Substitute::Value)
        .map(|one| format!("`{}` without `{}`", one.task, one.system))
        .collect();
    (!left_out.is_empty()).then(|| format!("degraded: {}", left_out.join(", ")))
}

impl Engine {
    /// Has runs try whether their systems are there again, and lets the others follow.
    pub(crate) async fn keep_gates(&self) {
        let shared = &self.shared;
        let mut counted = shared.now();
        loop {
            let changed = shared.absences.changed.notified();
            let now = shared.now();
            self.tidy_gates(now);
            if !shared.leases.is_alone() && now.since(counted) >= LOOK_AGAIN {
                counted = now;
                if let Err(error) = self.count_elsewhere().await {
                    tracing::warn!("the runs that wait on other nodes cannot be counted: {error}");
                }
            }
            let due = shared.absences.gates().due(now);
            for (gate, run) in due {
                let engine = self.clone();
                tokio::spawn(async move { engine.have_try(gate, run).await });
            }
            let next = shared.absences.gates().next();
            let pause = next.map_or(LOOK_AGAIN, |at| at.since(shared.now()).min(LOOK_AGAIN));
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = changed => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Forgets runs that are another node's now, and those who were to try and are not at it.
    fn tidy_gates(&self, now: Timestamp) {
        let shared = &self.shared;
        let mut gates = shared.absences.gates();
        for run in gates.runs() {
            if !shared.leases.owns(run) {
                gates.forget(run, now);
            }
        }
        for (gate, run, since) in gates.trying() {
            if now.since(since) > TAKEN_UP_IN && !shared.is_active(run) {
                gates.not_tried(&gate, run, now);
            }
        }
    }

    async fn have_try(&self, gate: GateName, run: RunId) {
        let shared = &self.shared;
        let request = Request::Probe { system: gate.system.clone() };
        let actor = Actor::platform("engine");
        let asked = self.ask_here(run, &request, &actor, None).await;
        let now = shared.now();
        match asked {
            Ok(()) => return,
            Err(
                Asking::Elsewhere
                | Asking::Failed(EngineError::WrongState { .. } | EngineError::NoRun(_)),
            ) => shared.absences.gates().forget(run, now),
            Err(Asking::Failed(error)) => {
                tracing::warn!(%run, "a run that is held cannot try now: {error}");
                shared.absences.gates().not_tried(&gate, run, now);
            }
        }
        shared.absences.changed.notify_one();
    }

    async fn count_elsewhere(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let names = shared.absences.gates().names();
        for name in names {
            let mut filter = RunFilter {
                statuses: vec![RunStatus::Waiting],
                environment: Some(name.environment.clone()),
                integration: Some(name.integration.clone()),
                limit: PAGE,
                ..RunFilter::default()
            };
            let said = summary_of(&name.system);
            let (mut count, mut looked) = (0, 0);
            loop {
                let page = shared.store.runs(&filter).await?;
                let there = page.iter().filter(|head| {
                    head.state.cause == LiveCause::Held
                        && head.state.summary.as_deref() == Some(&said)
                        && !shared.leases.owns(head.facts.id)
                });
                count += there.count();
                looked += page.len();
                filter.before = page.last().map(|head| head.facts.id);
                if page.len() < PAGE || looked >= COUNTED_MAX {
                    break;
                }
            }
            shared.absences.gates().seen_elsewhere(&name, count);
        }
        Ok(())
    }
}
