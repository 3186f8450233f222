use qc_store::{Change, ChangeOutcome};

use super::{
    Desk,
    documents::{Conflict, change_documents},
    note, put_signal,
};
use crate::sqlite::trouble::Outcome;

/// Changes documents, with what the ledger says of them and the signals that come with them.
pub(in crate::sqlite) fn change(desk: &mut Desk<'_>, change: &Change) -> Outcome<ChangeOutcome> {
    let documents: Vec<_> = change.documents.iter().collect();
    if let Some(conflict) = change_documents(desk, &documents)? {
        let Conflict { kind, name, revision } = conflict;
        return Ok(ChangeOutcome::Conflict { kind, name, revision });
    }
    for row in &change.ledger {
        note(desk, row)?;
    }
    for signal in &change.signals {
        put_signal(desk, signal)?;
    }
    Ok(ChangeOutcome::Changed)
}
