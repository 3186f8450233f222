use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name, Timestamp};
use qc_store::{RunFilter, RunKey, RunStatus};

use crate::{
    Problem,
    api::{
        Call, Cut, LOOKS, Listed, Permit, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{Page, Run},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listRuns",
    method: Method::GET,
    path: "/api/v1/runs",
    action: Action::RunsRead,
    summary: "List runs, newest first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("status", "Only these statuses, separated by commas"),
        query("subject", "Only runs with this business subject"),
        query("key", "Only runs with this business key: `name=value`"),
        query("value", "Only runs with a business key of this value, whatever its name"),
        query("event", "Only runs of this event"),
        query("trace", "Only runs of this sender's trace: 32 hexadecimal digits"),
        query("trigger", "Only runs of this trigger"),
        query("release", "Only runs of this release: its whole hash"),
        query(
            "find",
            "Runs that have to do with this: the id of a run, an event or a trace, a call's key, a subject, a business key's \
             value, or an id that the sender gave (event, correlation, request); only `environment`, `integration` and \
             `limit` go with it",
        ),
        query("until", "Only runs accepted before this RFC 3339 time"),
        query("since", "Only runs accepted at or after this RFC 3339 time"),
        query("before", "Only runs older than this one: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Run>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    if let Some(text) = call.query::<String>("find")? {
        let place = (environment.as_ref(), integration.as_ref());
        return find(&call, (&permit, &cut), &text, place, limit).await;
    }
    let mut filter = RunFilter {
        before: call.query("before")?,
        statuses: call.words("status", &RunStatus::ALL, RunStatus::as_str)?,
        environment,
        integration,
        subject: call.query("subject")?,
        since: call.query::<Timestamp>("since")?,
        until: call.query::<Timestamp>("until")?,
        trigger: call.query("trigger")?,
        release: call.query("release")?,
        event: call.query("event")?,
        trace: call.query("trace")?,
        key: call.query::<String>("key")?.as_deref().map(key).transpose()?,
        value: call.query("value")?,
        limit: limit + 1,
    };
    let (mut runs, mut last) = (Vec::new(), None);
    for _ in 0..LOOKS {
        let heads = permit.state.store.runs(&filter).await?;
        let more = heads.len() == filter.limit;
        last = heads.last().filter(|_| more).map(|head| head.facts.id);
        let shown = heads.iter().filter(|head| {
            cut.shows(head.facts.environment.as_str(), head.facts.integration.as_str())
        });
        runs.extend(shown.map(Run::from));
        filter.before = last;
        if last.is_none() || runs.len() > limit {
            break;
        }
    }
    let page = Page::new(runs, limit, |run: &Run| run.run.clone());
    Ok(Reply::ok(&page.or_behind(last).of(cut.units())))
}

fn key(text: &str) -> Result<RunKey, Problem> {
    let parts = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    parts
        .map(|(name, value)| RunKey { name: name.to_owned(), value: value.to_owned() })
        .ok_or_else(|| bad_parameter("key", "it is `name=value`, such as `order=4711`"))
}

async fn find(
    call: &Call,
    (permit, cut): (&Permit<'_>, &Cut<'_>),
    text: &str,
    (environment, integration): (Option<&EnvironmentName>, Option<&Name>),
    limit: usize,
) -> Result<Reply, Problem> {
    let goes = ["find", "environment", "integration", "limit"];
    if let Some((other, _)) = call.query.iter().find(|(name, _)| !goes.contains(&name.as_str())) {
        let why = format!("`{other}` does not go with it; only environment, integration and limit");
        return Err(bad_parameter("find", &why));
    }
    if text.trim().is_empty() {
        return Err(bad_parameter("find", "say what is looked for"));
    }
    let engine = &permit.state.engine;
    let mut heads = engine.find_runs(text, environment, integration, limit + 1).await?;
    heads
        .retain(|head| cut.shows(head.facts.environment.as_str(), head.facts.integration.as_str()));
    let more = heads.len() > limit;
    let items = heads.iter().take(limit).map(Run::from).collect();
    let next = more.then(|| "there are more; use `key`, `subject`, `event` or `trace`".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
