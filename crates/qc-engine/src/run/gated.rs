//! Calls at the gate: what may not go now was neither sent nor journaled, and goes when its turn comes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use qc_workflow::{CallId, CallRequest, CallTarget};

use super::{ActiveRun, Purpose, Ready, never_sent};
use crate::{
    draft::Draft,
    fair::{Gate, Lane, Permit, Share, Ticket},
    outgoing::request_of,
};

/// A call that waits until a limit lets it go.
pub(super) struct Gated {
    request: CallRequest,
    purpose: Purpose,
    ticket: Ticket,
}

impl ActiveRun {
    /// Lets the calls of a draft pass the gate, as far as they may go now. The others are taken out of it: as long as
    /// they wait, nothing says that they may have been sent.
    pub(crate) fn pass(&mut self, gate: &Arc<Gate>, draft: &mut Draft) {
        for ready in std::mem::take(&mut draft.ready) {
            let call = ready.request.id.clone();
            // What the integration keeps is no other system, and a commit of its own.
            let kept = matches!(ready.request.target, CallTarget::Kept { .. });
            if kept || self.permits.contains_key(&call) {
                draft.ready.push(ready);
                continue;
            }
            match gate.pass(self.share_of(&ready.request)) {
                Ok(permit) => {
                    self.permits.insert(call, permit);
                    draft.ready.push(ready);
                }
                Err(ticket) => self.hold(ready, ticket, draft),
            }
        }
    }

    fn hold(&mut self, ready: Ready, ticket: Ticket, draft: &mut Draft) {
        let call = ready.request.id.clone();
        draft.take_back(&call);
        if self.log.get_mut(&call).is_some_and(|log| !log.not_intended()) {
            self.log.remove(&call);
        }
        let gated = Gated { request: ready.request, purpose: ready.purpose, ticket };
        self.gated.insert(call, gated);
    }

    fn share_of(&self, request: &CallRequest) -> Share {
        let facts = self.facts();
        Share {
            tenant: facts.tenant.clone(),
            integration: facts.integration.clone(),
            lane: self.lane_of(request),
            key: match &self.context.line {
                Some(line) => line.key.as_str().into(),
                None => facts.id.to_string().into(),
            },
            priority: facts.priority,
        }
    }

    /// The system to which a call goes: a connector in an environment, or a host.
    fn lane_of(&self, request: &CallRequest) -> Lane {
        let scope = &self.context.scope;
        if let CallTarget::Connector { connector, .. } = &request.target {
            return format!("{}/{connector}", scope.name).into();
        }
        let (_, url) = request_of(&self.context.deployment.release.connectors, scope, request);
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().into()
    }

    /// Whether calls wait at the gate.
    pub(crate) fn waits_at_gate(&self) -> bool {
        !self.gated.is_empty()
    }

    /// The next call whose turn has come. Never, when none waits.
    pub(crate) fn next_grant(&mut self) -> impl Future<Output = (CallId, Permit)> {
        std::future::poll_fn(|context: &mut Context<'_>| {
            for (call, gated) in &mut self.gated {
                if let Poll::Ready(Ok(permit)) = Pin::new(&mut gated.ticket).poll(context) {
                    return Poll::Ready((call.clone(), permit));
                }
            }
            Poll::Pending
        })
    }

    /// A call's turn has come: its intent is journaled, and then it goes.
    pub(crate) fn granted(&mut self, call: CallId, permit: Permit, draft: &mut Draft) {
        let Some(gated) = self.gated.remove(&call) else { return };
        self.permits.insert(call, permit);
        self.intend(gated.request, gated.purpose, draft);
    }

    /// The machine gave a call up. True: it waits at the gate; when nothing of it is in doubt, that is all.
    pub(super) fn interrupt_gated(&mut self, call: &CallId, draft: &mut Draft) -> bool {
        let Some(mut gated) = self.gated.remove(call) else { return false };
        if gated.purpose == Purpose::Send {
            never_sent(gated.request, draft);
        } else {
            gated.purpose = Purpose::Settle;
            self.gated.insert(call.clone(), gated);
        }
        true
    }
}
