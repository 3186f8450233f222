use http::Method;
use qc_access::Action;
use qc_engine::Deployment;
use qc_model::{EnvironmentName, Finding};
use qc_store::{DeadFilter, DeadState};
use qc_vault::SecretRef;
use serde_json::json;

use crate::{
    Problem, State,
    api::{
        Call, Reply, Route, VERSION,
        route::{Answer, schema},
        wire::Server,
    },
    needs::secrets_of,
};

/// Dead letters are counted up to here.
const COUNTED: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "showServer",
    method: Method::GET,
    path: "/api/v1/server",
    action: Action::ServerRead,
    summary: "Show how the server does",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Server>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let state = permit.state;
    let open = DeadFilter { state: Some(DeadState::Open), limit: COUNTED, ..DeadFilter::default() };
    let numbers = state.engine.gauges();
    let mut findings = state.catalogue.findings();
    findings.extend(missing_secrets(state));
    // What is overdue is told with who answers for it.
    let of_vault = state.vault.findings().into_iter();
    findings.extend(of_vault.filter(|finding| finding.code != qc_vault::codes::OVERDUE));
    findings.extend(state.overdue().await?);
    findings.extend(state.people.findings().await?);
    findings.extend(state.engine.standings().findings());
    Ok(Reply::ok(&Server {
        schema_version: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api_version: VERSION.to_owned(),
        now: state.clock.now().to_string(),
        started_at: state.started_at.to_string(),
        ready: state.is_ready(),
        store: state.store.caps().backend.to_owned(),
        runs_in_memory: numbers.runs_in_memory,
        node: state.engine.node().to_owned(),
        nodes: numbers.nodes,
        groups: numbers.groups,
        leased: numbers.leased,
        stuck: numbers.stuck,
        open_dead_letters: state.store.dead_letters(&open).await?.len(),
        findings: findings.iter().map(|finding| json!(finding)).collect(),
    }))
}

/// The secrets that something deployed needs and that cannot be had, or that everybody can read.
fn missing_secrets(state: &State) -> Vec<Finding> {
    let deployments = state.engine.deployments();
    let mut findings = state.secrets.kv().findings();
    for deployment in deployments.iter() {
        findings.extend(state.secrets.check(&deployment.environment, secrets_of(deployment)));
    }
    findings
}

impl State {
    /// The secrets that deployed releases need, by environment.
    pub fn needed_secrets(&self) -> Vec<(EnvironmentName, Vec<SecretRef>)> {
        let deployments = self.engine.deployments();
        let of = |deployment: &std::sync::Arc<Deployment>| {
            let references = secrets_of(deployment).into_iter().cloned().collect();
            (deployment.environment.clone(), references)
        };
        deployments.iter().map(of).collect()
    }
}
