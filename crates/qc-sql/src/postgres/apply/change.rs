use std::{borrow::Cow, collections::BTreeMap};

use qc_model::Timestamp;
use qc_store::{Change, ChangeOutcome, DocumentOp, Expect};

use super::{Desk, Document, DocumentDeed, DocumentKey};

/// What a change has made of a document so far; None: removed.
type Staged<'a> = BTreeMap<DocumentKey<'a>, Option<(u64, Timestamp, &'a [u8])>>;

/// Changes documents; a conflict leaves everything as it was before the change.
pub(super) fn change<'a>(desk: &mut Desk<'a>, change: &'a Change) -> ChangeOutcome {
    let mut staged = Staged::new();
    for op in &change.documents {
        if let Err(conflict) = stage(desk, &mut staged, op) {
            return conflict;
        }
    }
    for (key, after) in staged {
        settle(desk, key, after);
    }
    desk.deeds.ledger.extend(&change.ledger);
    ChangeOutcome::Changed
}

fn stage<'a>(
    desk: &Desk<'a>,
    staged: &mut Staged<'a>,
    op: &'a DocumentOp,
) -> Result<(), ChangeOutcome> {
    let (kind, name, expect) = match op {
        DocumentOp::Put { kind, name, expect, .. } | DocumentOp::Delete { kind, name, expect } => {
            (kind, name, *expect)
        }
    };
    let key = (kind.as_str(), name.as_str());
    let put_body = match op {
        DocumentOp::Put { body, .. } => Some(&body[..]),
        DocumentOp::Delete { .. } => None,
    };
    let (revision, same) = match staged.get(&key) {
        Some(after) => {
            (after.map(|(revision, ..)| revision), after.is_some_and(|(.., b)| Some(b) == put_body))
        }
        None => match desk.known.documents.get(&key) {
            Some(there) => (Some(there.revision), put_body.is_some_and(|body| there.body == body)),
            None => (None, false),
        },
    };
    let as_expected = match expect {
        Expect::Any => true,
        Expect::Absent => revision.is_none(),
        Expect::Revision(wanted) => revision == Some(wanted),
        Expect::AbsentOrSame => revision.is_none() || same,
    };
    if !as_expected {
        let (kind, name) = (kind.clone(), name.clone());
        return Err(ChangeOutcome::Conflict { kind, name, revision });
    }
    if expect == Expect::AbsentOrSame && same {
        return Ok(());
    }
    staged.insert(
        key,
        match op {
            DocumentOp::Put { body, at, .. } => Some((revision.unwrap_or(0) + 1, *at, &body[..])),
            DocumentOp::Delete { .. } => None,
        },
    );
    Ok(())
}

/// Takes a staged document into what is known and what is to be put.
fn settle<'a>(
    desk: &mut Desk<'a>,
    key: DocumentKey<'a>,
    after: Option<(u64, Timestamp, &'a [u8])>,
) {
    // Before this batch, whatever its changes did since.
    let was_there = match desk.deeds.documents.get(&key) {
        Some(DocumentDeed::Add { .. } | DocumentDeed::Nothing) => false,
        Some(DocumentDeed::Replace { .. } | DocumentDeed::Remove) => true,
        None => desk.known.documents.contains_key(&key),
    };
    let deed = if let Some((revision, at, body)) = after {
        desk.known.documents.insert(key, Document { revision, body: Cow::Borrowed(body) });
        if was_there {
            DocumentDeed::Replace { revision, at, body }
        } else {
            DocumentDeed::Add { revision, at, body }
        }
    } else {
        desk.known.documents.remove(&key);
        if was_there { DocumentDeed::Remove } else { DocumentDeed::Nothing }
    };
    desk.deeds.documents.insert(key, deed);
}
