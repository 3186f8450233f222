//! Asks another system something that changes nothing, outside of any run: whether a connection works, or how an operation
//! answers now.

use std::{sync::Arc, time::Duration};

use qc_connect::call::{EffectContext, EnvironmentScope, Performed};
use qc_model::{Failure, RunId, TenantName};
use qc_store::Priority;
use qc_workflow::{CallId, CallRequest, CallTarget, Effect, OutputShape, SecretMark};
use serde_json::Value;

use crate::{Deployment, Engine, asking::Asking};

/// How long an answer to a probe is waited for at most, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// How long it waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the platform asks by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) connector: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) arguments: &'a Value,
    /// What it is asked for: `probe` or `canary`.
    pub(crate) what: &'static str,
    /// How long its answer is waited for at most, in milliseconds.
    pub(crate) timeout_ms: u64,
}

impl Engine {
    /// Has a connector's probe performed once through the outbound stack. A connector without one works.
    pub async fn probe_connector(
        &self,
        deployment: &Deployment,
        connector: &str,
    ) -> Result<(), Failure> {
        let connectors = &deployment.release.connectors;
        let Some(rule) = connectors.get(connector).and_then(|found| found.probe()) else {
            return Ok(());
        };
        let (operation, arguments) = (rule.operation.as_str(), &rule.arguments);
        let question =
            Question { connector, operation, arguments, what: "probe", timeout_ms: TIMEOUT_MS };
        Box::pin(self.ask_outside(deployment, question)).await.result.map(drop)
    }

    /// Performs one attempt of a call that belongs to no run.
    pub(crate) async fn ask_outside(
        &self,
        deployment: &Deployment,
        question: Question<'_>,
    ) -> Performed {
        let Question { connector, operation, arguments, what, timeout_ms } = question;
        let shared = &self.shared;
        let connectors = &deployment.release.connectors;
        let policy = connectors.policy(connector, operation);
        let visit: Arc<str> = shared.now().as_millis().to_string().into();
        let call = CallRequest {
            id: CallId { pointer: format!("/connectors/{connector}/{what}").into(), visit },
            task: what.into(),
            attempt: 1,
            target: CallTarget::Connector {
                connector: connector.to_owned(),
                operation: operation.to_owned(),
                arguments: arguments.clone(),
                output: OutputShape::Content,
            },
            effect: Effect::Idempotent,
            timeout_ms: policy.map_or(timeout_ms, |policy| policy.timeout_ms.min(timeout_ms)),
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
            key: format!("qc:{what}:{connector}:{}", call.id.visit),
            first_sent_at: None,
            traceparent: String::new(),
            hops: 0,
            secrets: Arc::clone(&deployment.release.secrets),
        };
        let (scope, call, effect) = (&scope, &call, &effect);
        let (priority, patience) = (Priority::Normal, PATIENCE);
        Box::pin(shared.ask_beside(Asking { connectors, scope, call, effect, priority, patience }))
            .await
    }
}
