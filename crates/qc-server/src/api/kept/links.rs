use http::Method;
use qc_access::Action;
use qc_engine::KeptDeed;

use super::{asked, needed, object};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{CrossLink, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listLinks",
    method: Method::GET,
    path: "/api/v1/crossrefs",
    action: Action::RunsInspect,
    summary: "List the links of a cross-reference table, or the one of an id",
    parameters: &[
        query("environment", "The environment"),
        query("integration", "The integration"),
        query("tenant", "The tenant; `default` when left out"),
        query("table", "The table"),
        query("system", "With `id`: the system whose id it is"),
        query("id", "Only the link of this id"),
        query("after", "Only after this id of the first system: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<CrossLink>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (scope, permit) = asked(&call)?;
    let (table, limit) = (needed(&call, "table")?, call.limit()?);
    let engine = &permit.state.engine;
    if let Some(id) = call.query::<String>("id")? {
        let system = needed(&call, "system")?;
        let arguments = object([(&system, id.clone().into())]);
        let found = engine.tend(&scope, KeptDeed::Find, &table, &arguments, &permit.actor).await?;
        let [a, b] = engine.systems_of(&scope, &table)?;
        let other = if system == a { b } else { a };
        let link = (found["found"] == true).then(|| CrossLink {
            ids: [(system, id.into()), (other, found["id"].clone())].into_iter().collect(),
            revision: found["revision"].as_u64().unwrap_or_default(),
        });
        return Ok(Reply::ok(&Page::new(link.into_iter().collect(), 1, |_| String::new())));
    }
    if call.query::<String>("system")?.is_some() {
        return Err(bad_parameter("system", "it says whose id `id` is, and there is no `id`"));
    }
    let after = call.query::<String>("after")?;
    let mut links = engine.links(&scope, &table, after.as_deref(), limit + 1).await?;
    let more = links.len() > limit;
    links.truncate(limit);
    let next = links.last().filter(|_| more).map(|link| link.ids[0].clone());
    let items = links.into_iter().map(|link| CrossLink {
        ids: link.systems.into_iter().zip(link.ids.into_iter().map(Into::into)).collect(),
        revision: link.revision,
    });
    Ok(Reply::ok(&Page::whole(items.collect(), next)))
}
