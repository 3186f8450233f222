//! What a run begins with.

use qc_expression::{EvalError, Expression, Limits, Scope};
use qc_model::{RunId, Timestamp};
use qc_store::RunFacts;
use qc_workflow::{Deadline, RuntimeFacts, Start};
use serde_json::{Map, Value, json};

use crate::Deployment;

/// The machine's start for a run: its input, and what expressions see as `$runtime`.
pub(crate) fn workflow_start(
    deployment: &Deployment,
    facts: &RunFacts,
    input: Value,
    at: Timestamp,
    entropy: u64,
) -> Start {
    let vars: Map<String, Value> =
        deployment.vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Start {
        run: facts.id.to_string(),
        origin: facts.origin.to_string(),
        input,
        at,
        entropy,
        runtime: RuntimeFacts {
            name: "quickconnect".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: json!({
                "environment": facts.environment,
                "tenant": facts.tenant,
                "vars": vars,
            }),
        },
        depth: 0,
        deadline: deployment.release.deadline.map(|within| Deadline {
            at: facts.accepted_at + within,
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

/// Evaluates one of a trigger's expressions over the event in structured form.
pub fn over_event(
    expression: &Expression,
    event: &Value,
    at: Timestamp,
) -> Result<Value, EvalError> {
    let scope = Scope { variables: &[], now_ms: at.as_millis(), limits: Limits::default() };
    expression.evaluate(event, &scope)
}

/// The key under which a call's effect is made: the same for every attempt, retry and replay.
pub(crate) fn effect_key(origin: RunId, call: &qc_workflow::CallId) -> String {
    format!("qc:{origin}:{}:{}", call.pointer, call.visit)
}
