use http::Method;
use qc_access::Action;

use super::{named, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Release,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showRelease",
    method: Method::GET,
    path: "/api/v1/releases/{release}",
    action: Action::ReleasesRead,
    summary: "Show a release",
    parameters: &[path("release", "Its hash, or the beginning of it (at least six characters)")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Release>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (record, _) = named(&call).await?;
    Ok(Reply::ok(&shown(&record)))
}
