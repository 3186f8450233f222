use http::Method;
use qc_access::Action;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Capture, Page},
    },
};

/// So many are shown: the newest.
const SHOWN: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "listCaptures",
    method: Method::GET,
    path: "/api/v1/captures",
    action: Action::CapturesRead,
    summary: "List debug captures, the newest first; never what they recorded",
    parameters: &[
        query("environment", "Only of this environment"),
        query("integration", "Only of this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Capture>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let mut all = permit.state.captures.all().await?;
    all.retain(|(one, _)| {
        environment.as_ref().is_none_or(|own| *own == one.environment)
            && integration.as_ref().is_none_or(|own| *own == one.integration)
            && cut.shows(one.environment.as_str(), one.integration.as_str())
    });
    all.sort_by_key(|(one, _)| std::cmp::Reverse(one.requested_at));
    let now = permit.state.clock.now();
    let captures = all.iter().take(SHOWN).map(|(one, _)| shown(one, now)).collect();
    Ok(Reply::ok(&Page::<Capture>::whole(captures, None).of(cut.units())))
}
