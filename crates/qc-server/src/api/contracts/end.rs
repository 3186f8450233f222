use http::Method;
use qc_access::{Action, Approved};
use qc_model::{EnvironmentName, Name, NextAction};
use qc_version::State;

use super::{ENVIRONMENT, INTEGRATION, versions};
use crate::{
    Problem,
    api::{
        Call, Reply, Route, approvals,
        route::{Answer, path, schema},
        unusable,
        wire::{EndVersion, EndedVersion},
    },
    codes,
    usage::Ending,
};

/// The longest reason, in bytes.
const REASON: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "endVersion",
    method: Method::POST,
    path: "/api/v1/contracts/{environment}/{integration}/{trigger}/{version}/end",
    action: Action::DeploymentsOverride,
    summary: "End a version whose sunset has come although somebody still speaks it, with the approvals that this takes",
    parameters: &[
        ENVIRONMENT,
        INTEGRATION,
        path("trigger", "The trigger"),
        path("version", "The version"),
    ],
    body: Some(schema::<EndVersion>),
    status: 200,
    answer: Answer::Json(schema::<EndedVersion>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let (trigger, version): (String, String) = (call.path("trigger")?, call.path("version")?);
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let EndVersion { reason } = call.body()?;
    if reason.trim().is_empty() || reason.len() > REASON {
        return Err(unusable("reason", &format!("it has 1 to {REASON} bytes")));
    }
    let state = permit.state;
    let now = state.clock.now();
    let deployments = state.engine.deployments();
    let deployment = deployments.lookup(environment.as_str(), integration.as_str());
    let all = versions(deployment.map(|it| &**it), &trigger);
    let found = all.and_then(|all| Some((all, all.named(&version).ok()?)));
    let Some((all, index)) = found else {
        let detail = format!(
            "no version `{version}` is served at `{trigger}` of `{integration}` in `{environment}`; \
             `qc contract usage` lists them"
        );
        return Err(Problem::new(404, codes::UNKNOWN_VERSION, "No such version", detail));
    };
    if !matches!(all.state(index, now), State::Retired { .. }) {
        let end = all.entries()[index].window.sunset;
        let detail = end.map_or_else(
            || {
                format!(
                    "version `{version}` has no `sunset`: its file gives it one, with a release"
                )
            },
            |end| format!("version `{version}` was promised until {end}"),
        );
        return Err(Problem::new(409, codes::NOT_ENDED, "Its end has not come", detail)
            .next(NextAction::FixRequest));
    }
    let usage = state.contracts.of(&environment, &integration).await?;
    let mut hit = usage.hit((&trigger, &version), None, None, now - all.quiet);
    if usage.outlives(&trigger, &version, all.quiet, now) {
        let change = Approved {
            action: Action::DeploymentsOverride,
            environment: Some(environment.clone()),
            integration: Some(integration.clone()),
            what: format!("{trigger}/{version}"),
        };
        if !state.access.policies().approvals().speak_of(&change) {
            let detail = "somebody still speaks it, and no rule of `approvals.yaml` says who ends it all the \
                          same: write one for `deployments:override`, and put it in force";
            return Err(Problem::new(403, codes::NOT_APPROVED, "Nobody may end it", detail));
        }
        approvals::demand(&permit, &change, &[&permit.actor]).await?;
        let (environment, integration) = (&environment, &integration);
        let ending = Ending {
            environment,
            integration,
            trigger: &trigger,
            version: &version,
            reason: &reason,
            hit: &hit,
        };
        state.contracts.end(&ending, &permit.actor).await?;
    } else {
        // Nobody speaks it, or it was ended before: there is nothing to agree to.
        hit.clear();
    }
    Ok(Reply::ok(&EndedVersion {
        schema_version: 1,
        trigger,
        version,
        consumers: hit.into_iter().map(|hit| hit.consumer).collect(),
    }))
}
