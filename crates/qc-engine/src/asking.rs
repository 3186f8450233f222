//! Requests of the platform that belong to no run: polls, canary calls, probes. They wait for their turn as the calls of
//! runs do, and count as those do.

use std::{sync::atomic::Ordering, time::Duration};

use qc_connect::call::{Connectors, EffectContext, EnvironmentScope, Performed};
use qc_model::{Applied, Class, Failure, Name, Retry};
use qc_store::Priority;
use qc_workflow::CallRequest;
use tokio::time::timeout;

use crate::{
    engine::Shared,
    fair::{Asks, Grant, Permit, Share, Told},
    outgoing::lane_of,
};

/// As whose what the platform asks by itself takes turns.
const PLATFORM: &str = "platform";

/// A request that belongs to no run.
pub(crate) struct Asking<'a> {
    pub(crate) connectors: &'a Connectors,
    pub(crate) scope: &'a EnvironmentScope,
    pub(crate) call: &'a CallRequest,
    pub(crate) effect: &'a EffectContext,
    pub(crate) priority: Priority,
    /// How long it waits for its turn at most.
    pub(crate) patience: Duration,
}

impl Shared {
    /// Performs one attempt once its turn has come. One whose turn does not come in time fails unsent.
    pub(crate) async fn ask_beside(&self, asking: Asking<'_>) -> Performed {
        let Asking { connectors, scope, call, effect, .. } = &asking;
        let mut permit = match self.turn_of(&asking).await {
            Ok(permit) => permit,
            Err(failure) => {
                return Performed::not_sent(call, &effect.key, *failure, self.now());
            }
        };
        let performed = Box::pin(self.outbound.perform(connectors, scope, call, effect)).await;
        self.counters.calls.fetch_add(1, Ordering::Relaxed);
        if performed.result.is_err() {
            self.counters.calls_failed.fetch_add(1, Ordering::Relaxed);
        }
        let (outcome, health) = performed.tells();
        let failure = performed.result.as_ref().err().cloned().map(Box::new);
        let (said, requests) = (performed.said.clone(), performed.record.requests);
        let told = Told { outcome, health, said, requests, failure, calls: 1 };
        if let Some((limit, until)) = permit.tell(&told) {
            Box::pin(self.keep_stated(&limit, until)).await;
        }
        performed
    }

    async fn turn_of(&self, asking: &Asking<'_>) -> Result<Permit, Box<Failure>> {
        let Asking { connectors, scope, call, priority, patience, .. } = asking;
        let (mut lane, declared) = lane_of(connectors, scope, call);
        // Whoever asks in intervals of its own repeats nothing.
        lane.again = false;
        let share = Share {
            tenant: scope.tenant.clone(),
            // It takes turns with the runs of its integration, and does not stand behind all of them.
            integration: Name::new(PLATFORM).expect("a legal name"),
            lane,
            key: call.id.pointer.as_ref().into(),
            priority: *priority,
        };
        let declared = declared.as_ref();
        let asks =
            Asks { share: share.clone(), declared, fresh: true, patient: false, batch: None };
        let ticket = match self.gate.pass(asks) {
            Ok(permit) => return Ok(permit),
            Err(ticket) => ticket,
        };
        match timeout(*patience, ticket).await {
            Ok(Ok(Grant::Go(permit))) => Ok(permit),
            Ok(Ok(Grant::Barred(failure))) => Err(failure),
            // Its time is up, or this process is ending.
            Ok(Ok(Grant::Later(_)) | Err(_)) | Err(_) => {
                let name = share.lane.system_name();
                let why = self.gate.why(&share).and_then(|why| why.says(name));
                Err(not_its_turn(why.unwrap_or_else(|| format!("waits for its turn at `{name}`"))))
            }
        }
    }
}

fn not_its_turn(why: String) -> Box<Failure> {
    Box::new(Failure {
        applied: Applied::No,
        retry: Retry::After { stated_ms: None },
        ..Failure::new(
            Class::Throttled,
            qc_connect::codes::NOT_ITS_TURN,
            "A request was not sent, as its turn did not come in time",
            why,
        )
    })
}
