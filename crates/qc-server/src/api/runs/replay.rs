use http::Method;
use qc_access::Action;
use qc_engine::Replay;

use super::RUN;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ReplayRequest, RunReference},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "replayRun",
    method: Method::POST,
    path: "/api/v1/runs/{run}/replay",
    action: Action::RunsReplay,
    summary: "Run a run's event again, as a linked run; effects already made are not made twice",
    parameters: &[RUN],
    body: Some(schema::<ReplayRequest>),
    status: 201,
    answer: Answer::Json(schema::<RunReference>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let request: ReplayRequest = call.body()?;
    let replay = Replay {
        new_effects: request.new_effects,
        input: request.input,
        out_of_order: request.out_of_order,
    };
    let run = permit.state.engine.replay(head.facts.id, replay, &permit.actor).await?;
    let status_url = format!("/api/v1/runs/{run}");
    Ok(Reply::created(&RunReference { run: run.to_string(), status_url }))
}
