//! What is added to a problem where it leaves: what only the server as a whole knows. One place, so that no door forgets it.

use std::collections::BTreeMap;

use http::{HeaderValue, Response, header};
use http_body_util::Either;
use qc_model::{Failure, NextAction, Party};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Problem, State, service::AnswerBody};

/// Seconds to wait when a problem says to wait and not for how long.
const UNSAID: u64 = 2;

/// The answer with the whole problem in it.
pub(crate) fn completed(
    state: &State,
    mut problem: Problem,
    mut response: Response<AnswerBody>,
    request: &str,
) -> Response<AnswerBody> {
    complete(state, &mut problem);
    told(&problem, request);
    let body = problem.to_json(Some(request)).to_string();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.map(|_| Either::Left(body.into()))
}

fn complete(state: &State, problem: &mut Problem) {
    let waits = problem.next_action == NextAction::WaitUntil;
    if waits && problem.retry_after.is_none() {
        problem.retry_after = Some(UNSAID);
    }
    if waits || problem.next_action == NextAction::Retry {
        problem.not_before = problem
            .retry_after
            .map(|seconds| state.clock.now() + std::time::Duration::from_secs(seconds));
    }
    if problem.next_action == NextAction::RefreshToken && problem.credential.is_none() {
        problem.credential = Some(match state.authority.place() {
            Ok(place) => json!({
                "kind": "access_token",
                "grant_type": "client_credentials",
                "token_endpoint": place.token_endpoint(),
            }),
            Err(_) => json!({ "kind": "api_key", "command": "qc tokens create" }),
        });
    }
    let asked = problem.party == Party::Operator || problem.next_action == NextAction::ContactOwner;
    if problem.owner.is_none()
        && asked
        && let Some(operator) = &state.settings.operator
    {
        problem.owner = Some(operator.name.clone());
        problem.contact.clone_from(&operator.contact);
    }
}

/// Adds to a run's failure, as JSON, what its reader needs beside it: the page, the hop at which it failed, and how whoever
/// has to act is reached.
pub(crate) fn failure_shown(state: &State, shown: &mut Value, contacts: &BTreeMap<String, String>) {
    let Ok(failure) = Failure::deserialize(&*shown) else { return };
    let Some(fields) = shown.as_object_mut() else { return };
    let party = failure.code.meaning().party;
    fields.insert("page".into(), json!(failure.code.page()));
    fields.insert("hop".into(), json!(party.hop()));
    let contact = match (&failure.owner, &state.settings.operator) {
        (Some(owner), _) => contacts.get(owner),
        (None, Some(operator)) if party == Party::Operator => {
            fields.insert("owner".into(), json!(operator.name));
            operator.contact.as_ref()
        }
        (None, _) => None,
    };
    if let Some(contact) = contact {
        fields.insert("contact".into(), json!(contact));
    }
}

/// The log's line of it. What the platform's operator has to mend is a warning; all else is the sender's or the author's to
/// see, who have it in their hands. What passes by itself is none either: under load it would be a line for each request.
fn told(problem: &Problem, request: &str) {
    let (code, class) = (problem.code.as_str(), problem.class.as_str());
    let (next_action, hop) = (problem.next_action.as_str(), problem.party.hop());
    let owner = problem.owner.as_deref().unwrap_or_default();
    if problem.party == Party::Operator && problem.next_action != NextAction::WaitUntil {
        tracing::warn!(target: "problem", request, code, class, next_action, hop, owner, "refused");
    } else {
        tracing::debug!(target: "problem", request, code, class, next_action, hop, owner, "refused");
    }
}
