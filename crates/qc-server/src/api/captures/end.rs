use http::Method;
use qc_access::Action;

use super::{named, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Capture,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "endCapture",
    method: Method::POST,
    path: "/api/v1/captures/{capture}/end",
    action: Action::CapturesRequest,
    summary: "End a debug capture before its time, and remove what it recorded",
    parameters: &[path("capture", "The capture's id")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Capture>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (capture, permit) = named(&call).await?;
    let ended = Box::pin(permit.state.captures.end(&capture.id, &permit.actor)).await?;
    Ok(Reply::ok(&shown(&ended, permit.state.clock.now())))
}
