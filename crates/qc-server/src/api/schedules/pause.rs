use http::Method;
use qc_access::Action;
use qc_model::Name;

use super::{ENVIRONMENT, INTEGRATION, TRIGGER};
use crate::{
    Problem,
    api::{Call, Reply, Route, route::Answer},
    codes,
};

pub(in crate::api) const PAUSE: Route = Route {
    id: "pauseSchedule",
    method: Method::POST,
    path: "/api/v1/schedules/{environment}/{integration}/{trigger}/pause",
    action: Action::TriggersPause,
    summary: "Have a schedule begin nothing until it is resumed",
    parameters: &[ENVIRONMENT, INTEGRATION, TRIGGER],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call, true)),
};

pub(in crate::api) const RESUME: Route = Route {
    id: "resumeSchedule",
    method: Method::POST,
    path: "/api/v1/schedules/{environment}/{integration}/{trigger}/resume",
    action: Action::TriggersPause,
    summary: "Have a paused schedule go on; what was due meanwhile is left out",
    parameters: &[ENVIRONMENT, INTEGRATION, TRIGGER],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call, false)),
};

async fn handle(call: Call, pause: bool) -> Result<Reply, Problem> {
    let (environment, integration): (Name, Name) =
        (call.path("environment")?, call.path("integration")?);
    let trigger: Name = call.path("trigger")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let (environment, integration) = (environment.as_str(), integration.as_str());
    let engine = &permit.state.engine;
    let done =
        engine.pause_schedule(environment, integration, trigger.as_str(), pause, &permit.actor);
    if done.await? {
        return Ok(Reply::done());
    }
    let detail = "no schedule of this name is deployed there; `qc schedules list` lists them";
    Err(Problem::new(404, codes::NO_TRIGGER, "No such schedule", detail))
}
