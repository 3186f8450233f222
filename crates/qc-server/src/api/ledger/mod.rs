//! What happened in the platform, and questions over it.

pub(super) mod failures;
pub(super) mod list;
pub(super) mod reconciliation;

use qc_access::Action;
use qc_store::{LedgerKind, LedgerRow};
use serde_json::Value;

use super::Cut;

/// Whether a row is shown. Decisions stand under the name of what they are about, which can be a secret's or a
/// connection's; those, and what is of no integration, are the whole organisation's to read.
fn shows(cut: &Cut<'_>, row: &LedgerRow) -> bool {
    cut.is_whole()
        || !is_of_something_else(row)
            && cut.shows_of(row.environment.as_ref(), row.integration.as_ref())
}

fn is_of_something_else(row: &LedgerRow) -> bool {
    if row.kind != LedgerKind::Audit {
        return false;
    }
    let facts: Value = serde_json::from_slice(&row.facts).unwrap_or(Value::Null);
    let action = facts["question"]["action"].as_str().and_then(Action::parse);
    action.is_some_and(|action| !action.is_of_integration())
}
