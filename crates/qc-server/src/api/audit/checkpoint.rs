use http::Method;
use qc_access::Action;

use super::newest;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::AuditCheckpoint,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "auditCheckpoint",
    method: Method::GET,
    path: "/api/v1/audit/checkpoint",
    action: Action::AuditRead,
    summary: "The newest signed checkpoint of the audit's log",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<AuditCheckpoint>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let newest = newest(&permit).await?;
    Ok(Reply::ok(&AuditCheckpoint {
        schema_version: 1,
        origin: newest.origin,
        size: newest.size,
        key: newest.key,
        checkpoint: newest.checkpoint,
        sealed_at: newest.at.to_string(),
    }))
}
