use http::Method;
use qc_access::Action;

use super::{ENVIRONMENT, INTEGRATION, deploy, gate::Reason};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable,
        wire::{Deployment, OverrideRequest},
    },
};

/// The longest reason, in bytes.
const REASON: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "overrideGate",
    method: Method::POST,
    path: "/api/v1/deployments/{environment}/{integration}/override",
    action: Action::DeploymentsOverride,
    summary: "Deploy a release that the gate holds, with the approvals that this takes",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: Some(schema::<OverrideRequest>),
    status: 200,
    answer: Answer::Json(schema::<Deployment>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let OverrideRequest { release, reason, security_fix } = call.body()?;
    if reason.trim().is_empty() || reason.len() > REASON {
        return Err(unusable("reason", &format!("it has 1 to {REASON} bytes")));
    }
    let reason = Reason { text: reason, security_fix };
    deploy::deployed(&call, &release, Some(&reason)).await
}
