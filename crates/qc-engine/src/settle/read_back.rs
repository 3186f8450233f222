//! Read-backs: whether an ambiguous call took effect is asked of the other side, at the pace that it allows.

use std::time::Duration;

use qc_connect::call::Verified;
use qc_model::{Applied, Class, Failure, Retry, Timestamp};
use qc_pace::Declared;
use qc_workflow::means_unavailable;
use tokio::time::sleep;

use super::{Work, ambiguous};
use crate::{
    fair::{OnceMore, Permit, Share, Told, Why},
    outgoing::lane_of,
    run::Settled,
};

/// How often an ambiguous call is read back before a person has to decide, and the pauses between.
const TIMES: u32 = 8;
const FIRST: Duration = Duration::from_millis(500);
const LAST: Duration = Duration::from_secs(60);
/// How long the read-backs of a call wait for their turns at most, from the first on.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

impl Work<'_> {
    /// Asks the other side whether the effect took place, until it knows.
    pub(super) async fn read_back(&mut self, mut failure: Failure) -> Settled {
        let (mut pause, until) = (FIRST, self.shared.now() + PATIENCE);
        for _ in 0..TIMES {
            match self.read_back_once(until).await {
                Ok(Verified::Applied(output)) => return Settled::Answered(output),
                Ok(Verified::NotApplied) => {
                    failure.applied = Applied::No;
                    return Settled::Failed(failure);
                }
                Ok(Verified::Unknown(unknown)) if matches!(unknown.retry, Retry::After { .. }) => {
                    sleep(unknown.stated_pause().unwrap_or(pause).min(LAST)).await;
                    pause = (pause * 2).min(LAST);
                }
                Ok(Verified::Unknown(unknown)) if unknown.class == Class::Auth => {
                    return Settled::Park(unknown);
                }
                Ok(Verified::Unknown(unknown)) => {
                    return Settled::Park(ambiguous(&failure, &unknown.detail));
                }
                // One call at a time finds out whether the system is back.
                Err(Why::Away(_)) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST);
                }
                Err(why) => {
                    let says = why.says(self.read_back_share().0.lane.system_name());
                    let says = says.unwrap_or_else(|| "it may not be read back now".to_owned());
                    return Settled::Park(ambiguous(&failure, &says));
                }
            }
        }
        let parked = ambiguous(&failure, "the read-back did not answer");
        // Whether it is held is decided where it is known whether anybody still waits for it.
        let held = self.context.deployment.release.program.holds_at(&self.ready.request.id.pointer);
        if held && means_unavailable(failure.class) {
            return Settled::Hold { failure, parked };
        }
        Settled::Park(parked)
    }

    /// Asks once, when the pace of the other side lets it. Err: why it may not.
    async fn read_back_once(&self, until: Timestamp) -> Result<Verified, Why> {
        let (shared, request) = (self.shared, &self.ready.request);
        let (connectors, scope) =
            (&self.context.deployment.release.connectors, &self.context.scope);
        if let Some(pause) = shared.outbound.settles_in(connectors, request, &self.effect) {
            sleep(pause).await;
        }
        let (share, declared) = self.read_back_share();
        let tries = self.permit.as_ref().is_some_and(Permit::is_untold);
        let asks = OnceMore { share: &share, declared: declared.as_ref(), until, tries };
        let counted = shared.gate.once_more(asks).await?;
        let read = shared.outbound.verify(connectors, scope, request, &self.effect).await;
        let failure = match &read.verified {
            Verified::Unknown(failure) => Some(Box::new(failure.clone())),
            Verified::Applied(_) | Verified::NotApplied => None,
        };
        let ((outcome, health), said) = (read.tells, read.said);
        let told = Told { outcome, health, said, requests: read.requests, failure, calls: 1 };
        if let Some((limit, until)) = counted.tell(&told) {
            Box::pin(shared.keep_stated(&limit, until)).await;
        }
        Ok(read.verified)
    }

    /// Against which limit a read-back counts.
    fn read_back_share(&self) -> (Share, Option<Declared>) {
        let (facts, request) = (&self.context.facts, &self.ready.request);
        let (connectors, scope) =
            (&self.context.deployment.release.connectors, &self.context.scope);
        let (mut lane, mut declared) = lane_of(connectors, scope, request);
        if let Some((limit, of_limit)) = connectors.limit_of_read_back(&request.target) {
            (lane.limit, declared) = (format!("{}/{limit}", scope.name).into(), Some(of_limit));
        }
        // It is the first time that this is asked, and it is not sent again for nothing.
        lane.again = false;
        let share = Share {
            tenant: facts.tenant.clone(),
            integration: facts.integration.clone(),
            lane,
            key: facts.id.to_string().into(),
            priority: facts.priority,
        };
        (share, declared)
    }
}
