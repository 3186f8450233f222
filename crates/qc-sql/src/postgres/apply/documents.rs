use std::{borrow::Cow, collections::BTreeMap};

use qc_model::Timestamp;
use qc_store::{DocumentOp, Expect};

use super::{Desk, Document, DocumentDeed, DocumentKey};

/// What a write has made of a document so far; None: removed.
type Staged<'a> = BTreeMap<DocumentKey<'a>, Option<(u64, Timestamp, &'a [u8])>>;

/// A document that is not as expected.
pub(super) struct Conflict {
    pub(super) kind: String,
    pub(super) name: String,
    /// The present one.
    pub(super) revision: Option<u64>,
}

/// Changes all of them or none.
pub(super) fn change_documents<'a>(
    desk: &mut Desk<'a>,
    ops: impl IntoIterator<Item = &'a DocumentOp>,
) -> Result<(), Conflict> {
    let mut staged = Staged::new();
    for op in ops {
        stage(desk, &mut staged, op)?;
    }
    for (key, after) in staged {
        settle(desk, key, after);
    }
    Ok(())
}

fn stage<'a>(desk: &Desk<'a>, staged: &mut Staged<'a>, op: &'a DocumentOp) -> Result<(), Conflict> {
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
        return Err(Conflict { kind, name, revision });
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
