use http::Method;
use qc_access::Action;

use super::{named, nothing};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::{ConnectionDrill, DrillConnection, DrillStep},
    },
    drill::{Drill, DrillOrder, RATE, SECONDS},
    upkeep::prober,
};

pub(in crate::api) const BEGIN: Route = Route {
    id: "drillConnection",
    method: Method::POST,
    path: "/api/v1/connections/drill",
    action: Action::ConnectionsWrite,
    summary: "Renew a connection's tokens while its probe is called, and keep what came of it",
    parameters: &[],
    body: Some(schema::<DrillConnection>),
    status: 200,
    answer: Answer::Json(schema::<ConnectionDrill>),
    handler: |call| Box::pin(begin(call)),
};

pub(in crate::api) const SHOW: Route = Route {
    id: "showConnectionDrill",
    method: Method::GET,
    path: "/api/v1/connections/{environment}/{name}/drills/{drill}",
    action: Action::ConnectionsRead,
    summary: "Show what a drill of a connection came to",
    parameters: &[
        path("environment", "The environment"),
        path("name", "The connection"),
        path("drill", "The drill, or `last`"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<ConnectionDrill>),
    handler: |call| Box::pin(show(call)),
};

async fn begin(call: Call) -> Result<Reply, Problem> {
    let DrillConnection { environment, name, seconds, rate, production, reason } = call.body()?;
    let permit = call.may(Some(&environment), Some(&name)).await?;
    let (id, state) = (named(&environment, &name)?, permit.state);
    if !SECONDS.contains(&seconds) || !RATE.contains(&rate) {
        let detail = format!(
            "a drill lasts {} to {} seconds, with {} to {} calls a second",
            SECONDS.start(),
            SECONDS.end(),
            RATE.start(),
            RATE.end()
        );
        return Err(refused(422, detail));
    }
    let reason = reason.filter(|text| !text.trim().is_empty());
    if state.access.production().contains(&id.environment) && (!production || reason.is_none()) {
        let detail = format!(
            "`{environment}` is production: its tokens are renewed for a drill only when `production` \
             is said, with a `reason`"
        );
        return Err(refused(409, detail));
    }
    let shown = state.connections.show(&id).await?.ok_or_else(|| nothing(&id))?;
    let now = state.clock.now();
    if !shown.record.usable(now) {
        let detail =
            format!("`{}` is {} and gives no token", id.text(), shown.record.state.as_str());
        return Err(refused(409, detail));
    }
    let Some(user) = prober(state, &id) else {
        let detail = format!(
            "no connector that is deployed in `{environment}` declares a `probe` for `{name}`"
        );
        return Err(refused(409, detail));
    };
    if state.drills(&id).await?.iter().any(|drill| drill.state(now) == "running") {
        return Err(refused(409, format!("a drill of `{}` is under way", id.text())));
    }
    let order = DrillOrder { seconds, rate, reason };
    let drill = state.begin_drill(&id, user, order, permit.actor.clone()).await?;
    Ok(Reply::ok(&told(drill, now)))
}

async fn show(call: Call) -> Result<Reply, Problem> {
    let (environment, name): (String, String) = (call.path("environment")?, call.path("name")?);
    let permit = call.may(Some(&environment), Some(&name)).await?;
    let (id, wanted) = (named(&environment, &name)?, call.path::<String>("drill")?);
    let mut drills = permit.state.drills(&id).await?;
    let found = if wanted == "last" {
        drills.pop()
    } else {
        drills.into_iter().find(|drill| drill.id == wanted)
    };
    let drill = found.ok_or_else(|| {
        let detail = format!("there is no drill `{wanted}` of `{}`", id.text());
        Problem::new(404, qc_connection::codes::NO_CONNECTION, "No such drill", detail)
    })?;
    Ok(Reply::ok(&told(drill, permit.state.clock.now())))
}

fn refused(status: u16, detail: String) -> Problem {
    Problem::new(status, qc_connection::codes::NO_DRILL, "No such drill can be made", detail)
}

fn told(drill: Drill, now: qc_model::Timestamp) -> ConnectionDrill {
    let state = drill.state(now).to_owned();
    let result = drill.result.unwrap_or_default();
    let ended = state == "passed" || state == "failed";
    ConnectionDrill {
        schema_version: 1,
        id: drill.id,
        environment: drill.environment,
        name: drill.connection,
        state,
        operation: drill.operation,
        seconds: drill.seconds,
        rate: drill.rate,
        reason: drill.reason,
        began_at: drill.began_at.to_string(),
        ended_at: ended.then(|| result.ended_at.to_string()),
        requests: result.requests,
        failures: result.failures,
        failure_codes: result.codes,
        refreshes: result.refreshes,
        median_ms: result.median_ms,
        slowest_ms: result.slowest_ms,
        steps: result
            .steps
            .into_iter()
            .map(|step| DrillStep {
                step: step.step,
                at_ms: step.at_ms,
                took_ms: step.took_ms,
                generation: step.generation,
                code: step.code,
            })
            .collect(),
    }
}
