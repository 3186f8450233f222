use std::{str::FromStr, time::Duration};

use http::Method;
use qc_access::Action;
use qc_capture::CaptureRequest;
use qc_document::parse_duration;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route, grants,
        route::{Answer, schema},
        unusable,
        wire::{Capture, RequestCapture},
    },
};

/// For how long is recorded, and kept after that, when nothing is said.
const USUAL: Duration = Duration::from_secs(1_800);
const USUAL_KEEP: Duration = Duration::from_secs(3_600);
/// How much is recorded when nothing is said.
const USUAL_MAX: u32 = 100;

pub(in crate::api) const ROUTE: Route = Route {
    id: "requestCapture",
    method: Method::POST,
    path: "/api/v1/captures",
    action: Action::CapturesRequest,
    summary: "Ask that an integration's calls are recorded for a time; a second person agrees",
    parameters: &[],
    body: Some(schema::<RequestCapture>),
    status: 201,
    answer: Answer::Json(schema::<Capture>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let asked: RequestCapture = call.body()?;
    let permit = call.may(Some(&asked.environment), Some(&asked.integration)).await?;
    let person = grants::person(&call)?;
    let tenant = asked.tenant.as_deref().unwrap_or("default");
    let request = CaptureRequest {
        person,
        tenant: name("tenant", tenant)?,
        environment: name("environment", &asked.environment)?,
        integration: name("integration", &asked.integration)?,
        task: asked.task,
        system: asked.system,
        events: asked.events,
        reason: asked.reason,
        ticket: asked.ticket,
        lifetime: time("lifetime", asked.lifetime.as_deref())?.unwrap_or(USUAL),
        keep: time("keep", asked.keep.as_deref())?.unwrap_or(USUAL_KEEP),
        max: asked.max.unwrap_or(USUAL_MAX),
    };
    let capture = permit.state.captures.request(request, &permit.actor).await?;
    Ok(Reply::created(&shown(&capture, permit.state.clock.now())))
}

fn name<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| unusable(what, &error))
}

fn time(what: &str, text: Option<&str>) -> Result<Option<Duration>, Problem> {
    text.map(parse_duration).transpose().map_err(|error| unusable(what, &error))
}
