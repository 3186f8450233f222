//! Operations that do for many what another one does for one.

use http::{HeaderMap, StatusCode, header};
use qc_expression::{Expression, Limits, Scope};
use serde_json::{Value, json};

use super::{Outcome, Provider, World, visit::Visit};
use crate::blueprint::Operation;
use crate::exchange::{SimRequest, SimResponse};
use crate::problem::Fields;
use crate::spec::BatchRule;

impl Provider {
    /// Does for each body what the other operation does for one, in order, each with the same credentials.
    pub(super) fn each(
        &self,
        world: &mut World,
        operation: &Operation,
        rule: &BatchRule,
        visit: &Visit<'_>,
    ) -> Outcome {
        let refuse = |status, why: &str| {
            Outcome::unchanged(operation.errors.answer(status, why, &Fields::default()))
        };
        let body = visit.body.as_ref().unwrap_or(&Value::Null);
        let Ok(Value::Array(items)) = evaluated(&rule.items, body, visit) else {
            return refuse(StatusCode::BAD_REQUEST, "there is no list of what is to be done");
        };
        let single = self.blueprint.operation(&rule.each.text);
        let Some((single, path)) = single.and_then(|it| Some((it, self.blueprint.path_of(it)?)))
        else {
            return refuse(StatusCode::NOT_IMPLEMENTED, "nobody knows how to do one");
        };
        let mut headers: HeaderMap = visit.request.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        let mut applied = false;
        let mut came = Vec::with_capacity(items.len());
        for item in items {
            let request = SimRequest {
                method: single.method.clone(),
                target: path.to_owned(),
                headers: headers.clone(),
                body: item.to_string().into(),
                certified: visit.request.certified,
            };
            let own = Visit::begin(&self.blueprint, &request, visit.now);
            let outcome = self.perform(world, &own, &own.mismatches(&self.blueprint));
            applied |= outcome.applied;
            let body: Value = serde_json::from_slice(&outcome.answer.body).unwrap_or_default();
            came.push(json!({ "status": outcome.answer.status.as_u16(), "body": body }));
        }
        match evaluated(&rule.answer, &Value::Array(came), visit) {
            Ok(answer) => {
                let answer = SimResponse::json(operation.success.status, &answer);
                Outcome { answer, applied, replayed: false }
            }
            Err(why) => {
                let why = format!("`answer` of the batch fails: {why}");
                Outcome { applied, ..refuse(StatusCode::INTERNAL_SERVER_ERROR, &why) }
            }
        }
    }
}

fn evaluated(it: &Expression, over: &Value, visit: &Visit<'_>) -> Result<Value, String> {
    let limits = Limits::default();
    let scope = Scope { variables: &[], now_ms: visit.now.as_millis(), limits };
    it.evaluate(over, &scope).map_err(|error| error.to_string())
}
