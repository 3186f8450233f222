//! The door for events: `POST /in/{environment}/{integration}/{trigger}`, and with the version of the contract after it
//! where the trigger takes that.
//!
//! The order is fixed: size cap, sender (token or signature), challenge, form, event, tenant, idempotency key, limits, contract
//! (of the version that the sender speaks, which is then taken to the workflow's), and then ONE commit by the engine. What is refused on the way writes nothing; that a token
//! was denied is told to the audit.

mod admit;
mod answer;
mod cloudevents;
mod door;
mod hops;
mod ids;
mod key;
mod media;
mod offered;
mod plain;
mod prefer;
mod priority;
mod sender;
mod trace;
mod version;
mod webhook;

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header, request::Parts};
use http_body_util::Full;
use hyper::body::Body;
use qc_document::ParseLimits;
use qc_engine::{Deployment, Trigger, TriggerKind};
use qc_model::{Actor, Party};
use serde_json::json;

use crate::{PointedError, Problem, State, asker::Sent, body, codes, metrics::AcceptOutcome};
pub use offered::{OfferOutcome, Offered};

use cloudevents::Carried;
use door::{Door, Taken};
use media::Media;

/// All addresses of triggers begin so.
pub(crate) const PREFIX: &str = "/in/";

/// The body's SHA-256.
fn body_hash(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Takes one request to a trigger.
pub(crate) async fn handle<B>(
    state: &State,
    request: Request<B>,
    sent: &Sent,
) -> Result<Response<Full<Bytes>>, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let (deployment, name, version) = find(state, parts.uri.path())?;
    let trigger = deployment.release.triggers.get(name);
    let trigger = trigger.filter(|trigger| trigger.kind.is_sent()).ok_or_else(no_trigger)?;
    if let Some(version) = version {
        let versions = trigger.versions.as_ref().ok_or_else(no_trigger)?;
        if parts.method == Method::GET {
            // Whoever may send may read how to move on.
            let known = sender::by_token(state, &deployment, trigger, &parts.headers, sent).await;
            told_denied(state, &known).await;
            return known.and_then(|_| version::guide(versions, version));
        }
        if !versions.select.path {
            return Err(no_trigger());
        }
    }
    let since = std::time::Instant::now();
    let result = through(state, &deployment, trigger, (&parts, version), body, sent).await;
    told_denied(state, &result).await;
    let outcome = match &result {
        Ok((_, outcome)) => *outcome,
        Err(problem) => AcceptOutcome::of_status(problem.status),
    };
    state.metrics.accepted(&deployment, &trigger.name, outcome, since.elapsed());
    result.map(|(response, _)| response).map_err(|problem| owned(state, &deployment, problem))
}

/// Names who owns what failed, and where they are reached. What the platform's operator has to mend is theirs, when the
/// settings say who that is.
fn owned(state: &State, deployment: &Deployment, mut problem: Problem) -> Problem {
    // A limit of the server is nobody's whose integration met it.
    let of_server = problem.code == codes::LIMITED || state.settings.operator.is_some();
    let of_operator = problem.party == Party::Operator && of_server;
    if problem.owner.is_none() && !of_operator {
        problem.owner.clone_from(&deployment.release.owner);
    }
    let contacts = &deployment.release.people.contacts;
    problem.contact = problem.owner.as_ref().and_then(|owner| contacts.get(owner)).cloned();
    problem
}

/// The audit hears of whoever may not send.
async fn told_denied<T>(state: &State, result: &Result<T, Problem>) {
    if let Err(problem) = result
        && let Some(denied) = &problem.denied
    {
        state.tell_refusal(&denied.actor, "sendEvent", problem).await;
    }
}

/// What is deployed there, the trigger's name and the version that the address says.
fn find<'p>(
    state: &State,
    path: &'p str,
) -> Result<(Arc<Deployment>, &'p str, Option<&'p str>), Problem> {
    let segments: Vec<&str> = path.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
    let (environment, integration, trigger, version) = match segments[..] {
        [environment, integration, trigger] => (environment, integration, trigger, None),
        [environment, integration, trigger, version] => {
            (environment, integration, trigger, Some(version))
        }
        _ => return Err(no_trigger()),
    };
    let deployments = state.engine.deployments();
    let deployment = deployments.lookup(environment, integration).map(Arc::clone);
    Ok((deployment.ok_or_else(no_trigger)?, trigger, version))
}

fn no_trigger() -> Problem {
    Problem::new(
        404,
        codes::NO_TRIGGER,
        "No such trigger",
        "no release with this trigger is deployed here; a trigger's address is \
         `/in/{environment}/{integration}/{trigger}`, and `qc deployments` lists them",
    )
}

async fn through<B>(
    state: &State,
    deployment: &Arc<Deployment>,
    trigger: &Trigger,
    (parts, version): (&Parts, Option<&str>),
    body: B,
    sent: &Sent,
) -> Result<(Response<Full<Bytes>>, AcceptOutcome), Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if parts.method != Method::POST && !webhook::has_challenge(trigger) {
        let detail = "events are sent with POST";
        return Err(Problem::new(405, codes::TRIGGER_METHOD, "Method not allowed", detail)
            .header(header::ALLOW, "POST"));
    }
    let arrived_at = state.clock.now();
    // What is not sent with POST can only be a handshake, which knows no tokens: it asks whether events may come here,
    // and whoever sends them then needs the token.
    let known = if parts.method == Method::POST {
        sender::by_token(state, deployment, trigger, &parts.headers, sent).await?
    } else {
        None
    };
    let patience = state.settings.body_timeout;
    let body = body::read(body, &parts.headers, trigger.body_limit, patience).await?;
    if let Some(response) =
        webhook::challenge(state, deployment, trigger, parts, &body, arrived_at)?
    {
        return Ok((response, AcceptOutcome::Challenge));
    }
    if parts.method != Method::POST {
        let detail = "this is not the provider's handshake; events are sent with POST";
        return Err(Problem::new(405, codes::TRIGGER_METHOD, "Method not allowed", detail)
            .header(header::ALLOW, "POST"));
    }
    let sender = match known {
        Some(sender) => sender,
        None => {
            sender::by_signature(state, deployment, trigger, &parts.headers, &body, arrived_at)?
                .into()
        }
    };
    let door = Door::new(state, deployment, trigger, &parts.headers, sender).at(version);
    let taken = take(&door, &parts.headers, &body, trigger, &sent.request).await;
    let mut fields = door.version_fields();
    fields.extend(door.limit_fields());
    match taken {
        Ok((mut response, outcome)) => {
            for (name, value) in fields {
                response.headers_mut().append(name, value);
            }
            Ok((response, outcome))
        }
        Err(mut problem) => {
            // Of a batch it is said already which of its events it is.
            let unplaced = problem.errors.is_empty();
            if problem.code == codes::KEY_REUSED && trigger.idempotency.is_none() && unplaced {
                let why = "this came with another event";
                let error = if parts.headers.contains_key("idempotency-key") {
                    PointedError::header("Idempotency-Key", why)
                } else {
                    PointedError::new("/id", why)
                };
                problem.errors.push(error.expecting(json!({ "new": true })));
            }
            problem.headers.extend(fields);
            Err(problem)
        }
    }
}

/// Reads what came in the trigger's form, accepts it and answers.
async fn take(
    door: &Door<'_>,
    headers: &HeaderMap,
    body: &Bytes,
    trigger: &Trigger,
    id: &str,
) -> Result<(Response<Full<Bytes>>, AcceptOutcome), Problem> {
    let media = Media::of(headers)?;
    let limits = ParseLimits { bytes: trigger.body_limit, ..ParseLimits::ingress() };
    let (sent, sender_id) = match &trigger.kind {
        TriggerKind::CloudEvents { .. } => {
            match cloudevents::read(headers, media, body, &limits)? {
                Carried::One(sent) => {
                    let id = door::sender_id(&sent.event);
                    (*sent, Some(id))
                }
                Carried::Batch(batch) => {
                    let accepted = door.accept_batch(batch).await?;
                    let outcome = if accepted.iter().any(|one| !one.is_repeat()) {
                        AcceptOutcome::Accepted
                    } else {
                        AcceptOutcome::Repeat
                    };
                    return Ok((answer::batch(&accepted), outcome));
                }
            }
        }
        TriggerKind::Json { event_type } => {
            (door.wrap_json(event_type, media, body, &limits)?, None)
        }
        TriggerKind::Webhook { event_type, event_id, .. } => {
            door.wrap_webhook(event_type, event_id.as_ref(), media, body, &limits)?
        }
        TriggerKind::Amqp(_) | TriggerKind::Poll(_) => return Err(no_trigger()),
    };
    let accepted = door.accept(sent, sender_id).await?;
    let outcome =
        if accepted.is_repeat() { AcceptOutcome::Repeat } else { AcceptOutcome::Accepted };
    let response = match (prefer::wait(headers), &accepted) {
        (Some(wait), Taken::Run(run, terms)) => answer::waited(door, (*run, terms), wait, id).await,
        // What is published has no end to wait for.
        (None, _) | (_, Taken::Event(_)) => answer::taken(&accepted),
    };
    Ok((response, outcome))
}

/// Who sent something over a trigger that takes anybody.
fn anybody() -> Actor {
    Actor::new(qc_model::ActorKind::Anonymous, "anybody")
}
