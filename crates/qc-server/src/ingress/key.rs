use http::HeaderMap;
use qc_engine::Trigger;
use qc_expression::{EvalError, Limits, Scope};
use qc_model::Timestamp;
use serde_json::Value;

use crate::{Problem, codes};

/// The longest idempotency key, in bytes.
const LONGEST: usize = 255;

/// What makes a repeat of this event recognisable, in the order of who knows best: the trigger's own expression; else
/// the sender's `Idempotency-Key`; else the sender's id of the event.
pub(super) fn of(
    trigger: &Trigger,
    event: &Value,
    headers: &HeaderMap,
    sender_id: Option<String>,
    now: Timestamp,
) -> Result<Option<String>, Problem> {
    if let Some(idempotency) = &trigger.idempotency {
        return match evaluate(&idempotency.key, event, now) {
            Ok(Value::String(key)) if legal(&key) => Ok(Some(key)),
            Ok(Value::Number(number)) => Ok(Some(number.to_string())),
            Ok(other) => Err(unusable(&idempotency.key, reason(&other))),
            Err(error) => Err(unusable(&idempotency.key, error.to_string())),
        };
    }
    let mut values = headers.get_all("idempotency-key").iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            let detail = "`Idempotency-Key` stands there more than once";
            return Err(Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
        }
        let text = value.to_str().ok().map(str::trim).map(unquote).filter(|key| legal(key));
        let detail = "`Idempotency-Key` is not 1 to 255 printable ASCII characters";
        return text
            .map(|key| Some(key.to_owned()))
            .ok_or_else(|| Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
    }
    Ok(sender_id)
}

/// Evaluates one of the trigger's expressions over the event.
pub(super) fn evaluate(
    expression: &qc_expression::Expression,
    event: &Value,
    now: Timestamp,
) -> Result<Value, EvalError> {
    let scope = Scope { variables: &[], now_ms: now.as_millis(), limits: Limits::default() };
    expression.evaluate(event, &scope)
}

fn unusable(expression: &qc_expression::Expression, why: String) -> Problem {
    let detail = format!(
        "the trigger finds the idempotency key with `{}`, and on this event {why}",
        expression.source()
    );
    Problem::new(422, codes::BAD_KEY, "Unusable idempotency key", detail)
}

fn reason(value: &Value) -> String {
    match value {
        Value::Null => "there is nothing".to_owned(),
        Value::String(text) if text.is_empty() => "that is an empty text".to_owned(),
        Value::String(_) => {
            format!("that is not 1 to {LONGEST} characters without control characters")
        }
        Value::Bool(_) => "that is a boolean".to_owned(),
        Value::Array(_) => "that is a list".to_owned(),
        Value::Object(_) => "that is an object".to_owned(),
        Value::Number(_) => "that is a number".to_owned(),
    }
}

/// Whether a text can be a key.
pub(super) fn legal(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST && !key.chars().any(char::is_control)
}

/// The draft standard writes the key as a quoted string (RFC 9651); most senders write it bare.
fn unquote(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}
