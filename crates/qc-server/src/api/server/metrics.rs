use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{Call, Reply, Route, route::Answer},
    metrics::MEDIA_TYPE,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showMetrics",
    method: Method::GET,
    path: "/metrics",
    action: Action::ServerRead,
    summary: "The server's numbers, for Prometheus and OpenMetrics collectors",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Text(MEDIA_TYPE),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    Ok(Reply::other(MEDIA_TYPE, permit.state.metrics.text().into()))
}
