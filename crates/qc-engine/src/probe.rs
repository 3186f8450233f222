//! Asks another system something that changes nothing, outside of any run: whether a connection works.

use std::sync::{Arc, atomic::Ordering};

use qc_connect::call::{EffectContext, EnvironmentScope};
use qc_model::{Failure, RunId, TenantName};
use qc_workflow::{CallId, CallRequest, CallTarget, Effect, OutputShape, SecretMark};

use crate::{Deployment, Engine};

/// How long an answer is waited for at most, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;

impl Engine {
    /// Has a connector's probe performed once through the outbound stack. A connector without one works.
    pub async fn probe_connector(
        &self,
        deployment: &Deployment,
        connector: &str,
    ) -> Result<(), Failure> {
        let shared = &self.shared;
        let connectors = &deployment.release.connectors;
        let Some(rule) = connectors.get(connector).and_then(|found| found.probe()) else {
            return Ok(());
        };
        let policy = connectors.policy(connector, &rule.operation);
        let visit: Arc<str> = shared.now().as_millis().to_string().into();
        let call = CallRequest {
            id: CallId { pointer: format!("/connectors/{connector}/probe").into(), visit },
            task: "probe".into(),
            attempt: 1,
            target: CallTarget::Connector {
                connector: connector.to_owned(),
                operation: rule.operation.clone(),
                arguments: rule.arguments.clone(),
                output: OutputShape::Content,
            },
            effect: Effect::Idempotent,
            timeout_ms: policy.map_or(TIMEOUT_MS, |policy| policy.timeout_ms.min(TIMEOUT_MS)),
            secrets: SecretMark::new(shared.entropy.next_u64()),
        };
        let scope = EnvironmentScope {
            name: deployment.environment.clone(),
            tenant: TenantName::new("default").expect("a legal name"),
            vars: deployment.vars.clone(),
        };
        let effect = EffectContext {
            integration: deployment.release.integration.clone(),
            of_platform: true,
            run: RunId::new(shared.now(), &*shared.entropy),
            key: format!("qc:probe:{connector}:{}", call.id.visit),
            first_sent_at: None,
            traceparent: String::new(),
            secrets: Arc::clone(&deployment.release.secrets),
        };
        let performed = Box::pin(shared.outbound.perform(connectors, &scope, &call, &effect)).await;
        shared.counters.calls.fetch_add(1, Ordering::Relaxed);
        if performed.result.is_err() {
            shared.counters.calls_failed.fetch_add(1, Ordering::Relaxed);
        }
        performed.result.map(drop)
    }
}
