use http::Method;
use qc_access::Action;

use super::BULK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Bulk,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showBulk",
    method: Method::GET,
    path: "/api/v1/bulks/{bulk}",
    action: Action::RunsRead,
    summary: "Show a plan, or how far its work has come",
    parameters: &[BULK],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Bulk>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (bulk, _) = super::bulk(&call).await?;
    Ok(Reply::ok(&Bulk::from(&bulk)))
}
