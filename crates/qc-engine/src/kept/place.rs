//! Whose it is, and under which names it is stored.

use qc_model::{EnvironmentName, Failure, Name, TenantName};
use serde_json::Value;

use super::{KEY_BYTES_MAX, fault};

/// The documents of states.
pub(crate) const STATE_KIND: &str = "state";
/// The documents of cross-reference tables: two for each link.
pub(crate) const LINK_KIND: &str = "crossref";

/// Whose state it is: nobody else sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptScope {
    /// The tenant.
    pub tenant: TenantName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The integration.
    pub integration: Name,
}

impl KeptScope {
    /// What the names of all documents of a state begin with. None of the parts has a slash in it,
    /// and the key stands last.
    pub(super) fn of_state(&self, state: &str) -> String {
        let Self { tenant, environment, integration } = self;
        format!("{tenant}/{environment}/{integration}/{state}/")
    }

    /// What the names of the marks of a system begin with.
    pub(super) fn of_echo(&self, system: &str) -> String {
        let Self { tenant, environment, integration } = self;
        format!("{tenant}/{environment}/{integration}/{system}/")
    }

    /// What the names of one direction of a table begin with.
    pub(super) fn of_system(&self, table: &str, system: &str) -> String {
        let Self { tenant, environment, integration } = self;
        format!("{tenant}/{environment}/{integration}/{table}/{system}/")
    }
}

/// A key or id: text, or a whole number, which stands for its digits.
pub(super) fn text_of(value: Option<&Value>, what: &str) -> Result<String, Box<Failure>> {
    match value {
        Some(Value::String(text)) => checked(text, what),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Some(other) => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "a truth value",
                Value::Number(_) => "a fraction",
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
                Value::String(_) => "text",
            };
            Err(fault::argument(format!("`{what}` must be text or a whole number, but is {kind}")))
        }
        None => Err(fault::argument(format!("`{what}` is missing"))),
    }
}

/// Text that can be a key or id.
pub(super) fn checked(text: &str, what: &str) -> Result<String, Box<Failure>> {
    if text.is_empty() {
        return Err(fault::argument(format!("`{what}` is empty")));
    }
    if text.len() > KEY_BYTES_MAX {
        return Err(fault::too_large(format!(
            "`{what}` has {} bytes; the limit is {KEY_BYTES_MAX}",
            text.len()
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(fault::argument(format!("`{what}` has control characters in it")));
    }
    if qc_workflow::contains_placeholder(text) {
        return Err(fault::argument(format!(
            "`{what}` holds a secret: it would be kept in the open"
        )));
    }
    Ok(text.to_owned())
}
