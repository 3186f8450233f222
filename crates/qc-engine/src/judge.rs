//! What every event is held against, wherever it came from: whose it is, what makes a repeat recognisable, and its
//! contract. What is refused here has cost the store nothing.

use qc_contract::{Mismatch, Schema};
use qc_expression::Expression;
use qc_model::{Code, Event, EventData, TenantName, Timestamp};
use serde_json::Value;

use crate::{TenantRule, Trigger, codes, start::over_event, view};

/// The longest idempotency key, in bytes.
const KEY_LONGEST: usize = 255;

/// What is known of an event once it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Whose it is.
    pub tenant: TenantName,
    /// What makes a repeat recognisable.
    pub key: Option<String>,
    /// What speaks against it, unless it is known from before: what is on disk has its run, whatever the contract now
    /// says.
    pub breach: Option<Refusal>,
}

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The trigger has a contract, and the data are not JSON.
    NotJson,
    /// The data break the contract.
    Contract(Vec<Mismatch>),
    /// There is no usable key; why.
    Key(String),
    /// There is no tenant; why.
    Tenant(String),
}

impl Refusal {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NotJson => codes::MEDIA_TYPE,
            Self::Contract(_) => codes::CONTRACT,
            Self::Key(_) => codes::BAD_KEY,
            Self::Tenant(_) => codes::NO_TENANT,
        }
    }

    /// What is wrong; holds no payload.
    pub fn detail(&self) -> String {
        match self {
            Self::NotJson => "the trigger has a contract; its events carry JSON data".to_owned(),
            Self::Contract(mismatches) => {
                let first = mismatches.first().map_or_else(String::new, |first| {
                    format!(": at `{}`: {}", first.pointer, first.message)
                });
                format!("the data do not fit the trigger's contract{first}")
            }
            Self::Key(detail) | Self::Tenant(detail) => detail.clone(),
        }
    }
}

/// Judges an event. `given` is the key that its sender gave; it counts when the trigger declares none.
pub fn judge(
    trigger: &Trigger,
    event: &mut Event,
    given: Option<String>,
    at: Timestamp,
) -> Result<Judged, Refusal> {
    if let (TenantRule::Fixed(tenant), None, None) =
        (&trigger.tenant, &trigger.idempotency, &trigger.contract)
    {
        return Ok(Judged { tenant: tenant.clone(), key: given, breach: None });
    }
    let binary = matches!(event.data, EventData::Binary(_));
    view::structured(event, |view| {
        let tenant = tenant(&trigger.tenant, view, at)?;
        let key = match &trigger.idempotency {
            Some(rule) => Some(key(&rule.key, view, at)?),
            None => given,
        };
        let breach = trigger.contract.as_ref().and_then(|contract| breach(contract, view, binary));
        Ok(Judged { tenant, key, breach })
    })
}

fn breach(contract: &Schema, view: &Value, binary: bool) -> Option<Refusal> {
    if binary {
        return Some(Refusal::NotJson);
    }
    let mismatches = contract.check(view.get("data").unwrap_or(&Value::Null));
    (!mismatches.is_empty()).then_some(Refusal::Contract(mismatches))
}

fn tenant(rule: &TenantRule, view: &Value, at: Timestamp) -> Result<TenantName, Refusal> {
    let expression = match rule {
        TenantRule::Fixed(tenant) => return Ok(tenant.clone()),
        TenantRule::FromEvent(expression) => expression,
    };
    let why = match over_event(expression, view, at) {
        Ok(Value::String(text)) => match TenantName::new(&text) {
            Ok(tenant) => return Ok(tenant),
            Err(_) => "it gives a text that is no legal name".to_owned(),
        },
        Ok(_) => "it gives no text".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Refusal::Tenant(format!(
        "the trigger finds the tenant with `{}`: {why}",
        expression.source()
    )))
}

fn key(expression: &Expression, view: &Value, at: Timestamp) -> Result<String, Refusal> {
    let why = match over_event(expression, view, at) {
        Ok(Value::String(key)) if is_legal_key(&key) => return Ok(key),
        Ok(Value::Number(number)) => return Ok(number.to_string()),
        Ok(other) => reason(&other),
        Err(error) => error.to_string(),
    };
    Err(Refusal::Key(format!(
        "the trigger finds the idempotency key with `{}`, and on this event {why}",
        expression.source()
    )))
}

fn reason(value: &Value) -> String {
    match value {
        Value::Null => "there is nothing".to_owned(),
        Value::String(text) if text.is_empty() => "that is an empty text".to_owned(),
        Value::String(_) => {
            format!("that is not 1 to {KEY_LONGEST} characters without control characters")
        }
        Value::Bool(_) => "that is a boolean".to_owned(),
        Value::Array(_) => "that is a list".to_owned(),
        Value::Object(_) => "that is an object".to_owned(),
        Value::Number(_) => "that is a number".to_owned(),
    }
}

/// Whether a text can be a key.
pub fn is_legal_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= KEY_LONGEST && !key.chars().any(char::is_control)
}
