//! What every event is held against, wherever it came from: whose it is, what makes a repeat recognisable, and its
//! contract. What is refused here has cost the store nothing.

use qc_contract::{Mismatch, Schema};
use qc_expression::Expression;
use qc_model::{Code, Event, EventData, TenantName, Timestamp};
use qc_version::{ConvertError, Date, Spoken, State, Versions};
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
    /// The version that the sender speaks does not answer any more.
    Retired {
        /// Its name.
        version: String,
        /// Since when.
        since: Date,
        /// The version to move to.
        successor: Option<String>,
    },
    /// The event fits the version that its sender speaks, and cannot be taken to the workflow's: our fault.
    Unconverted(Box<ConvertError>),
    /// The event was taken to the workflow's version, and does not fit that: our fault.
    Misfit {
        /// The version that its sender speaks.
        version: String,
        /// What does not fit.
        mismatches: Vec<Mismatch>,
    },
}

impl Refusal {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NotJson => codes::MEDIA_TYPE,
            Self::Contract(_) => codes::CONTRACT,
            Self::Key(_) => codes::BAD_KEY,
            Self::Tenant(_) => codes::NO_TENANT,
            Self::Retired { .. } => codes::VERSION_RETIRED,
            Self::Unconverted(_) | Self::Misfit { .. } => codes::VERSION_CONVERSION,
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
            Self::Retired { version, since, successor } => {
                let next = successor.as_ref().map_or_else(
                    || "there is no newer one".to_owned(),
                    |successor| format!("move to `{successor}`"),
                );
                format!("version `{version}` of the contract does not answer since {since}: {next}")
            }
            Self::Unconverted(error) => {
                format!("the event is legal, and the platform cannot convert it: {error}")
            }
            Self::Misfit { version, mismatches } => {
                let first = mismatches.first().map_or_else(String::new, |first| {
                    format!(": at `{}`: {}", first.pointer, first.message)
                });
                format!(
                    "the event is legal in version `{version}`, and what it is converted to does not fit the workflow's{first}"
                )
            }
        }
    }

    /// Whether the sender did nothing wrong: the conversion between two versions of the contract is.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unconverted(_) | Self::Misfit { .. })
    }
}

/// Judges an event. `given` is the key that its sender gave; it counts when the trigger declares none. `spoken` is the
/// version of the contract that the sender speaks, when there are several; the usual one when it is not said. The event
/// is held against that version and then taken to the one of the workflow: everything else sees it like that.
pub fn judge(
    trigger: &Trigger,
    event: &mut Event,
    given: Option<String>,
    spoken: Option<Spoken>,
    at: Timestamp,
) -> Result<Judged, Refusal> {
    if let (TenantRule::Fixed(tenant), None, None) =
        (&trigger.tenant, &trigger.idempotency, &trigger.contract)
    {
        return Ok(Judged { tenant: tenant.clone(), key: given, breach: None });
    }
    let raised = match &trigger.versions {
        Some(versions) => {
            let usual = Spoken { index: versions.usual(), outlives: false };
            raise(versions, spoken.unwrap_or(usual), event, at)?
        }
        None => Raised::default(),
    };
    let binary = matches!(event.data, EventData::Binary(_));
    let judged = view::structured(event, |view| {
        let tenant = tenant(&trigger.tenant, view, at)?;
        let key = match &trigger.idempotency {
            Some(rule) => Some(key(&rule.key, view, at)?),
            None => given,
        };
        Ok((tenant, key, breach(trigger, view, binary, &raised)))
    });
    match (judged, raised.breach) {
        (Ok((tenant, key, breach)), earlier) => {
            Ok(Judged { tenant, key, breach: earlier.or(breach) })
        }
        // What breaks its own version need not have what the workflow's expressions look for.
        (Err(_), Some(earlier)) => Err(earlier),
        (Err(refusal), None) => Err(refusal),
    }
}

/// An event that was taken to the workflow's version.
#[derive(Default)]
struct Raised {
    /// What speaks against it in its own version.
    breach: Option<Refusal>,
    /// From which other version it comes.
    from: Option<String>,
}

/// Holds an event against the version that its sender speaks and takes it to the workflow's.
///
/// Errors: why that cannot be done.
fn raise(
    versions: &Versions,
    Spoken { index: spoken, outlives }: Spoken,
    event: &mut Event,
    at: Timestamp,
) -> Result<Raised, Refusal> {
    let (entry, current) = (&versions.entries()[spoken], versions.current());
    let retired = match versions.state(spoken, at) {
        State::Retired { since } if !outlives => Some(Refusal::Retired {
            version: entry.name.to_string(),
            since,
            successor: versions.successor(spoken, at).map(|entry| entry.name.to_string()),
        }),
        State::Draft
        | State::Current
        | State::Supported
        | State::Deprecated { .. }
        | State::Overdue { .. }
        | State::Retired { .. } => None,
    };
    if spoken == current {
        return Ok(Raised { breach: retired, from: None });
    }
    if matches!(event.data, EventData::Binary(_)) {
        return Err(retired.unwrap_or(Refusal::NotJson));
    }
    let data = match std::mem::replace(&mut event.data, EventData::None) {
        EventData::Json(data) => data,
        EventData::Text(text) => Value::String(text),
        EventData::None | EventData::Binary(_) => Value::Null,
    };
    let mismatches = entry.contract.check(&data);
    let broken = (!mismatches.is_empty()).then_some(Refusal::Contract(mismatches));
    let breach = retired.or(broken);
    match versions.events().convert(data, spoken, current) {
        Ok(data) => {
            event.data = EventData::Json(data);
            // What the event says of itself is true of what it is now.
            event.dataschema = None;
            if let Some(attribute) = &versions.select.attribute
                && let Some(said) = event.extensions.get_mut(attribute)
            {
                *said = Value::String(versions.entries()[current].name.to_string());
            }
            Ok(Raised { breach, from: Some(entry.name.to_string()) })
        }
        Err(error) => Err(breach.unwrap_or(Refusal::Unconverted(error))),
    }
}

/// What speaks against an event in the workflow's version.
fn breach(trigger: &Trigger, view: &Value, binary: bool, raised: &Raised) -> Option<Refusal> {
    let contract = trigger.contract.as_ref().filter(|_| raised.breach.is_none())?;
    match (against(contract, view, binary)?, &raised.from) {
        (Refusal::Contract(mismatches), Some(version)) => {
            Some(Refusal::Misfit { version: version.clone(), mismatches })
        }
        (refusal, _) => Some(refusal),
    }
}

fn against(contract: &Schema, view: &Value, binary: bool) -> Option<Refusal> {
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
