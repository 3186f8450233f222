use http::Method;
use qc_access::{Action, Approved};
use qc_model::{EnvironmentName, Name, NextAction};
use qc_release::{ReleaseError, ReleaseRecord};
use qc_version::gate::Judgement;
use serde_json::{Value, json};

use super::{ENVIRONMENT, INTEGRATION};
use crate::{
    Problem,
    api::{
        Call, Permit, Reply, Route, approvals, releases,
        route::{Answer, query, schema},
        wire,
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "judgeRelease",
    method: Method::GET,
    path: "/api/v1/deployments/{environment}/{integration}/gate",
    action: Action::DeploymentsRead,
    summary: "Say what a release changes for others, and whether it may be deployed",
    parameters: &[
        ENVIRONMENT,
        INTEGRATION,
        query("release", "The release's hash, or its beginning"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Gate>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let release: String = call.query("release")?.unwrap_or_default();
    let record = releases::find(permit.state, &release).await?;
    if record.manifest.integration != integration {
        return Err(ReleaseError::NoRelease(format!("{release} of {integration}")).into());
    }
    let judgement = judged(&permit, &environment, &record).await?;
    let report =
        judgement.as_ref().map_or_else(|| json!({ "verdict": "no-change" }), Judgement::to_json);
    Ok(Reply::ok(&wire::Gate {
        schema_version: 1,
        environment: environment.to_string(),
        integration: integration.to_string(),
        release: record.hash,
        is_first: judgement.is_none(),
        holds: judgement.as_ref().is_some_and(Judgement::holds),
        reasons: judgement.as_ref().map(Judgement::reasons).unwrap_or_default(),
        report,
    }))
}

/// What the gate says of a release; None: nothing runs whose place it would take.
async fn judged(
    permit: &Permit<'_>,
    environment: &EnvironmentName,
    record: &ReleaseRecord,
) -> Result<Option<Judgement>, Problem> {
    let state = permit.state;
    let integration = &record.manifest.integration;
    let now = qc_release::current(&*state.store, environment, integration).await?;
    let Some(now) = now.filter(|now| now.release != record.hash) else { return Ok(None) };
    let pair = (now.release.as_str(), record.hash.as_str());
    let usage = state.contracts.of(environment, integration).await?;
    let live = state.live_expectations(environment, integration).await?;
    let expectations = live.into_values().map(|it| it.pact).collect();
    let known = (state.clock.now(), usage, expectations);
    Ok(Some(state.catalogue.judged(pair, environment, known).await?))
}

/// Why a release is to go out although the gate holds it.
pub(super) struct Reason {
    pub(super) text: String,
    /// What mends a weakness waits for nobody.
    pub(super) security_fix: bool,
}

/// Refuses a release that the gate holds, unless people of whom the rules in force have it let pass. What is to be
/// written about it into the audit.
pub(super) async fn hold(
    permit: &Permit<'_>,
    environment: &EnvironmentName,
    record: &ReleaseRecord,
    reason: Option<&Reason>,
) -> Result<Value, Problem> {
    let Some(judgement) = judged(permit, environment, record).await? else {
        return Ok(json!({ "verdict": "first" }));
    };
    let verdict = judgement.comparison.verdict.as_str();
    if !judgement.holds() {
        return Ok(json!({ "verdict": verdict }));
    }
    let Some(reason) = reason else { return Err(held(&judgement)) };
    let breaks: Vec<&str> = judgement.breaks.iter().map(|it| it.id.as_str()).collect();
    let overridden = json!({
        "verdict": verdict,
        "overridden": {
            "reason": reason.text, "security_fix": reason.security_fix, "breaks": breaks,
            "reasons": judgement.reasons(),
        },
    });
    if reason.security_fix {
        tracing::warn!(
            %environment, integration = %record.manifest.integration, release = %record.hash,
            "a security fix goes out although the gate holds it"
        );
        return Ok(overridden);
    }
    if !judgement.may_be_overridden() {
        return Err(held(&judgement));
    }
    let change = Approved {
        action: Action::DeploymentsOverride,
        environment: Some(environment.clone()),
        integration: Some(record.manifest.integration.clone()),
        what: record.hash.clone(),
    };
    if !permit.state.access.policies().approvals().speak_of(&change) {
        let detail = "no rule of `approvals.yaml` says who lets pass what the gate holds: write one \
                      for `deployments:override`, and put it in force";
        return Err(Problem::new(403, codes::NOT_APPROVED, "Nobody may let it pass", detail));
    }
    approvals::demand(permit, &change, &[&record.built_by, &permit.actor]).await?;
    Ok(overridden)
}

fn held(judgement: &Judgement) -> Problem {
    let mut detail = judgement.reasons().join("; ");
    detail.push_str(if judgement.may_be_overridden() {
        ". Serve the version before beside it (docs/versions.md), or let it pass with approvals: \
         `qc deploy --override REASON`"
    } else {
        ". Serve the version before beside it (docs/versions.md), or write about each change under \
         `breaking_changes` of integration.yaml; then people may let it pass"
    });
    Problem::new(409, codes::HELD, "The gate holds the release", detail)
        .next(NextAction::FixRequest)
}
