//! What is stored of a person: found by a keyed index, handed out, and erased.
//!
//! Whom an event is about is declared in the brief (`subject` of an object). Its value is nowhere in the index: a run
//! has a keyed hash of it among its keys.

mod erase;
mod export;
mod find;

pub use erase::SubjectErased;
pub use export::SubjectArchive;

use qc_data::spellings;
use qc_model::{EnvironmentName, Name, TenantName};
use qc_store::{KEYS_MAX, RunKey};
use serde_json::Value;

use crate::{DataRules, record};

/// The name of the key by which the runs of a subject are found.
pub(crate) const KEY: &str = "qc.subject";

/// A person, as an integration's events name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Whose data it is.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Who, as it stands in events: a customer's number, a mail address.
    pub value: String,
}

impl Subject {
    /// The key of the subject's runs.
    pub(crate) fn key(&self, ledger_key: &[u8; 32]) -> RunKey {
        // Names have no zero byte.
        let text = format!("subject\0{}\0{}\0{}", self.tenant, self.environment, self.value);
        let value = record::keyed_hash(ledger_key, text.as_bytes());
        RunKey { name: KEY.to_owned(), value }
    }

    /// Whether stored bytes name the subject.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        spellings(&self.value).iter().any(|spelling| text.contains(spelling.as_str()))
    }
}

/// The keys of a run that begins with this event's data.
pub(crate) fn keys_of_data(
    rules: &DataRules,
    trigger: &Name,
    (tenant, environment): (&TenantName, &EnvironmentName),
    data: &Value,
    ledger_key: &[u8; 32],
) -> Vec<RunKey> {
    let mut values = Vec::new();
    for path in rules.subjects.get(trigger).into_iter().flatten() {
        let steps: Vec<&str> = path.split('.').collect();
        at(data, &steps, &mut values);
    }
    values.sort_unstable();
    values.dedup();
    let of = |value| {
        let (tenant, environment) = (tenant.clone(), environment.clone());
        Subject { tenant, environment, value }.key(ledger_key)
    };
    values.into_iter().take(KEYS_MAX).map(of).collect()
}

fn at(value: &Value, steps: &[&str], found: &mut Vec<String>) {
    match (value, steps) {
        (Value::String(text), []) if !text.is_empty() => found.push(text.clone()),
        (Value::Number(number), []) => found.push(number.to_string()),
        (Value::Array(items), ["*", rest @ ..]) => {
            for item in items {
                at(item, rest, found);
            }
        }
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(field) = fields.get(*name) {
                at(field, rest, found);
            }
        }
        _ => {}
    }
}
