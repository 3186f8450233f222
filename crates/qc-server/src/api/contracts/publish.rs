use std::collections::BTreeMap;

use http::Method;
use qc_access::Action;
use qc_contract::pact::Pact;
use qc_model::{EnvironmentName, Name};

use super::{ENVIRONMENT, INTEGRATION, matrix};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable,
        wire::{ContractMatrix, PublishExpectations},
    },
    codes,
    expectations::{Live, Outcome, Published},
};

/// The longest name of a version, and the largest Pact file, in bytes.
const VERSION: usize = 100;
const PACT: usize = 1 << 20;

pub(in crate::api) const ROUTE: Route = Route {
    id: "publishExpectations",
    method: Method::POST,
    path: "/api/v1/contracts/{environment}/{integration}/expectations",
    action: Action::ContractsPublish,
    summary: "Publish what a version of a consumer expects of an integration, as a Pact file; the answer holds it against the \
              versions that run",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: Some(schema::<PublishExpectations>),
    status: 200,
    answer: Answer::Json(schema::<ContractMatrix>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let PublishExpectations { version, pact: text } = call.body()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
    if version.is_empty() || version.len() > VERSION || !version.chars().all(is_name) {
        let why = format!("it has 1 to {VERSION} letters, digits, `.`, `-`, `_` and `+`");
        return Err(unusable("version", &why));
    }
    if text.len() > PACT {
        return Err(unusable("pact", &format!("it has at most {PACT} bytes")));
    }
    let (pact, findings) = Pact::read("pact", &text);
    if let Some(finding) = findings.first() {
        return Err(unusable("pact", &finding.message));
    }
    let Some(pact) = pact else { return Err(unusable("pact", &"it is no Pact file")) };
    if pact.consumer.is_empty() || pact.consumer.len() > VERSION {
        return Err(unusable("pact", &format!("its consumer has a name of 1 to {VERSION} bytes")));
    }
    let state = permit.state;
    let at = state.clock.now();
    let live = Live { version: version.clone(), at, pact };
    let only = BTreeMap::from([(live.pact.consumer.clone(), live.clone())]);
    // First: what is not deployed cannot be spoken to.
    let mut told = matrix::of(&permit, &environment, &integration, only).await?;
    told.items.retain(|item| item.consumer == live.pact.consumer);
    let published = Published {
        environment: &environment,
        integration: &integration,
        consumer: &live.pact.consumer,
        version: &version,
        pact: &text,
    };
    match state.publish_expectation(&published, &permit.actor).await? {
        Outcome::Published | Outcome::Known => Ok(Reply::ok(&told)),
        Outcome::Differs => {
            let detail = format!(
                "`{}` has published other expectations as version `{version}`; what is published does not change: \
                 give them a version of their own",
                live.pact.consumer
            );
            Err(Problem::new(409, codes::PUBLISHED, "Already published", detail))
        }
    }
}
