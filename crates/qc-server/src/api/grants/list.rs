use http::Method;
use qc_access::Action;
use qc_model::Name;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Grant, Page},
    },
};

/// So many are shown: the newest.
const SHOWN: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "listGrants",
    method: Method::GET,
    path: "/api/v1/grants",
    action: Action::GrantsRead,
    summary: "List rights for a time, the newest first: those that are asked for, given, refused and over",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Grant>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    // A token that is bound to an environment sees those of that one.
    let own = call.principal().environment.clone();
    let permit = call.may(own.as_ref().map(Name::as_str), None).await?;
    let mut all = permit.state.grants.all().await?;
    all.retain(|grant| own.as_ref().is_none_or(|own| *own == grant.environment));
    all.sort_by_key(|grant| std::cmp::Reverse(grant.requested_at));
    let now = permit.state.clock.now();
    let grants = all.iter().take(SHOWN).map(|grant| shown(grant, now)).collect();
    Ok(Reply::ok(&Page::new(grants, SHOWN, |grant: &Grant| grant.id.clone())))
}
