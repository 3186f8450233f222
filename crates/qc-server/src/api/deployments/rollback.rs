use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name};

use super::{ENVIRONMENT, INTEGRATION, take_effect};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Deployment,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "rollback",
    method: Method::POST,
    path: "/api/v1/deployments/{environment}/{integration}/rollback",
    action: Action::DeploymentsRollback,
    summary: "Go back to the release before; again, and it goes back further",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Deployment>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let record =
        qc_release::rollback(permit.office(), &environment, &integration, &permit.actor).await?;
    Ok(Reply::ok(&take_effect(&permit, &record).await?))
}
