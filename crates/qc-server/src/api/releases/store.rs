use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use qc_access::Action;
use qc_document::push_pointer;
use qc_model::Name;
use qc_release::Built;

use super::{find, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Release, StoreRelease},
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "storeRelease",
    method: Method::POST,
    path: "/api/v1/releases",
    action: Action::ReleasesWrite,
    summary: "Build a release from files and store it; the same files give the same release",
    parameters: &[],
    body: Some(schema::<StoreRelease>),
    status: 201,
    answer: Answer::Json(schema::<Release>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(mut call: Call) -> Result<Reply, Problem> {
    let request: StoreRelease = call.large_body().await?;
    let permit = call.may(None, Some(&request.integration)).await?;
    let integration = Name::new(&request.integration)
        .map_err(|error| wrong("/integration", &error.to_string()))?;
    let mut files = BTreeMap::new();
    for (path, text) in request.files {
        let bytes = STANDARD.decode(text).map_err(|_| {
            let mut pointer = "/files".to_owned();
            push_pointer(&mut pointer, &path);
            wrong(&pointer, "it is not base64")
        })?;
        files.insert(path, Bytes::from(bytes));
    }
    let bundle = permit.state.catalogue.bundle(files, integration).await?;
    if let Some(expected) = request.expect
        && expected != bundle.hash()
    {
        let detail = format!(
            "these files give the release {} here; build and send with the same version of qc",
            bundle.hash()
        );
        return Err(wrong("/expect", &detail));
    }
    let from = request.built_from.as_deref();
    let built = Built { from, by: &permit.actor, units: call.units() };
    qc_release::save(permit.office(), &bundle, built).await?;
    Ok(Reply::created(&shown(&find(permit.state, bundle.hash()).await?)))
}

fn wrong(pointer: &str, detail: &str) -> Problem {
    Problem::new(422, codes::BAD_BODY, "Unusable body", detail).pointing(pointer, detail)
}
