use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{NearLimit, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "nearLimits",
    method: Method::GET,
    path: "/api/v1/limits/near",
    action: Action::RunsRead,
    summary: "List who uses up a quota on this node, the soonest first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<NearLimit>>),
    handler: |call| Box::pin(std::future::ready(handle(&call))),
};

fn handle(call: &Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let (limit, state) = (call.limit()?, permit.state);
    let mut items: Vec<NearLimit> = Vec::new();
    for near in state.limits.near(&state.engine) {
        let live = &near.live;
        let there = environment.as_ref().is_none_or(|it| live.environment.as_ref() == Some(it))
            && integration.as_ref().is_none_or(|it| live.integration.as_ref() == Some(it));
        // Who comes to the whole server is the whole organisation's to know.
        if there && cut.shows_of(live.environment.as_ref(), live.integration.as_ref()) {
            items.push(NearLimit {
                name: live.name.clone(),
                environment: live.environment.as_ref().map(ToString::to_string),
                integration: live.integration.as_ref().map(ToString::to_string),
                who: near.who,
                remaining: near.remaining,
                quota: near.quota,
                pace: near.pace,
                exhausted_in: near.exhausted_in,
            });
        }
    }
    let next = (items.len() > limit)
        .then(|| "there are more; ask for one integration, or with a higher `limit`".to_owned());
    items.truncate(limit);
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
