use http::Method;
use qc_access::{Action, Approval};
use qc_model::Name;

use super::{keep, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route, grants,
        route::{Answer, path, schema},
        wire,
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "withdrawApproval",
    method: Method::POST,
    path: "/api/v1/approvals/{approval}/withdraw",
    action: Action::ApprovalsGive,
    summary: "Take back one's own approval; what came in force by it stays",
    parameters: &[path("approval", "The approval's id")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Approval>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let id: String = call.path("approval")?;
    let found = Approval::one(&call.state.store, &id).await?;
    let (approval, revision) = found.ok_or_else(|| {
        let detail = format!("there is no approval {}", id.chars().take(40).collect::<String>());
        Problem::new(404, codes::APPROVAL, "No such approval", detail)
    })?;
    let (environment, integration) =
        (approval.approved.environment.as_ref(), approval.approved.integration.as_ref());
    let permit = call.may(environment.map(Name::as_str), integration.map(Name::as_str)).await?;
    if grants::person(&call)? != approval.person {
        let detail = format!("it is {}'s to take back", approval.person);
        return Err(Problem::new(403, codes::APPROVAL, "Not yours to take back", detail));
    }
    let withdrawn = Approval { withdrawn: true, ..approval };
    keep(&permit, &withdrawn, Some(revision)).await?;
    Ok(Reply::ok(&shown(&withdrawn)))
}
