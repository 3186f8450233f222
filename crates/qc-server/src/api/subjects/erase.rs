use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{SubjectErasure, SubjectRequest},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "eraseSubject",
    method: Method::POST,
    path: "/api/v1/subjects/erase",
    action: Action::SubjectsErase,
    summary: "Erase everything that is stored of a person, for good",
    parameters: &[],
    body: Some(schema::<SubjectRequest>),
    status: 200,
    answer: Answer::Json(schema::<SubjectErasure>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: SubjectRequest = call.body()?;
    let permit = call.may(Some(&request.environment), None).await?;
    let subject = named(&request)?;
    let engine = &permit.state.engine;
    let erased = engine.erase_subject(&subject, &request.reason, &permit.actor).await?;
    Ok(Reply::ok(&SubjectErasure {
        schema_version: 1,
        runs: erased.runs,
        keys: erased.keys,
        events: erased.events,
        documents: erased.documents,
        blobs: erased.blobs,
        open: erased.open.iter().map(ToString::to_string).collect(),
    }))
}
