use http::Method;
use qc_access::Action;
use qc_model::Timestamp;
use qc_store::{RunFilter, RunStatus};

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
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
    let (environment, integration, permit) = call.filter()?;
    let limit = call.limit()?;
    let filter = RunFilter {
        before: call.query("before")?,
        statuses: call.word("status", RunStatus::parse)?,
        environment,
        integration,
        subject: call.query("subject")?,
        since: call.query::<Timestamp>("since")?,
        limit: limit + 1,
        ..RunFilter::default()
    };
    let heads = permit.state.store.runs(&filter).await?;
    let runs = heads.iter().map(Run::from).collect();
    Ok(Reply::ok(&Page::new(runs, limit, |run: &Run| run.run.clone())))
}
