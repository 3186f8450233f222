use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name};
use qc_release::ReleaseError;
use qc_version::{Usage, expectation::Cell};

use super::{ENVIRONMENT, INTEGRATION};
use crate::{
    Problem,
    api::{
        Call, Permit, Reply, Route,
        route::{Answer, schema},
        wire::{ConsumerAtVersion, ConsumerMiss, ContractMatrix},
    },
    expectations::Live,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "contractMatrix",
    method: Method::GET,
    path: "/api/v1/contracts/{environment}/{integration}/matrix",
    action: Action::DeploymentsRead,
    summary: "Say which consumer can speak which version of a deployed integration's contracts, and why not",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<ContractMatrix>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let live = permit.state.live_expectations(&environment, &integration).await?;
    Ok(Reply::ok(&of(&permit, &environment, &integration, live).await?))
}

/// These consumers, and those of whom the release itself knows, at the versions that run.
pub(super) async fn of(
    permit: &Permit<'_>,
    environment: &EnvironmentName,
    integration: &Name,
    live: std::collections::BTreeMap<String, Live>,
) -> Result<ContractMatrix, Problem> {
    let state = permit.state;
    let runs = qc_release::current(&*state.store, environment, integration).await?;
    let runs = runs.ok_or_else(|| ReleaseError::NotDeployed {
        environment: environment.clone(),
        integration: integration.clone(),
    })?;
    let usage = state.contracts.of(environment, integration).await?;
    let pacts = live.values().map(|it| it.pact.clone()).collect();
    let known = (state.clock.now(), usage.clone(), pacts);
    let cells = state.catalogue.matrix(&runs.release, known).await?;
    let items = cells.into_iter().map(|cell| shown(cell, &usage, &live)).collect();
    Ok(ContractMatrix {
        schema_version: 1,
        environment: environment.to_string(),
        integration: integration.to_string(),
        release: runs.release,
        items,
    })
}

fn shown(
    cell: Cell,
    usage: &Usage,
    live: &std::collections::BTreeMap<String, Live>,
) -> ConsumerAtVersion {
    let of = usage.uses.get(&(cell.trigger.clone(), cell.version.clone()));
    let last = of.and_then(|of| of.get(&cell.consumer)).map(|used| used.last.to_string());
    let published = live.get(&cell.consumer);
    ConsumerAtVersion {
        fits: cell.unmet.is_empty(),
        state: cell.state.map(|state| state.as_str().to_owned()),
        last,
        published: published.map(|it| it.version.clone()),
        published_at: published.map(|it| it.at.to_string()),
        consumer: cell.consumer,
        trigger: cell.trigger,
        version: cell.version,
        is_spoken: cell.is_spoken,
        interactions: cell.interactions,
        unmet: cell
            .unmet
            .into_iter()
            .map(|miss| ConsumerMiss { interaction: miss.interaction, why: miss.why })
            .collect(),
    }
}
