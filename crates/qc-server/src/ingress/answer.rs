use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use qc_engine::{Accepted, Announced, RunEnd, Terms};
use qc_model::{NextAction, RunId};
use serde_json::{Value, json};

use super::door::{Door, Taken};
use crate::{Problem, codes};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const RETRY: HeaderName = HeaderName::from_static("qc-retry");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

fn run_of(accepted: Accepted) -> RunId {
    match accepted {
        Accepted::New { run } | Accepted::Repeat { run } => run,
    }
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn mark(response: &mut Response<Full<Bytes>>, repeat: bool) {
    if repeat {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

/// 202: it is on disk, and here is where to ask for it. A repeat gets the same.
pub(super) fn taken(taken: &Taken) -> Response<Full<Bytes>> {
    match taken {
        Taken::Run(accepted, terms) => self::accepted(*accepted, terms),
        Taken::Event(Announced::New { event } | Announced::Repeat { event }) => {
            let mut response = json(StatusCode::ACCEPTED, json!({ "event": event }).to_string());
            mark(&mut response, taken.is_repeat());
            response
        }
    }
}

fn accepted(accepted: Accepted, terms: &Terms) -> Response<Full<Bytes>> {
    let run = run_of(accepted);
    let url = format!("/api/v1/runs/{run}");
    let body = with_terms(json!({ "run": run, "status_url": url }), terms).to_string();
    let mut response = json(StatusCode::ACCEPTED, body);
    if let Ok(location) = HeaderValue::from_str(&url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    mark(&mut response, matches!(accepted, Accepted::Repeat { .. }));
    response
}

/// That it begins later, or does its work in a lesser way.
fn with_terms(mut told: Value, terms: &Terms) -> Value {
    if let Some(queued) = &terms.queued {
        told["begins_at"] = json!(queued.until);
        told["queued_by"] = json!(queued.limit);
    }
    if terms.degraded {
        told["degraded"] = true.into();
    }
    told
}

/// 202 for a batch: one entry an event, in order.
pub(super) fn batch(all: &[Taken]) -> Response<Full<Bytes>> {
    let entries: Vec<Value> = all.iter().map(entry).collect();
    json(StatusCode::ACCEPTED, json!({ "events": entries }).to_string())
}

fn entry(taken: &Taken) -> Value {
    let replayed = taken.is_repeat();
    match taken {
        Taken::Run(accepted, terms) => {
            let run = run_of(*accepted);
            let told = json!({
                "run": run, "status_url": format!("/api/v1/runs/{run}"), "replayed": replayed
            });
            with_terms(told, terms)
        }
        Taken::Event(Announced::New { event } | Announced::Repeat { event }) => {
            json!({ "event": event, "replayed": replayed })
        }
    }
}

/// The run's end, when it comes within the wait; else 202 as ever.
pub(super) async fn waited(
    door: &Door<'_>,
    (first, terms): (Accepted, &Terms),
    wait: Duration,
    id: &str,
) -> Response<Full<Bytes>> {
    let run = run_of(first);
    // The event is on disk: whatever goes wrong while waiting, the sender must not think otherwise.
    let engine = &door.state.engine;
    let mut response = match engine.wait(run, wait).await {
        Ok(Some(RunEnd::Completed { output })) => {
            match engine.reply(door.deployment, &door.trigger.name, run, output).await {
                Ok(output) => match door.lowered(output) {
                    Ok(output) => completed(run, &output),
                    Err(problem) => problem.about(run).into_response(Some(id)),
                },
                Err(error) => {
                    tracing::warn!(%run, %error, "the run's output does not go to its sender");
                    accepted(first, terms)
                }
            }
        }
        Ok(Some(RunEnd::Faulted { failure, .. })) => {
            let problem = Problem::of_run(&failure, run);
            let problem = super::owned(door.state, door.deployment, problem);
            let mut response = problem.into_response(Some(id));
            // What could be tried again was, here: a sender that does so too multiplies it.
            response.headers_mut().insert(RETRY, HeaderValue::from_static("never"));
            response
        }
        Ok(Some(RunEnd::Cancelled { reason })) => {
            Problem::new(409, codes::RUN_CANCELLED, "Run cancelled", reason)
                .next(NextAction::None)
                .about(run)
                .into_response(Some(id))
        }
        Ok(None) => accepted(first, terms),
        Err(error) => {
            tracing::warn!(%run, %error, "waiting for the run failed");
            accepted(first, terms)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&format!("wait={}", wait.as_secs())) {
        response.headers_mut().insert(APPLIED, value);
    }
    mark(&mut response, matches!(first, Accepted::Repeat { .. }));
    response
}

fn completed(run: RunId, output: &Value) -> Response<Full<Bytes>> {
    let mut response = json(StatusCode::OK, output.to_string());
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/runs/{run}")) {
        response.headers_mut().insert(header::CONTENT_LOCATION, location);
    }
    response
}
