use http::Method;
use qc_access::Action;
use qc_engine::{FIXTURES_MAX, FIXTURES_USUAL, Rehearsing};
use qc_model::{EnvironmentName, Name};

use super::{ENVIRONMENT, INTEGRATION};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        unusable,
        wire::{RecordEvents, Recording},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "recordFixtures",
    method: Method::POST,
    path: "/api/v1/recordings/{environment}/{integration}/{trigger}",
    action: Action::RunsInspect,
    summary: "Make masked examples of a trigger's contract from events that it accepted: of each form one",
    parameters: &[
        ENVIRONMENT,
        INTEGRATION,
        path("trigger", "The trigger; its contract says what must fit"),
    ],
    body: Some(schema::<RecordEvents>),
    status: 200,
    answer: Answer::Json(schema::<Recording>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let trigger: Name = call.path("trigger")?;
    let wanted: RecordEvents = call.body()?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let sample = wanted.sample.unwrap_or(FIXTURES_USUAL);
    if sample == 0 || sample > FIXTURES_MAX {
        return Err(unusable("sample", &format!("it is from 1 to {FIXTURES_MAX}")));
    }
    let since = wanted.since.as_deref().map(str::parse).transpose();
    let asked = Rehearsing {
        environment,
        integration,
        since: since.map_err(|error| unusable("since", &error))?,
        run: None,
        sample,
        seed: wanted.seed.unwrap_or_default(),
    };
    let recorded = Box::pin(permit.state.engine.record_fixtures(&asked, &trigger)).await?;
    Ok(Reply::ok(&Recording::of(&asked, &trigger, recorded)))
}
