use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{SubjectExport, SubjectRequest},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "exportSubject",
    method: Method::POST,
    path: "/api/v1/subjects/export",
    action: Action::SubjectsExport,
    summary: "Hand out everything that is stored of a person, with payloads",
    parameters: &[],
    body: Some(schema::<SubjectRequest>),
    status: 200,
    answer: Answer::Json(schema::<SubjectExport>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: SubjectRequest = call.body()?;
    let permit = call.may(Some(&request.environment), None).await?;
    let subject = named(&request)?;
    let archive = permit.state.engine.export_subject(&subject).await?;
    Ok(Reply::ok(&SubjectExport {
        schema_version: 1,
        at: permit.state.clock.now().to_string(),
        tenant: request.tenant,
        environment: request.environment,
        subject: request.subject,
        runs: archive.runs,
        events: archive.events,
        documents: archive.documents,
        truncated: archive.truncated,
    }))
}
