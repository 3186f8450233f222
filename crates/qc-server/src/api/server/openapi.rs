use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{Call, Reply, Route, route::Answer},
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showOpenApi",
    method: Method::GET,
    path: "/api/v1/openapi.json",
    action: Action::ServerRead,
    summary: "This API's description (OpenAPI 3.1)",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Text("application/json"),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    call.may(None, None).await?;
    Ok(Reply::ok(&crate::openapi::document()))
}
