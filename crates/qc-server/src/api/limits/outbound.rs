use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use qc_access::Action;
use qc_connect::call::Family;
use qc_engine::{Deployment, Pace, Paces};
use qc_pace::Turn;
use qc_pace::breaker::Stands;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{CalledSystem, DeclaredPace, OutboundLimit, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listOutboundLimits",
    method: Method::GET,
    path: "/api/v1/limits/outbound",
    action: Action::RunsRead,
    summary: "List the limits of other systems: what is declared of each, and what this node has heard and learned of it",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only what this integration calls by its connectors"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<OutboundLimit>>),
    handler: |call| Box::pin(std::future::ready(handle(&call))),
};

fn handle(call: &Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let engine = &permit.state.engine;
    let mut paces = engine.paces();
    let deployments = engine.deployments();
    let mut items: BTreeMap<Arc<str>, OutboundLimit> = BTreeMap::new();
    for deployment in deployments.iter() {
        let (there, own) = (&deployment.environment, &deployment.release.integration);
        if environment.as_ref().is_none_or(|it| it == there)
            && integration.as_ref().is_none_or(|it| it == own)
            && cut.shows(there.as_str(), own.as_str())
        {
            add(&mut items, deployment, &paces);
        }
    }
    // The addresses that workflows call without a connector are of no environment, and anybody's.
    if environment.is_none() && integration.is_none() && cut.is_whole() {
        for (name, pace) in std::mem::take(&mut paces.limits) {
            if !name.contains('/') {
                let systems = vec![system(&name, &name, &paces)];
                let item = OutboundLimit { name: name.to_string(), systems, ..stands(Some(&pace)) };
                items.insert(name, item);
            }
        }
    }
    let items = items.into_values().collect();
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}

/// The limits of what a deployment calls by its connectors.
fn add(items: &mut BTreeMap<Arc<str>, OutboundLimit>, deployment: &Deployment, paces: &Paces) {
    let (environment, integration) = (&deployment.environment, &deployment.release.integration);
    for connector in deployment.release.connectors.iter() {
        for Family { limit, operations, declared } in connector.families() {
            let key: Arc<str> = format!("{environment}/{limit}").into();
            let pace = paces.limits.get(&key);
            let item = items.entry(key).or_insert_with(|| OutboundLimit {
                name: limit,
                environment: Some(environment.to_string()),
                operations,
                ..stands(pace)
            });
            for (requests, per) in declared.rates {
                put(&mut item.declared, DeclaredPace { requests, seconds: per.as_secs_f64() });
            }
            let least = item.declared_at_once.into_iter().chain(declared.concurrent).min();
            item.declared_at_once = least;
            put(&mut item.integrations, integration.to_string());
            let name = connector.name().as_str();
            put(&mut item.systems, system(name, &format!("{environment}/{name}"), paces));
        }
    }
}

fn put<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

fn stands(pace: Option<&Pace>) -> OutboundLimit {
    let Some(Pace { standing, waiting }) = pace else { return OutboundLimit::default() };
    OutboundLimit {
        called: true,
        per_second: standing.pace.map(|(rate, _)| rate),
        known_by: standing.pace.map(|(_, source)| source.as_str().to_owned()),
        at_once: Some(standing.at_once),
        in_flight: standing.in_flight,
        waiting: *waiting,
        stated_until: standing.stated_until.map(|at| at.to_string()),
        next_at: match standing.next {
            Turn::At(at) => Some(at.to_string()),
            Turn::Go | Turn::Answered => None,
        },
        ..OutboundLimit::default()
    }
}

fn system(name: &str, key: &str, paces: &Paces) -> CalledSystem {
    let standing = paces.systems.get(key).copied().unwrap_or_default();
    let breaker = match standing.stands {
        Stands::Closed => "closed",
        Stands::Open => "open",
        Stands::Probing => "probing",
        Stands::Ramping => "ramping",
    };
    CalledSystem {
        name: name.to_owned(),
        breaker: breaker.to_owned(),
        since: standing.since.map(|at| at.to_string()),
        failed: standing.failed,
    }
}
