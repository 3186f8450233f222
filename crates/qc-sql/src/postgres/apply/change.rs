use qc_store::{Change, ChangeOutcome};

use super::{
    Desk,
    documents::{Conflict, change_documents},
};

/// Changes documents; a conflict leaves everything as it was before the change.
pub(super) fn change<'a>(desk: &mut Desk<'a>, change: &'a Change) -> ChangeOutcome {
    if let Err(Conflict { kind, name, revision }) = change_documents(desk, &change.documents) {
        return ChangeOutcome::Conflict { kind, name, revision };
    }
    desk.deeds.ledger.extend(&change.ledger);
    desk.deeds.signals(&change.signals);
    ChangeOutcome::Changed
}
