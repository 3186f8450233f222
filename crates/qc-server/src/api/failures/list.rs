use http::Method;
use qc_access::Action;
use qc_engine::{GroupFilter, GroupState};

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{DeadGroup, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listFailures",
    method: Method::GET,
    path: "/api/v1/failures",
    action: Action::DlqRead,
    summary: "List dead letters grouped by what they died of, the group that grew last first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("code", "Only this failure's code"),
        query(
            "state",
            "Only these states, separated by commas: `open`, `acknowledged`, `resolved`, `regressed`, `muted`, \
             `settled`; `open,regressed,acknowledged` when left out",
        ),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<DeadGroup>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let filter = GroupFilter {
        environment,
        integration,
        code: call.query("code")?,
        states: call.words("state", &GroupState::ALL, GroupState::as_str)?,
        limit: usize::MAX,
    };
    let mut groups = permit.state.engine.failure_groups(&filter).await?;
    groups.retain(|group| {
        cut.shows(group.letters.environment.as_str(), group.letters.integration.as_str())
    });
    let items = groups.iter().take(limit).map(DeadGroup::from).collect();
    let more = groups.len() > limit;
    let next = more.then(|| "there are more; ask for one integration, code or state".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
