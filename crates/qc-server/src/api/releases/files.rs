use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use qc_access::Action;
use qc_release::ReleaseError;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::ReleaseFiles,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "exportRelease",
    method: Method::GET,
    path: "/api/v1/releases/{release}/files",
    action: Action::ReleasesRead,
    summary: "Take the original files of a release out, byte for byte",
    parameters: &[path("release", "Its hash, or the beginning of it (at least six characters)")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<ReleaseFiles>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (record, permit) = named(&call).await?;
    let bundle = qc_release::load(&*permit.state.store, &record.hash)
        .await?
        .ok_or(ReleaseError::NoRelease(record.hash))?;
    let files = bundle
        .originals()
        .iter()
        .map(|(path, bytes)| (path.clone(), STANDARD.encode(bytes)))
        .collect();
    let release = bundle.hash().to_owned();
    Ok(Reply::ok(&ReleaseFiles { schema_version: 1, release, files }))
}
