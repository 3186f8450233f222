use std::time::Duration;

use http::Method;
use qc_access::{Action, Grant, GrantRequest};
use qc_document::parse_duration;

use super::{keep, person, shown, unfit};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable,
        wire::{self, RequestGrant},
    },
};

/// For how long when nothing is said.
const USUAL: Duration = Duration::from_secs(3_600);
/// The longest reason and ticket, in bytes.
const TEXT: usize = 1_000;

pub(in crate::api) const ROUTE: Route = Route {
    id: "requestGrant",
    method: Method::POST,
    path: "/api/v1/grants",
    action: Action::GrantsRequest,
    summary: "Ask for rights for a time, for oneself; a second person gives them",
    parameters: &[],
    body: Some(schema::<RequestGrant>),
    status: 201,
    answer: Answer::Json(schema::<wire::Grant>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: RequestGrant = call.body()?;
    let permit = call.may(Some(&request.environment), request.integration.as_deref()).await?;
    let person = person(&call)?;
    let actions = request.actions.iter().map(|text| {
        Action::parse(text).ok_or_else(|| unusable("actions", &format!("there is no `{text}`")))
    });
    for (what, text) in [("reason", &request.reason), ("ticket", &request.ticket)] {
        if text.len() > TEXT {
            return Err(unusable(what, &format!("it has at most {TEXT} bytes")));
        }
    }
    let lifetime = request.lifetime.as_deref().map(parse_duration).transpose();
    let asked = GrantRequest {
        person,
        actions: actions.collect::<Result<_, _>>()?,
        environment: request
            .environment
            .parse()
            .map_err(|error| unusable("environment", &error))?,
        integration: request
            .integration
            .map(|name| name.parse().map_err(|error| unusable("integration", &error)))
            .transpose()?,
        unit: request
            .unit
            .map(|name| name.parse().map_err(|error| unusable("unit", &error)))
            .transpose()?,
        reason: request.reason,
        ticket: request.ticket,
        lifetime: lifetime.map_err(|error| unusable("lifetime", &error))?.unwrap_or(USUAL),
    };
    let now = permit.state.clock.now();
    let grant =
        Grant::request(asked, now, &*permit.state.entropy).map_err(|error| unfit(&error))?;
    keep(&permit, &grant, None).await?;
    Ok(Reply::created(&shown(&grant, now)))
}
