//! Schedules as people see them: where each stands, pausing, and what becomes of one that is removed.

use std::time::Duration;

use qc_model::{Actor, EnvironmentName, Name, RunId, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow, StoreError};
use serde_json::json;

use crate::{
    Engine, Times,
    timekeeper::{KIND, Known, all, of, timetable},
};

/// How many documents one look for those of removed schedules brings.
const PAGE: usize = 500;

/// A schedule with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleView {
    /// Where it is deployed.
    pub environment: EnvironmentName,
    /// Whose it is.
    pub integration: Name,
    /// The trigger.
    pub trigger: Name,
    /// Whose runs it begins.
    pub tenant: TenantName,
    /// Its times, in words.
    pub plan: String,
    /// The last occurrence that was dealt with, when there was one.
    pub last: Option<Timestamp>,
    /// The run that began last.
    pub last_run: Option<RunId>,
    /// The next occurrence; None while it is paused, or waits for the last run.
    pub next: Option<Timestamp>,
    /// An occurrence that waits for the end of the last run.
    pub queued: Option<Timestamp>,
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
}

impl Engine {
    /// All schedules of what is deployed, and where they stand.
    ///
    /// Errors: those of the store.
    pub async fn schedules(&self) -> Result<Vec<ScheduleView>, StoreError> {
        let deployments = self.deployments();
        let mut views = Vec::new();
        for one in all(&deployments) {
            let Known { standing, revision } = self.standing_of(&one).await?;
            let now = self.shared.now();
            let next = match &one.schedule.times {
                Times::After { ms } if !self.is_open(standing.last_run).await? => {
                    Some(standing.last.max(standing.anchor) + Duration::from_millis(*ms))
                }
                Times::After { .. } => None,
                _ => timetable(one.schedule, standing.anchor)
                    .and_then(|timetable| timetable.next(now.max(standing.last))),
            };
            views.push(ScheduleView {
                environment: one.deployment.environment.clone(),
                integration: one.deployment.release.integration.clone(),
                trigger: one.trigger.clone(),
                tenant: one.schedule.tenant.clone(),
                plan: one.schedule.times.plan(),
                last: (revision > 0 && standing.last != standing.anchor).then_some(standing.last),
                last_run: standing.last_run,
                next: next.filter(|_| standing.paused.is_none() && standing.queued.is_none()),
                queued: standing.queued,
                paused: standing.paused,
            });
        }
        views.sort_by(|a, b| {
            let key = |v: &ScheduleView| {
                (v.environment.clone(), v.integration.clone(), v.trigger.clone())
            };
            key(a).cmp(&key(b))
        });
        Ok(views)
    }

    /// Has a schedule begin nothing, or go on: what was due meanwhile is left out. False when there is no such schedule.
    ///
    /// Errors: those of the store; [`StoreError::Unavailable`] when it moved at this moment.
    pub async fn pause_schedule(
        &self,
        environment: &str,
        integration: &str,
        trigger: &str,
        pause: bool,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let deployments = self.deployments();
        let Some(deployment) = deployments.lookup(environment, integration) else {
            return Ok(false);
        };
        let wanted = of(deployment).find(|one| one.trigger.as_str() == trigger);
        let Some(one) = wanted else { return Ok(false) };
        let mut known = self.standing_of(&one).await?;
        let now = self.shared.now();
        let mut standing = known.standing.clone();
        match (pause, standing.paused) {
            (true, Some(_)) | (false, None) => return Ok(true),
            (true, None) => standing.paused = Some(now),
            (false, Some(_)) => {
                standing.paused = None;
                standing.last = standing.last.max(now);
            }
        }
        let outcome = if pause { "schedule.pause" } else { "schedule.resume" };
        let row = LedgerRow {
            kind: LedgerKind::Audit,
            actor: actor.text(),
            ..self.times_row(&one, outcome, &actor.with_origin(json!({})))
        };
        self.write_standing(&one, &mut known, standing, vec![row]).await?;
        self.shared.forget_times();
        Ok(true)
    }

    /// Removes where schedules stood whose integration is deployed without them: should they come back, they begin anew.
    pub(crate) async fn forget_removed(&self) -> Result<(), StoreError> {
        let deployments = self.deployments();
        let there: Vec<String> = all(&deployments).map(|one| one.name).collect();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.documents(KIND, after.as_deref(), PAGE).await?;
            after = page.last().map(|document| document.name.clone());
            let more = page.len() == PAGE;
            for document in page {
                let mut parts = document.name.split('/');
                let (Some(environment), Some(integration)) = (parts.next(), parts.next()) else {
                    continue;
                };
                if there.contains(&document.name)
                    || !self.does(&format!("{KIND} {}", document.name))
                    || deployments.lookup(environment, integration).is_none()
                {
                    continue;
                }
                let id = TxnId::new(self.shared.now(), &*self.shared.entropy);
                let expect = Expect::Revision(document.revision);
                let delete =
                    DocumentOp::Delete { kind: document.kind, name: document.name, expect };
                let (ledger, signals) = (Vec::new(), Vec::new());
                self.shared
                    .committer
                    .change(Change { id, documents: vec![delete], ledger, signals })
                    .await?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}
