use http::Method;
use qc_access::{Action, Approved};
use qc_model::{Actor, ActorKind};

use super::{named, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route, approvals, grants,
        route::{Answer, path, schema},
        wire::Capture,
    },
};

pub(in crate::api) const APPROVE: Route = Route {
    id: "approveCapture",
    method: Method::POST,
    path: "/api/v1/captures/{capture}/approve",
    action: Action::CapturesApprove,
    summary: "Agree to a debug capture that somebody else asked for; it records from now on",
    parameters: &[path("capture", "The capture's id")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Capture>),
    handler: |call| Box::pin(handle(call, true)),
};

pub(in crate::api) const REFUSE: Route = Route {
    id: "refuseCapture",
    path: "/api/v1/captures/{capture}/refuse",
    summary: "Refuse a debug capture that somebody else asked for, or end one that is under way",
    handler: |call| Box::pin(handle(call, false)),
    ..APPROVE
};

async fn handle(call: Call, agree: bool) -> Result<Reply, Problem> {
    let (capture, permit) = named(&call).await?;
    let by = grants::person(&call)?;
    let (captures, now) = (&permit.state.captures, permit.state.clock.now());
    if agree {
        let change = Approved {
            action: Action::CapturesApprove,
            environment: Some(capture.environment.clone()),
            integration: Some(capture.integration.clone()),
            what: capture.id.clone(),
        };
        let asker = Actor::new(ActorKind::Human, capture.person.as_str());
        approvals::demand(&permit, &change, &[&asker]).await?;
    }
    let decided = if !agree && capture.is_readable(now) {
        Box::pin(captures.end(&capture.id, &permit.actor)).await?
    } else {
        captures.decide(&capture.id, agree, &by, &permit.actor).await?
    };
    Ok(Reply::ok(&shown(&decided, now)))
}
