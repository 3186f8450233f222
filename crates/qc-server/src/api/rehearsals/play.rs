use http::Method;
use qc_access::Action;
use qc_engine::{Rehearsing, SAMPLE_MAX, SAMPLE_USUAL};
use qc_model::{EnvironmentName, Name};
use qc_release::ReleaseError;

use super::{ENVIRONMENT, INTEGRATION};
use crate::{
    Problem,
    api::{
        Call, Reply, Route, releases,
        route::{Answer, path, schema},
        unusable,
        wire::{Rehearsal, RehearseRuns},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "rehearseRuns",
    method: Method::POST,
    path: "/api/v1/rehearsals/{environment}/{integration}/{release}",
    action: Action::RunsInspect,
    summary: "Play past runs on a release that need not be deployed, and tell which effects differ: nothing is sent or written",
    parameters: &[
        ENVIRONMENT,
        INTEGRATION,
        path("release", "The candidate: its hash, or the beginning of it"),
    ],
    body: Some(schema::<RehearseRuns>),
    status: 200,
    answer: Answer::Json(schema::<Rehearsal>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let release: String = call.path("release")?;
    let wanted: RehearseRuns = call.body()?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let sample = wanted.sample.unwrap_or(SAMPLE_USUAL);
    if sample == 0 || sample > SAMPLE_MAX {
        return Err(unusable("sample", &format!("it is from 1 to {SAMPLE_MAX}")));
    }
    let since = wanted.since.as_deref().map(str::parse).transpose();
    let run = wanted.run.as_deref().map(str::parse).transpose();
    let asked = Rehearsing {
        environment: environment.clone(),
        integration: integration.clone(),
        since: since.map_err(|error| unusable("since", &error))?,
        run: run.map_err(|error| unusable("run", &error))?,
        sample,
        seed: wanted.seed.unwrap_or_default(),
    };
    let record = releases::find(permit.state, &release).await?;
    if record.manifest.integration != integration {
        return Err(ReleaseError::NoRelease(format!("{release} of {integration}")).into());
    }
    let candidate = permit.state.catalogue.compiled(&environment, &record.hash).await?;
    let played = Box::pin(permit.state.engine.rehearse(&asked, candidate)).await?;
    Ok(Reply::ok(&Rehearsal::of(&asked, &played)))
}
