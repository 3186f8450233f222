use http::Method;
use qc_access::Action;
use qc_store::{DeadFilter, DeadState};

use crate::{
    Problem,
    api::{
        Call, LOOKS, Listed, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{Dead, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDeadLetters",
    method: Method::GET,
    path: "/api/v1/dead-letters",
    action: Action::DlqRead,
    summary: "List dead letters, newest first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("state", "Only `open`, `retried` or `discarded`"),
        query("before", "Only letters of runs older than this one: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Dead>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let states = call.words("state", &DeadState::ALL, DeadState::as_str)?;
    if states.len() > 1 {
        return Err(bad_parameter("state", "give one state, or leave it out for all"));
    }
    let mut filter = DeadFilter {
        before: call.query("before")?,
        state: states.first().copied(),
        environment,
        integration,
        limit: limit + 1,
        ..DeadFilter::default()
    };
    let (mut letters, mut last) = (Vec::new(), None);
    for _ in 0..LOOKS {
        let found = permit.state.store.dead_letters(&filter).await?;
        let more = found.len() == filter.limit;
        last = found.last().filter(|_| more).map(|letter| letter.run);
        let shown = found
            .iter()
            .filter(|letter| cut.shows(letter.environment.as_str(), letter.integration.as_str()));
        letters.extend(shown.map(Dead::from));
        filter.before = last;
        if last.is_none() || letters.len() > limit {
            break;
        }
    }
    let page = Page::new(letters, limit, |letter: &Dead| letter.run.clone());
    Ok(Reply::ok(&page.or_behind(last).of(cut.units())))
}
