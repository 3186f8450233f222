use std::sync::Arc;

use qc_connect::connector::Repairs;
use qc_model::{Actor, RunId};
use qc_store::{RunFilter, RunHead, RunKey, RunStatus, StoreError};

use super::DriftFinding;
use crate::{Deployment, Engine, EngineError, command::Request};

/// By this key the runs of a finding are found.
pub(crate) const RUN_KEY: &str = "qc.drift";
/// How many runs one request lets go on.
const AT_MOST: usize = 200;

/// What became of runs that waited for a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriftReleased {
    /// These go on.
    pub going_on: Vec<RunId>,
    /// These stay parked, and why.
    pub staying: Vec<(RunId, String)>,
    /// There are more: ask again for those before this run.
    pub next: Option<RunId>,
}

/// With which release a run's answer is put right.
#[derive(Debug, Clone)]
pub(crate) struct Mending {
    pub(crate) deployment: Arc<Deployment>,
    /// The run goes on with it: its workflow is the same.
    pub(crate) continues: bool,
}

impl Engine {
    /// The runs that are parked and met a finding, the newest first.
    pub async fn drift_runs(
        &self,
        finding: &DriftFinding,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        let page = self.met(finding, vec![RunStatus::Parked], None, limit).await?;
        Ok(page.into_iter().map(|head| head.facts.id).collect())
    }

    async fn met(
        &self,
        finding: &DriftFinding,
        statuses: Vec<RunStatus>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        let filter = RunFilter {
            before,
            statuses,
            environment: Some(finding.environment.clone()),
            integration: Some(finding.integration.clone()),
            key: Some(RunKey { name: RUN_KEY.to_owned(), value: finding.id.clone() }),
            limit,
            ..RunFilter::default()
        };
        self.shared.store.runs(&filter).await
    }

    /// Lets runs go on that wait for a finding, at most 200: each has its answer put right as the deployed release
    /// declares and as is given, and held against the contract again. What still does not fit stays. Doing it again
    /// does no harm: a run goes on once.
    pub async fn release_drift(
        &self,
        finding: &DriftFinding,
        given: &Repairs,
        before: Option<RunId>,
        actor: &Actor,
    ) -> Result<DriftReleased, EngineError> {
        // One may have a call under way beside the one that waits.
        let statuses = vec![RunStatus::Parked, RunStatus::Running];
        let runs = self.met(finding, statuses, before, AT_MOST).await?;
        let last = runs.last().map(|head| head.facts.id);
        let next = last.filter(|_| runs.len() == AT_MOST);
        let mut done = DriftReleased { next, ..DriftReleased::default() };
        for head in runs {
            let run = head.facts.id;
            let request = Request::Refit { finding: finding.id.clone(), given: given.clone() };
            match Box::pin(self.ask(run, request, actor)).await {
                Ok(()) => done.going_on.push(run),
                Err(EngineError::NoRun(_)) => {}
                // It went on before, and the key still finds it.
                Err(EngineError::WrongState { .. }) if head.state.status != RunStatus::Parked => {}
                Err(error @ (EngineError::WrongState { .. } | EngineError::Store(_))) => {
                    done.staying.push((run, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}
