//! Runs that are begun by runs: found again by their key, begun on the release that is deployed, continued when a
//! further attempt wants them, and cancelled.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use bytes::Bytes;
use qc_model::{Actor, Class, EventId, Failure, Name, RunId, StandardError};
use qc_store::{RunFacts, RunFilter, RunHead, RunKey, StoreError, StoredEvent};
use qc_workflow::{ChildRequest, OpenChild, Outcome, Start, WorkflowRef};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Accepted, Deployment, Engine, EngineError, Replay,
    accept::{Beginning, Prepared, begin},
    children::{Errand, Found, PARENT},
    codes,
    command::Request,
    data::Custody,
    entry::{self, Journaled, Lineage, Parent},
    groups::bucket_of,
    record,
    recover::{RecoverError, fold},
    run::RunContext,
    start::workflow_start,
    tenure::Tenure,
    trace::run_traceparent,
};

/// What takes the place of a trigger's name in a run that another one began.
const TRIGGER: &str = "child";
/// How often a child is continued at most.
const CONTINUED_MAX: u32 = 1_000;
/// The first pause before an errand is tried again, and the longest.
const AGAIN_FIRST: Duration = Duration::from_millis(200);
const AGAIN_LAST: Duration = Duration::from_secs(10);
/// One wait for the end of a child that is cancelled; then it is asked again.
const CANCEL_AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Does an errand, again and again while the store or the child cannot be reached.
    pub(crate) async fn run_errand(
        &self,
        parent: &RunContext,
        tenure: &Tenure,
        request: &ChildRequest,
        errand: Errand,
    ) -> Found {
        let mut pause = AGAIN_FIRST;
        loop {
            if !tenure.certain().await {
                return Found::GaveUp;
            }
            let tried = match &errand {
                Errand::Start => match self.start_child(parent, request).await {
                    // Somebody else may have had the parent, and ended it, before the child was there.
                    Ok(found) if !tenure.is_certain() => {
                        Box::pin(self.unless_orphaned(parent, request, found)).await
                    }
                    other => other,
                },
                Errand::Withdraw { compensate } => {
                    Box::pin(self.withdraw_child(parent, request, *compensate)).await
                }
                Errand::Look { run } => self.look_at_child(*run).await,
                Errand::Cancel { run, compensate } => {
                    Box::pin(self.cancel_child(parent, *run, *compensate)).await
                }
            };
            match tried {
                Ok(found) => return found,
                Err(EngineError::Draining) => return Found::GaveUp,
                Err(error) => {
                    if !self.shared.leases.owns(parent.facts.id) {
                        return Found::GaveUp;
                    }
                    tracing::warn!(run = %parent.facts.id, task = %request.task, "a child cannot be reached now: {error}");
                    sleep(pause).await;
                    pause = (pause * 2).min(AGAIN_LAST);
                }
            }
        }
    }

    /// The child of a request: begun now, or found. One that ended otherwise than well for an earlier attempt, or for
    /// the run that this one replays, is continued.
    async fn start_child(
        &self,
        parent: &RunContext,
        request: &ChildRequest,
    ) -> Result<Found, EngineError> {
        let me =
            Parent { run: parent.facts.id, task: request.id.clone(), attempt: request.attempt };
        let Some((part, head)) = self.last_part(parent, request).await? else {
            return self.begin_child(parent, request, me).await;
        };
        let run = head.facts.id;
        let Some(outcome) = self.outcome_of(run).await? else {
            return Ok(Found::Started { run, ended: None });
        };
        let completed = matches!(outcome, Outcome::Completed { .. });
        if completed || self.parent_of(run).await? == Some(me.clone()) || part >= CONTINUED_MAX {
            return Ok(Found::Started { run, ended: Some(outcome) });
        }
        let next = part_of(parent.facts.origin, &request.key, part + 1);
        let lineage = Lineage { hops: parent.lineage.hops, parent: Some(me.clone()) };
        let row = |facts: &RunFacts| record::child_begun(facts, &me);
        let continued = self.relive(run, Replay::default(), Some((next, lineage)), None, row).await;
        match continued {
            Ok(run) => Ok(Found::Started { run, ended: self.outcome_of(run).await? }),
            // It is not deployed any more, or somebody else has continued it: that is the task's failure.
            Err(EngineError::WrongState { reason, .. }) => {
                Ok(Found::Ended { outcome: not_run(request, &reason) })
            }
            Err(error) => Err(error),
        }
    }

    async fn begin_child(
        &self,
        parent: &RunContext,
        request: &ChildRequest,
        me: Parent,
    ) -> Result<Found, EngineError> {
        let deployments = self.deployments();
        let deployed = deployments
            .iter()
            .filter(|deployment| deployment.environment == parent.facts.environment);
        let Some(deployment) = find(deployed, &request.workflow) else {
            let reason = "no release with it is deployed in this environment";
            return Ok(Found::Ended { outcome: not_run(request, reason) });
        };
        let at = self.shared.now();
        let id = part_of(parent.facts.origin, &request.key, 0);
        #[cfg(feature = "planted-bugs")]
        let id = if crate::planted::planted(crate::planted::Bug::ChildBegunTwice) {
            self.new_run_id(at)
        } else {
            id
        };
        let event = EventId::from_bits(id.bits());
        let facts = Arc::new(RunFacts {
            id,
            bucket: bucket_of(id),
            integration: deployment.release.integration.clone(),
            trigger: Name::new(TRIGGER).expect("a legal name"),
            release: deployment.release.hash.clone(),
            event,
            origin: id,
            replay_of: None,
            accepted_at: at,
            ..(*parent.facts).clone()
        });
        let entropy = self.shared.entropy.next_u64();
        let start = workflow_start(deployment, &facts, request.input.clone(), at, entropy);
        let start = Start { depth: request.depth, ..start };
        let traceparent = run_traceparent(parent.traceparent.as_deref(), parent.facts.id);
        let body = json!({
            "specversion": "1.0",
            "id": request.key,
            "source": format!("/runs/{}", parent.facts.id),
            "type": "qc.run.child",
            "time": at,
            "datacontenttype": "application/json",
            "data": request.input,
        });
        let first_row = record::child_begun(&facts, &me);
        let lineage = Lineage { hops: parent.lineage.hops, parent: Some(me) };
        let custody = Custody::empty(&self.shared.settings.token_roots);
        let beginning = Beginning { lineage, custody, ..Beginning::default() };
        // Its order is its parent's affair: it stands in no line.
        let begun = begin(deployment, facts, start, Some(traceparent), beginning, None);
        let event = StoredEvent { id: event, received_at: at, body: Bytes::from(body.to_string()) };
        match self.write(Prepared::of(begun, event, first_row)).await {
            // The last one: whoever had the parent before has begun it at the last moment.
            Ok(Accepted::New { run } | Accepted::Repeat { run })
            | Err(EngineError::KeyReused { run }) => {
                Ok(Found::Started { run, ended: self.outcome_of(run).await? })
            }
            Err(error) => Err(error),
        }
    }

    /// A child that this node began when the parent may have been another's: it is cancelled when the parent, as it is in
    /// the store, does not run it.
    async fn unless_orphaned(
        &self,
        parent: &RunContext,
        request: &ChildRequest,
        found: Found,
    ) -> Result<Found, EngineError> {
        let Found::Started { run, ended: None } = found else { return Ok(found) };
        let head = self.head(parent.facts.id).await?;
        let journal = self.shared.store.journal(parent.facts.id).await?;
        let machine = fold(&*self.release_of(&head, &journal).await?, &journal)?.machine;
        let wants = |open: &OpenChild| open.request.id == request.id && !open.cut;
        if machine.outcome().is_none() && machine.children().iter().any(wants) {
            return Ok(found);
        }
        Box::pin(self.cancel_child(parent, run, true)).await
    }

    /// The run that stands for a child now: the last one of those that continued each other.
    async fn last_part(
        &self,
        parent: &RunContext,
        request: &ChildRequest,
    ) -> Result<Option<(u32, RunHead)>, StoreError> {
        let mut last = None;
        for part in 0..=CONTINUED_MAX {
            let id = part_of(parent.facts.origin, &request.key, part);
            let Some(head) = self.shared.store.run(id).await? else { break };
            last = Some((part, head));
        }
        Ok(last)
    }

    /// A child that is not to be run: one that was started all the same is cancelled.
    async fn withdraw_child(
        &self,
        parent: &RunContext,
        request: &ChildRequest,
        compensate: bool,
    ) -> Result<Found, EngineError> {
        let Some((_, head)) = self.last_part(parent, request).await? else {
            let reason = "it was not started".to_owned();
            return Ok(Found::Ended { outcome: Outcome::Cancelled { reason, compensation: None } });
        };
        Box::pin(self.cancel_child(parent, head.facts.id, compensate)).await
    }

    async fn look_at_child(&self, run: RunId) -> Result<Found, EngineError> {
        match self.outcome_of(run).await {
            Ok(Some(outcome)) => Ok(Found::Ended { outcome }),
            Ok(None) => Ok(Found::Open),
            Err(EngineError::NoRun(_)) => Ok(Found::Ended { outcome: gone(run) }),
            Err(error) => Err(error),
        }
    }

    /// Cancels a child, which cancels its own first, and waits for its end.
    async fn cancel_child(
        &self,
        parent: &RunContext,
        run: RunId,
        compensate: bool,
    ) -> Result<Found, EngineError> {
        let reason = format!("{} no longer waits for it", parent.facts.id);
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::ChildLeftBehind) {
            return Ok(Found::Ended { outcome: Outcome::Cancelled { reason, compensation: None } });
        }
        // One that declares nothing to undo is only ended.
        let head = self.head(run).await?;
        let journal = self.shared.store.journal(run).await?;
        let program = Arc::clone(&self.release_of(&head, &journal).await?.release.program);
        let compensate = compensate && program.compensated().next().is_some();
        loop {
            match self.look_at_child(run).await? {
                Found::Open => {}
                found => return Ok(found),
            }
            let cancel = Request::Cancel { reason: reason.clone(), compensate };
            match self.ask(run, cancel, &Actor::platform("engine")).await {
                // It has just ended, or is being cancelled.
                Ok(()) | Err(EngineError::WrongState { .. }) => {}
                Err(error) => return Err(error),
            }
            self.wait(run, CANCEL_AGAIN).await?;
        }
    }

    /// How a run ended; None when it has not.
    pub(crate) async fn outcome_of(&self, run: RunId) -> Result<Option<Outcome>, EngineError> {
        let head = self.head(run).await?;
        if !head.state.status.is_terminal() {
            return Ok(None);
        }
        let journal = self.shared.store.journal(run).await?;
        let deployment = self.release_of(&head, &journal).await?;
        Ok(fold(&deployment, &journal)?.machine.outcome().cloned())
    }

    async fn parent_of(&self, run: RunId) -> Result<Option<Parent>, EngineError> {
        let journal = self.shared.store.journal(run).await?;
        let first = journal.first().ok_or(RecoverError::NoStart)?;
        match entry::decode(0, first).map_err(RecoverError::from)? {
            Journaled::Start { lineage, .. } => Ok(lineage.parent),
            _ => Ok(None),
        }
    }

    /// Who runs a run, and whom it runs: the newest first, at most so many.
    ///
    /// Errors: those of the store.
    pub async fn family(
        &self,
        run: RunId,
        limit: usize,
    ) -> Result<(Option<RunId>, Vec<RunHead>), StoreError> {
        let keys = self.shared.store.keys_of(run).await?;
        let parent = keys.iter().find(|key| key.name == PARENT);
        let key = RunKey { name: PARENT.to_owned(), value: run.to_string() };
        let filter = RunFilter { key: Some(key), limit, ..RunFilter::default() };
        let children = self.shared.store.runs(&filter).await?;
        Ok((parent.and_then(|key| key.value.parse().ok()), children))
    }
}

/// The deployed workflow that is meant: of this version, or the latest one.
fn find<'d>(
    deployed: impl Iterator<Item = &'d Arc<Deployment>>,
    wanted: &WorkflowRef,
) -> Option<&'d Arc<Deployment>> {
    let fits = |deployment: &&Arc<Deployment>| {
        let program = &deployment.release.program;
        program.namespace() == wanted.namespace
            && program.name() == wanted.name
            && wanted.version.as_ref().is_none_or(|version| program.version() == version)
    };
    deployed.filter(fits).max_by_key(|deployment| {
        (rank(deployment.release.program.version()), deployment.release.integration.clone())
    })
}

/// Versions in the order of their numbers; one before its release comes before it.
fn rank(version: &str) -> (Vec<u64>, bool, String) {
    let plain = version.split('+').next().unwrap_or_default();
    let (numbers, before) = plain.split_once('-').unwrap_or((plain, ""));
    let numbers = numbers.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    (numbers, before.is_empty(), before.to_owned())
}

/// The id of a child: the same for whoever asks for it, in every replay of its parent. It sorts beside the first run of
/// its parent's chain.
fn part_of(origin: RunId, key: &str, part: u32) -> RunId {
    let text = format!("{key}\n{part}");
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let random =
        hash.as_ref()[..10].iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    RunId::from_bits((origin.bits() >> 80 << 80) | random)
}

/// A workflow that cannot be run: an error of configuration, which `catch` may catch.
fn not_run(request: &ChildRequest, reason: &str) -> Outcome {
    let WorkflowRef { namespace, name, version } = &request.workflow;
    let version = version.as_deref().unwrap_or("latest");
    let title = "The workflow cannot be run";
    let detail = format!("`{namespace}/{name}` of version {version}: {reason}");
    faulted(
        Failure::new(Class::Permanent, codes::NO_WORKFLOW, title, detail),
        StandardError::Configuration,
    )
}

fn gone(run: RunId) -> Outcome {
    let title = "The run is not there any more";
    let detail = format!("{run} ended and was removed before its outcome was asked for");
    faulted(Failure::new(Class::Internal, codes::CHILD_GONE, title, detail), StandardError::Runtime)
}

fn faulted(failure: Failure, kind: StandardError) -> Outcome {
    let error: Value = json!({
        "type": kind.uri(),
        "status": kind.status(),
        "title": failure.title,
        "detail": failure.detail,
    });
    Outcome::Faulted { failure, error, compensation: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_the_same_whoever_asks_and_another_one_for_every_place_and_part() {
        let origin = RunId::from_bits((1_795_000_000_000 << 80) | 7);
        let child = part_of(origin, "qc:o:/do/0/a:", 0);
        assert_eq!(child, part_of(origin, "qc:o:/do/0/a:", 0));
        assert_eq!(child.made_at(), origin.made_at());
        for other in [part_of(origin, "qc:o:/do/0/a:1", 0), part_of(origin, "qc:o:/do/0/a:", 1)] {
            assert_ne!(child, other);
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = ["1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "1.10.0-beta"];
        versions.sort_by_key(|version| rank(version));
        assert_eq!(versions, ["1.9.0", "1.10.0-beta", "1.10.0", "2.0.0-rc.1", "2.0.0"]);
    }
}
