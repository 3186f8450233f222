use http::Method;
use qc_access::Action;
use serde_json::json;

use super::{CHILDREN, RUN};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Run, RunEnd, RunJournal, Substituted},
    },
    leaving,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showRunJournal",
    method: Method::GET,
    path: "/api/v1/runs/{run}/journal",
    action: Action::RunsInspect,
    summary: "Show a run with its payloads and everything that happened in it",
    parameters: &[RUN],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<RunJournal>),
    handler: |call| Box::pin(handle(call)),
};

/// Where entries of the journal have failures.
const FAILURES: [&str; 2] = ["/failure", "/input/happening/failure"];

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let view = permit.state.engine.inspect(head.facts.id).await?;
    let keys = permit.state.store.keys_of(head.facts.id).await?;
    let family = permit.state.engine.family(head.facts.id, CHILDREN).await?;
    let end = view.end.map(|end| match end {
        qc_engine::RunEnd::Completed { output } => RunEnd::Completed { output },
        qc_engine::RunEnd::Faulted { failure, error } => {
            let mut failure = json!(failure);
            leaving::failure_shown(permit.state, &mut failure, &view.contacts);
            RunEnd::Faulted { failure, error }
        }
        qc_engine::RunEnd::Cancelled { reason } => RunEnd::Cancelled { reason },
    });
    let mut journal = view.journal;
    for entry in &mut journal {
        for place in FAILURES {
            if let Some(failure) = entry.pointer_mut(place) {
                leaving::failure_shown(permit.state, failure, &view.contacts);
            }
        }
    }
    Ok(Reply::ok(&RunJournal {
        schema_version: 1,
        run: Run::with_family(&view.head, family).with_keys(keys),
        input: view.input,
        end,
        substituted: view.substituted.iter().map(Substituted::from).collect(),
        undone: view.undone.iter().flat_map(|it| &it.undone).map(|one| json!(one)).collect(),
        journal,
    }))
}
