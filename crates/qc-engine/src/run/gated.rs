//! Calls at the gate: what may not go now was neither sent nor journaled, and goes when its turn comes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use qc_model::{Applied, Class, Failure, Retry, Timestamp};
use qc_pace::Declared;
use qc_workflow::{CallId, CallRequest, CallTarget, Happening as Told};

use super::{ActiveRun, Purpose, Ready, never_sent};
use crate::{
    draft::Draft,
    fair::{Asks, Batch, Gate, Grant, Later, Permit, Share, Ticket},
    outgoing::lane_of,
};

/// A call that waits until a limit lets it go.
pub(super) struct Gated {
    request: CallRequest,
    purpose: Purpose,
    ticket: Ticket,
    /// For what, in words.
    says: Option<String>,
}

impl ActiveRun {
    /// Lets the calls of a draft pass the gate, as far as they may go now. The others are taken out of it: as long as
    /// they wait, nothing says that they may have been sent.
    pub(crate) fn pass(&mut self, gate: &Arc<Gate>, draft: &mut Draft) {
        for ready in std::mem::take(&mut draft.ready) {
            let call = ready.request.id.clone();
            // What the integration keeps is no other system, and a commit of its own.
            let kept = matches!(ready.request.target, CallTarget::Kept { .. });
            // Nobody waits for the answer of what is only settled, and at most it is read back.
            let settles = ready.purpose == Purpose::Settle;
            if kept || settles || self.permits.contains_key(&call) {
                draft.ready.push(ready);
                continue;
            }
            let fresh = ready.purpose == Purpose::Send;
            if let Some(later) = self.quiet(&ready.request, draft.at).filter(|_| fresh) {
                let grant = if self.machine().is_probed(&call) {
                    // It is held on: put off, it and all others that are held would come at once, and none would try first.
                    Grant::Barred(Box::new(not_tried(&later, draft.at)))
                } else {
                    Grant::Later(Box::new(later))
                };
                self.hold(ready, grant.at_once(), None, draft);
                continue;
            }
            let (share, declared) = self.share_of(&ready.request);
            // What is settled first takes its time before it is sent: nobody is to wait for that.
            let batch = if fresh { self.batch_of(&ready.request) } else { None };
            // What is tried for those that are held is not put off, as they would wait for it; nor is what people are
            // asked about, and which goes on meanwhile.
            let patient = fresh && !self.is_probing() && self.tasks.open().next().is_none();
            let (share_of, declared) = (share.clone(), declared.as_ref());
            let asks = Asks { share: share_of, declared, fresh, patient, batch };
            match gate.pass(asks) {
                Ok(permit) => {
                    self.permits.insert(call, permit);
                    draft.ready.push(ready);
                }
                Err(ticket) => {
                    let why = gate.why(&share);
                    let says = why.and_then(|why| why.says(share.lane.system_name()));
                    self.hold(ready, ticket, says, draft);
                }
            }
        }
    }

    fn hold(&mut self, ready: Ready, ticket: Ticket, says: Option<String>, draft: &mut Draft) {
        let call = ready.request.id.clone();
        draft.take_back(&call);
        if self.log.get_mut(&call).is_some_and(|log| !log.not_intended()) {
            self.log.remove(&call);
        }
        let gated = Gated { request: ready.request, purpose: ready.purpose, ticket, says };
        self.gated.insert(call, gated);
    }

    /// Until when a call waits that its task does not make in these hours. What undoes something waits for no hour.
    fn quiet(&self, request: &CallRequest, now: Timestamp) -> Option<Later> {
        let hours = self.context.deployment.release.quiet.get(&*request.id.pointer)?;
        let until = hours.over_at(now).filter(|_| !self.machine().is_undoing())?;
        Some(Later {
            until,
            why: format!("`{}` waits for the end of its quiet hours", request.task),
        })
    }

    /// With which calls this one goes in one request: those of the same task of the same release.
    fn batch_of(&self, request: &CallRequest) -> Option<Batch> {
        let release = &self.context.deployment.release;
        let most = release.connectors.goes_together(request)?;
        Some(Batch { with: format!("{}{}", release.hash, request.id.pointer).into(), most })
    }

    fn share_of(&self, request: &CallRequest) -> (Share, Option<Declared>) {
        let facts = self.facts();
        let connectors = &self.context.deployment.release.connectors;
        let (lane, declared) = lane_of(connectors, &self.context.scope, request);
        let share = Share {
            tenant: facts.tenant.clone(),
            integration: facts.integration.clone(),
            lane,
            key: match &self.context.line {
                Some(line) => line.key.as_str().into(),
                None => facts.id.to_string().into(),
            },
            priority: facts.priority,
        };
        (share, declared)
    }

    /// Whether calls wait at the gate.
    pub(crate) fn waits_at_gate(&self) -> bool {
        !self.gated.is_empty()
    }

    /// For what its calls wait at the gate, in words, if there is more to say than that they wait.
    pub(super) fn gated_says(&self) -> Option<String> {
        self.gated.values().find_map(|gated| gated.says.clone())
    }

    /// For what calls wait that come to the gate again later, in words.
    pub(super) fn put_off_says(&self, now: Timestamp) -> Option<String> {
        // Those of a branch that was cut off have no timer any more.
        let timers = self.machine().timers();
        let is_armed = |until: &Timestamp| timers.iter().any(|(_, at)| at == until);
        let waits = self.put_off.values().filter(|(until, _)| *until > now && is_armed(until));
        waits.min().map(|(_, why)| why.clone())
    }

    /// The next call whose wait at the gate is over. Never, when none waits there.
    pub(crate) fn next_grant(&mut self) -> impl Future<Output = (CallId, Grant)> {
        std::future::poll_fn(|context: &mut Context<'_>| {
            for (call, gated) in &mut self.gated {
                if let Poll::Ready(Ok(grant)) = Pin::new(&mut gated.ticket).poll(context) {
                    return Poll::Ready((call.clone(), grant));
                }
            }
            Poll::Pending
        })
    }

    /// A call's wait at the gate is over. When its turn has come its intent is journaled, and then it goes.
    pub(crate) fn granted(&mut self, call: CallId, grant: Grant, entropy: u64, draft: &mut Draft) {
        let Some(gated) = self.gated.remove(&call) else { return };
        match grant {
            Grant::Go(permit) => self.go(call, gated, permit, draft),
            Grant::Barred(failure) => {
                let (attempt, failure) = (gated.request.attempt, *failure);
                self.tell(Told::CallFailed { call, attempt, failure }, entropy, draft);
            }
            Grant::Later(later) => {
                let (attempt, Later { until, why }) = (gated.request.attempt, *later);
                self.put_off.insert(call.clone(), (until, why.clone()));
                self.tell(Told::PutOff { call, attempt, until, why }, entropy, draft);
            }
        }
    }

    fn go(&mut self, call: CallId, gated: Gated, permit: Permit, draft: &mut Draft) {
        self.permits.insert(call, permit);
        self.intend(gated.request, gated.purpose, draft);
    }

    /// The machine gave a call up. True: it waited at the gate; when nothing of it is in doubt, that is all, and else it
    /// is settled at once.
    pub(super) fn interrupt_gated(&mut self, call: &CallId, draft: &mut Draft) -> bool {
        let Some(gated) = self.gated.remove(call) else { return false };
        if gated.purpose == Purpose::Send {
            never_sent(gated.request, draft);
        } else {
            self.intend(gated.request, Purpose::Settle, draft);
        }
        true
    }
}

/// A call that is held for its system, and in whose quiet hours nothing is tried.
fn not_tried(later: &Later, now: Timestamp) -> Failure {
    let stated = u64::try_from(later.until.since(now).as_millis()).unwrap_or(u64::MAX);
    Failure {
        applied: Applied::No,
        retry: Retry::After { stated_ms: Some(stated) },
        ..Failure::new(
            Class::Transient,
            qc_connect::codes::QUIET_HOURS,
            "A call was not tried, as its quiet hours last",
            format!("{}, at {}", later.why, later.until),
        )
    }
}
