//! Asks once, and finds items and next cursor in the answer.

use std::{sync::Arc, time::Duration};

use qc_connect::call::{CallRecord, EffectContext, EnvironmentScope};
use qc_expression::{Expression, Limits, Scope};
use qc_model::{Class, Failure, RunId};
use qc_store::Priority;
use qc_workflow::{CallId, CallRequest, CallTarget, Effect, OutputShape, SecretMark};
use serde_json::{Map, Value, json};

use super::{PollTrigger, cursor::Cursor};
use crate::{Deployment, Engine, Trigger, asking::Asking, codes, record};

/// The most items of one poll.
const ITEMS: usize = 10_000;
/// How long the call may take when the connector does not say.
const TIMEOUT_MS: u64 = 30_000;
/// How long it waits for its turn at least before it is put off.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an answer brought.
pub(super) struct Answer {
    pub(super) items: Vec<Value>,
    pub(super) next: Value,
    pub(super) record: CallRecord,
}

/// Why there is no usable answer.
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    pub(super) record: Option<CallRecord>,
}

impl Engine {
    /// Performs the call through the outbound stack.
    pub(super) async fn ask_other(
        &self,
        deployment: &Deployment,
        trigger: &Trigger,
        poll: &PollTrigger,
        cursor: &Cursor,
        attempt: u32,
    ) -> Result<Answer, Box<Unanswered>> {
        let shared = &self.shared;
        let asked = json!({ "cursor": cursor.value, "vars": vars(deployment) });
        let arguments = match &poll.arguments {
            Some(arguments) => self
                .over(arguments, &asked, "arguments")
                .map_err(|failure| Box::new(Unanswered { failure: *failure, record: None }))?,
            None => Value::Object(Map::new()),
        };
        let connectors = &deployment.release.connectors;
        let policy = connectors.policy(&poll.connector, &poll.operation);
        let pointer: Arc<str> = format!("/triggers/{}", trigger.name).into();
        let visit: Arc<str> = shared.now().as_millis().to_string().into();
        let call = CallRequest {
            id: CallId { pointer, visit },
            task: trigger.name.as_str().into(),
            attempt,
            target: CallTarget::Connector {
                connector: poll.connector.clone(),
                operation: poll.operation.clone(),
                arguments,
                output: OutputShape::Content,
            },
            effect: Effect::Idempotent,
            timeout_ms: policy.map_or(TIMEOUT_MS, |policy| policy.timeout_ms),
            secrets: SecretMark::new(shared.entropy.next_u64()),
        };
        let scope = EnvironmentScope {
            name: deployment.environment.clone(),
            // Whose credentials are used: the tenant's, when that is known before there is an event.
            tenant: record::tenant_of(trigger),
            vars: deployment.vars.clone(),
        };
        let effect = EffectContext {
            integration: deployment.release.integration.clone(),
            of_platform: false,
            run: RunId::new(shared.now(), &*shared.entropy),
            key: format!("qc:poll:{}:{}", call.id.pointer, call.id.visit),
            first_sent_at: None,
            traceparent: String::new(),
            hops: 0,
            secrets: Arc::clone(&deployment.release.secrets),
        };
        let (scope, call, effect) = (&scope, &call, &effect);
        let priority = deployment.release.class.priority(Priority::Normal);
        let patience = poll.every.max(PATIENCE);
        let asking = Asking { connectors, scope, call, effect, priority, patience };
        let performed = Box::pin(shared.ask_beside(asking)).await;
        let record = performed.record;
        let output = performed
            .result
            .map_err(|failure| Box::new(Unanswered { failure, record: Some(record.clone()) }))?;
        self.read(poll, cursor, output.content)
            .map(|(items, next)| Answer { items, next, record: record.clone() })
            .map_err(|failure| Box::new(Unanswered { failure: *failure, record: Some(record) }))
    }

    /// Finds items and next cursor.
    fn read(
        &self,
        poll: &PollTrigger,
        cursor: &Cursor,
        answer: Value,
    ) -> Result<(Vec<Value>, Value), Box<Failure>> {
        let Value::Array(items) = self.over(&poll.items, &answer, "items")? else {
            return Err(unusable("`items` gives no list for the answer"));
        };
        if items.len() > ITEMS {
            let why = format!(
                "the answer has {} items, and a poll takes at most {ITEMS}: ask for smaller pages",
                items.len()
            );
            return Err(unusable(&why));
        }
        let seen = json!({ "cursor": cursor.value, "answer": answer, "items": items });
        let next = self.over(&poll.cursor, &seen, "cursor")?;
        Ok((items, next))
    }

    fn over(
        &self,
        expression: &Expression,
        input: &Value,
        what: &str,
    ) -> Result<Value, Box<Failure>> {
        let now_ms = self.shared.now().as_millis();
        let scope = Scope { variables: &[], now_ms, limits: Limits::default() };
        expression.evaluate(input, &scope).map_err(|error| {
            unusable(&format!("`{what}` of the poll cannot be evaluated: {error}"))
        })
    }
}

/// What came cannot be used.
pub(super) fn unusable(why: &str) -> Box<Failure> {
    let failure =
        Failure::new(Class::Drift, codes::POLL_ANSWER, "The answer to a poll cannot be used", why);
    Box::new(failure)
}

fn vars(deployment: &Deployment) -> Value {
    let vars: Map<String, Value> =
        deployment.vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Value::Object(vars)
}
