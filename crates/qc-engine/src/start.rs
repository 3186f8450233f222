//! What a run begins with.

use qc_expression::{EvalError, Expression, Limits, Scope};
use qc_model::{RunId, Timestamp};
use qc_store::RunFacts;
use qc_workflow::{RuntimeFacts, Start};
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

/// A W3C `traceparent` for one attempt: the sender's trace when it named one, else the run's id as
/// the trace's id, so that a run's trace can be found from its id. Source: W3C Trace Context 1.
pub(crate) fn traceparent(
    incoming: Option<&str>,
    run: RunId,
    call: &qc_workflow::CallId,
    attempt: u32,
) -> String {
    let trace = incoming
        .and_then(|text| text.split('-').nth(1))
        .filter(|id| id.len() == 32)
        .map_or_else(|| format!("{:032x}", run.bits()), str::to_owned);
    // FNV-1a over the call and attempt: spans need to differ, not to be unguessable.
    let mut span: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in call.pointer.bytes().chain(call.visit.bytes()).chain(attempt.to_le_bytes()) {
        span = (span ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("00-{trace}-{:016x}-01", span.max(1))
}
