//! Lives of the platform: from a start to an end without warning, or to the end of the scenario.

use std::collections::BTreeSet;
use std::time::Duration;

use qc_engine::{PersonTask, RunEnd};
use qc_model::{Clock, Finding, RunId, Timestamp};
use qc_store::{LiveCause, RunFilter, RunHead, RunStatus, Store};
use serde_json::{Value, json};

use super::{
    Scenario, Step, SystemFault,
    people::{all_tasks, judge},
    send::{Door, Received},
    world::World,
};
use crate::{codes, project::Loaded};

/// How long runs may take when the scenario does not say.
const SETTLES_WITHIN: Duration = Duration::from_secs(48 * 3600);
/// Between two looks at the runs.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is known at the end.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) heads: Vec<RunHead>,
    /// The runs of the integrations whose workflows it runs.
    pub(super) others: Vec<RunHead>,
    /// The ends of the runs, in the order of the heads.
    pub(super) ends: Vec<Option<RunEnd>>,
    /// Their journals, likewise.
    pub(super) journals: Vec<Value>,
    /// What people are or were asked.
    pub(super) tasks: Vec<PersonTask>,
    pub(super) first_sent: Option<Timestamp>,
    pub(super) sent_runs: BTreeSet<RunId>,
    pub(super) findings: Vec<Finding>,
}

/// Carries out all steps, life after life, and lets the runs settle.
pub(super) fn carry_out(door: &Door<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let steps = &door.file.value.when;
    let mut next = 0;
    loop {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let message = format!("no runtime can be made: {error}");
                outcome.findings.push(Finding::error(codes::SCENARIO_BROKEN, message));
                return outcome;
            }
        };
        next = runtime.block_on(live(door, steps, next, &mut outcome));
        // Whatever was under way is gone with its runtime, as with a killed process.
        drop(runtime);
        if next > steps.len() || !outcome.findings.is_empty() {
            return outcome;
        }
    }
}

/// One life; answers the number of the next step, or one past the end when everything is done.
async fn live(door: &Door<'_>, steps: &[Step], from: usize, outcome: &mut Outcome) -> usize {
    let world = door.world;
    world.clock.start();
    let engine = world.start();
    // A subscription takes what comes after it has begun.
    while engine.subscriptions().await.is_ok_and(|all| all.iter().any(|one| one.after.is_none())) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (at, step) in steps.iter().enumerate().skip(from) {
        match step {
            Step::Send(sending) => {
                for _ in 0..sending.times.0 {
                    outcome.first_sent.get_or_insert(world.clock.now());
                    match door.send(&engine, sending, at).await {
                        Ok(Received::Taken(run)) => drop(outcome.sent_runs.insert(run)),
                        Ok(Received::Refused | Received::Published) => {}
                        Err(finding) => outcome.findings.push(*finding),
                    }
                }
            }
            Step::Publish(publishing) => {
                for _ in 0..publishing.times.0 {
                    outcome.first_sent.get_or_insert(world.clock.now());
                    let published = door.publish(&engine, publishing, at).await;
                    outcome.findings.extend(published.err().map(|finding| *finding));
                }
            }
            Step::Wait(length) => tokio::time::sleep(*length).await,
            Step::Restart => {
                world.clock.stop();
                return at + 1;
            }
            Step::Task(deed) => outcome.findings.extend(Box::pin(door.person(&engine, deed)).await),
            Step::Fault(fault) => outcome.findings.extend(inject(door, fault)),
            Step::Mend(system) => {
                if let Some(provider) = provider(door, system.as_str()) {
                    provider.clear();
                }
            }
        }
    }
    settle(door.file, world, outcome).await;
    match all_tasks(&engine).await {
        Ok(tasks) => {
            outcome.findings.extend(judge(door, &tasks));
            outcome.tasks = tasks;
        }
        Err(error) => {
            let message = format!("the tasks cannot be read: {error}");
            outcome.findings.push(Finding::error(codes::SCENARIO_BROKEN, message));
        }
    }
    let own = &world.deployment.release.integration;
    let (heads, others) = std::mem::take(&mut outcome.heads)
        .into_iter()
        .partition(|head| head.facts.integration == *own);
    (outcome.heads, outcome.others) = (heads, others);
    for head in &outcome.heads {
        let view = engine.inspect(head.facts.id).await.ok();
        let journal = view.as_ref().map(|view| view.journal.clone()).unwrap_or_default();
        outcome.journals.push(json!({ "run": head.facts.id, "journal": journal }));
        outcome.ends.push(view.and_then(|view| view.end));
    }
    world.clock.stop();
    steps.len() + 1
}

/// Puts a fault in; answers what is wrong with it.
pub(super) fn inject(door: &Door<'_>, fault: &SystemFault) -> Option<Finding> {
    let provider = provider(door, fault.system.as_str())?;
    let mut finding = *provider.inject(fault.fault.clone()).err()?;
    finding.place = Some(door.file.place(fault.span));
    Some(finding)
}

/// The simulator of a system.
pub(super) fn provider<'a>(
    door: &Door<'a>,
    system: &str,
) -> Option<&'a std::sync::Arc<qc_simulator::Provider>> {
    let (name, declared) = door.folder.definition.as_ref()?.value.systems.entry(system)?;
    let connector = door.project.connector_of(&name.value, declared)?;
    door.world.providers.get(connector)
}

/// Waits until every run has ended or waits for a person.
async fn settle(file: &Loaded<Scenario>, world: &World, outcome: &mut Outcome) {
    let limit = file.value.settles_within.unwrap_or(SETTLES_WITHIN);
    let until = world.clock.now() + limit;
    let wanted = file.value.then.ends.value.0;
    loop {
        match all_runs(world).await {
            Ok(heads) => outcome.heads = heads,
            Err(error) => {
                outcome.findings.push(Finding::error(
                    codes::SCENARIO_BROKEN,
                    format!("the runs cannot be read: {error}"),
                ));
                return;
            }
        }
        let now = world.clock.now();
        // A parked run may look again by itself from time to time; a scenario that wants it parked has what it wants.
        let parked = |head: &RunHead| {
            head.state.status == RunStatus::Parked
                && (head.state.wake_at.is_none() || wanted == RunStatus::Parked)
        };
        // Nobody answers any more, and no deadline ends the wait.
        let asking =
            |head: &RunHead| head.state.cause == LiveCause::Person && head.state.wake_at.is_none();
        let settled =
            |head: &RunHead| head.state.status.is_terminal() || parked(head) || asking(head);
        if outcome.heads.iter().all(settled) {
            return;
        }
        if now >= until {
            if wanted != RunStatus::Waiting {
                let open = outcome.heads.iter().filter(|head| !settled(head)).count();
                let message = format!(
                    "{open} of {} runs did not come to an end within {limit:?} of virtual time",
                    outcome.heads.len()
                );
                outcome.findings.push(file.error(
                    codes::SCENARIO_BROKEN,
                    file.value.then.ends.span,
                    message,
                ));
            }
            return;
        }
        // Nothing happens before the next timer: jump to it.
        let wake = outcome.heads.iter().filter_map(|head| head.state.wake_at).min();
        let pause = wake.map_or(LOOK_AGAIN, |at| at.since(now).max(LOOK_AGAIN));
        tokio::time::sleep(pause.min(until.since(now)).max(Duration::from_millis(1))).await;
    }
}

async fn all_runs(world: &World) -> Result<Vec<RunHead>, qc_store::StoreError> {
    let mut heads: Vec<RunHead> = Vec::new();
    loop {
        let before = heads.last().map(|head| head.facts.id);
        let page = world.store.runs(&RunFilter { before, ..RunFilter::default() }).await?;
        if page.is_empty() {
            return Ok(heads);
        }
        heads.extend(page);
    }
}
