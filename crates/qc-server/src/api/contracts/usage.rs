use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name, Timestamp};
use qc_version::{Usage, Versions, usage::Use};

use super::{ENVIRONMENT, INTEGRATION, versions};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ContractConsumer, ContractUsage, UsedVersion},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "contractUsage",
    method: Method::GET,
    path: "/api/v1/contracts/{environment}/{integration}/usage",
    action: Action::DeploymentsRead,
    summary: "Say who sends to an integration in which version of its contracts, when last, and which fields",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<ContractUsage>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let state = permit.state;
    let usage = state.contracts.of(&environment, &integration).await?;
    let deployments = state.engine.deployments();
    let deployment = deployments.lookup(environment.as_str(), integration.as_str());
    let (now, mut items) = (state.clock.now(), Vec::new());
    for trigger in usage.since.keys() {
        let versions = versions(deployment.map(|it| &**it), trigger);
        items.extend(of_trigger(&usage, trigger, versions, now));
    }
    Ok(Reply::ok(&ContractUsage {
        schema_version: 1,
        environment: environment.to_string(),
        integration: integration.to_string(),
        items,
    }))
}

/// The versions of a trigger's contract, those that are served first; a trigger without several has one, without a name.
fn of_trigger(
    usage: &Usage,
    trigger: &str,
    versions: Option<&Versions>,
    now: Timestamp,
) -> Vec<UsedVersion> {
    let served = versions.map_or_else(Vec::new, |it| {
        it.entries().iter().map(|entry| entry.name.to_string()).collect()
    });
    let used = usage.uses.keys().filter(|(of, _)| of == trigger).map(|(_, version)| version);
    let mut names = served.clone();
    names.extend(used.filter(|version| !served.contains(version)).cloned());
    if names.is_empty() {
        names.push(String::new());
    }
    let shown = names.into_iter().map(|version| {
        let consumers = usage.uses.get(&(trigger.to_owned(), version.clone()));
        UsedVersion {
            trigger: trigger.to_owned(),
            state: versions.and_then(|it| state(usage, trigger, it, &version, now)),
            since: usage.since.get(trigger).map(ToString::to_string).unwrap_or_default(),
            last: usage.last(trigger, &version).map(|last| last.to_string()),
            consumers: consumers.into_iter().flatten().map(consumer).collect(),
            version,
        }
    });
    shown.collect()
}

fn state(
    usage: &Usage,
    trigger: &str,
    versions: &Versions,
    version: &str,
    now: Timestamp,
) -> Option<String> {
    let index = versions.named(version).ok()?;
    let state = versions.state(index, now);
    let goes_on = usage.outlives(trigger, version, versions.quiet, now);
    Some(if goes_on { state.outliving() } else { state }.as_str().to_owned())
}

fn consumer((name, used): (&String, &Use)) -> ContractConsumer {
    ContractConsumer {
        consumer: name.clone(),
        first: used.first.to_string(),
        last: used.last.to_string(),
        events: used.count,
        fields: used.fields.iter().map(|(path, at)| (path.clone(), at.to_string())).collect(),
        more_fields: used.more,
    }
}
