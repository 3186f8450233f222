use http::Method;
use qc_access::Action;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Deployment, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDeployments",
    method: Method::GET,
    path: "/api/v1/deployments",
    action: Action::DeploymentsRead,
    summary: "List what is deployed, with the addresses of its triggers",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Deployment>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let records = qc_release::deployments(&*permit.state.store, environment.as_ref()).await?;
    let items = records
        .iter()
        .filter(|record| integration.as_ref().is_none_or(|name| *name == record.integration))
        .filter(|record| cut.shows(record.environment.as_str(), record.integration.as_str()))
        .map(|record| shown(&permit, record))
        .collect();
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}
