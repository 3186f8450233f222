use http::Method;
use qc_access::Action;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{Connection, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listConnections",
    method: Method::GET,
    path: "/api/v1/connections",
    action: Action::ConnectionsRead,
    summary: "List the connections to accounts at other systems, without their tokens",
    parameters: &[
        query("environment", "Only this environment"),
        query("after", "Only connections after this `environment/name`: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Connection>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: Option<qc_model::EnvironmentName> = call.query("environment")?;
    let environment = environment.or_else(|| call.principal().environment.clone());
    let place = environment.as_ref().map(qc_model::EnvironmentName::as_str);
    let (permit, cut) = call.list(place, None)?;
    let (limit, after) = (call.limit()?, call.query::<String>("after")?);
    let place = |one: &Connection| format!("{}/{}", one.environment, one.name);
    let (records, now) =
        (permit.state.connections.list(environment.as_ref()).await?, permit.state.clock.now());
    let all = records.iter().map(|record| shown(record, now));
    let rest = all.filter(|one| {
        after.as_ref().is_none_or(|after| place(one) > *after)
            && cut.shows(&one.environment, &one.name)
    });
    Ok(Reply::ok(&Page::new(rest.take(limit + 1).collect(), limit, place).of(cut.units())))
}
