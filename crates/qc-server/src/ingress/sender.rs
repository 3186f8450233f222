use http::HeaderMap;
use qc_access::{Action, Resource};
use qc_engine::{Deployment, Trigger, TriggerAuth};
use qc_model::{Actor, ActorKind, NextAction, Timestamp};

use super::anybody;
use crate::{Problem, State, asker::Sent, bearer, codes};

/// Who sends an event.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    /// As the ledger names it.
    pub(super) actor: Actor,
    /// As people call it.
    pub(super) name: Option<String>,
}

impl From<Actor> for Sender {
    fn from(actor: Actor) -> Self {
        Self { actor, name: None }
    }
}

/// Who sends, where that is known before the body: by a token, or because anybody may. None: a signature will tell.
pub(super) async fn by_token(
    state: &State,
    deployment: &Deployment,
    trigger: &Trigger,
    headers: &HeaderMap,
    sent: &Sent,
) -> Result<Option<Sender>, Problem> {
    match &trigger.auth {
        TriggerAuth::Signature { .. } => Ok(None),
        TriggerAuth::Fetched => Err(super::no_trigger()),
        TriggerAuth::Open => Ok(Some(anybody().into())),
        TriggerAuth::Token => {
            let text = bearer(headers).ok_or_else(Problem::no_token)?;
            let principal = state.authenticate(text, sent).await?;
            let asker = state.asker(principal, sent.clone()).await?;
            let environment = Some(deployment.environment.as_str());
            let integration = Some(deployment.release.integration.as_str());
            asker.decide(&state.access, Action::EventsSend, environment, integration)?;
            let trigger = Resource { environment, name: integration, units: &[] };
            state.uses.note(&asker.principal, Action::EventsSend, trigger);
            let name = Some(asker.principal.name.clone());
            Ok(Some(Sender { actor: asker.principal.actor(), name }))
        }
    }
}

/// Who sends, by the signature over the body.
pub(super) fn by_signature(
    state: &State,
    deployment: &Deployment,
    trigger: &Trigger,
    headers: &HeaderMap,
    body: &[u8],
    arrived_at: Timestamp,
) -> Result<Actor, Problem> {
    let TriggerAuth::Signature { scheme, secret } = &trigger.auth else { return Ok(anybody()) };
    let live = state.secrets.live(&deployment.environment, secret).map_err(|missing| {
        tracing::error!(trigger = %trigger.name, "{}", missing.finding());
        uncheckable("the secret with which the sender signs is not configured here")
    })?;
    scheme.verify(headers, body, &live, arrived_at).map_err(|error| {
        // Not the sender's mistake, and what is wrong with our secret is not the sender's business.
        if error.code == qc_connect::codes::SIGNING_SECRET {
            tracing::error!(trigger = %trigger.name, "{error}");
            return uncheckable("the secret with which the sender signs cannot be used");
        }
        Problem::new(401, codes::SIGNATURE, "Signature not accepted", error.reason)
            .next(NextAction::FixRequest)
    })?;
    let id = format!("{}/{}", deployment.release.integration, trigger.name);
    Ok(Actor::new(ActorKind::Sender, id))
}

fn uncheckable(detail: &str) -> Problem {
    Problem::new(503, codes::NO_SIGNING_SECRET, "Signature cannot be checked", detail)
        .retry_after(30)
        .next(NextAction::ContactOwner)
}
