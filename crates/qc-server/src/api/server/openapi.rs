use http::Method;
use qc_access::Action;

use serde_json::json;

use crate::{
    Problem,
    api::{Call, Reply, Route, limits::list::shown_to, route::Answer},
    codes,
    problem::QUOTA_EXCEEDED,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showOpenApi",
    method: Method::GET,
    path: "/api/v1/openapi.json",
    action: Action::ServerRead,
    summary: "This API's description (OpenAPI 3.1), with the limits of what comes in as they are in force",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Text("application/json"),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    call.may(None, None).await?;
    let mut document = crate::openapi::document();
    let limits = shown_to(&call);
    if !limits.is_empty() {
        document["x-quickconnect-limits"] = json!({
            "description": "Limits of what comes in at `/in/…`, as they are in force now. `quota` units are there at \
                once, and come back one by one, each after `interval_nanos`; no window begins anew, and no clock is \
                shared. Who uses at most `quota` in any `window` seconds is never refused.",
            "excess": { "status": 429, "code": codes::LIMITED, "type": QUOTA_EXCEEDED },
            "limits": limits,
        });
    }
    Ok(Reply::ok(&document))
}
