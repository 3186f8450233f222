use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name};

use super::{ENVIRONMENT, INTEGRATION, stays_in_units, take_effect};
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
    if !call.units().is_empty() {
        // What is gone back to may know other people.
        let now = qc_release::current(&*permit.state.store, &environment, &integration).await?;
        if let Some(before) = now.as_ref().and_then(|now| now.before.last()) {
            let deployment = permit.state.catalogue.compiled(&environment, before).await?;
            stays_in_units(&call, &deployment)?;
        }
    }
    let record =
        qc_release::rollback(permit.office(), &environment, &integration, &permit.actor).await?;
    Ok(Reply::ok(&take_effect(&permit, &record).await?))
}
