use qc_store::{DocumentOp, Expect};
use rusqlite::{OptionalExtension, params};

use super::Desk;
use crate::sqlite::{stored::count_of, trouble::Outcome};

const FIND: &str = "SELECT no, revision, body FROM document WHERE kind = ?1 AND name = ?2";
const ADD: &str = "INSERT INTO document (kind, name, revision, updated_at, body) \
     VALUES (?1, ?2, 1, ?3, ?4)";
const REPLACE: &str =
    "UPDATE document SET revision = revision + 1, updated_at = ?2, body = ?3 WHERE no = ?1";
const REMOVE: &str = "DELETE FROM document WHERE no = ?1";

/// A document that is not as expected.
pub(super) struct Conflict {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) revision: Option<u64>,
}

/// A document as its change finds it.
struct Found {
    no: i64,
    revision: u64,
    /// Whether its body is the one to be put.
    same: bool,
}

/// Changes documents, all of them or none.
pub(super) fn change_documents(desk: &Desk<'_>, ops: &[&DocumentOp]) -> Outcome<Option<Conflict>> {
    match ops {
        [] => Ok(None),
        // A conflict shows up before anything is written.
        [op] => change_one(desk, op),
        ops => {
            // Conflicts show up half-way, and other writes of the batch must stand: a savepoint.
            desk.db.prepare_cached("SAVEPOINT change")?.execute([])?;
            for op in ops {
                if let Some(conflict) = change_one(desk, op)? {
                    desk.db.prepare_cached("ROLLBACK TO change")?.execute([])?;
                    desk.db.prepare_cached("RELEASE change")?.execute([])?;
                    return Ok(Some(conflict));
                }
            }
            desk.db.prepare_cached("RELEASE change")?.execute([])?;
            Ok(None)
        }
    }
}

fn change_one(desk: &Desk<'_>, op: &DocumentOp) -> Outcome<Option<Conflict>> {
    let (kind, name, expect) = match op {
        DocumentOp::Put { kind, name, expect, .. } | DocumentOp::Delete { kind, name, expect } => {
            (kind, name, *expect)
        }
    };
    let found = find(desk, kind, name, op)?;
    let revision = found.as_ref().map(|found| found.revision);
    let same = found.as_ref().is_some_and(|found| found.same);
    let as_expected = match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Revision(wanted) => revision == Some(wanted),
        Expect::AbsentOrSame => found.is_none() || same,
    };
    if !as_expected {
        let (kind, name) = (kind.clone(), name.clone());
        return Ok(Some(Conflict { kind, name, revision }));
    }
    match (op, found) {
        (DocumentOp::Put { .. }, Some(_)) if expect == Expect::AbsentOrSame => {}
        (DocumentOp::Put { body, at, .. }, Some(found)) => {
            let mut replace = desk.db.prepare_cached(REPLACE)?;
            replace.execute(params![found.no, at.as_millis(), &body[..]])?;
        }
        (DocumentOp::Put { body, at, .. }, None) => {
            let mut add = desk.db.prepare_cached(ADD)?;
            add.execute(params![kind, name, at.as_millis(), &body[..]])?;
        }
        (DocumentOp::Delete { .. }, Some(found)) => {
            desk.db.prepare_cached(REMOVE)?.execute([found.no])?;
        }
        (DocumentOp::Delete { .. }, None) => {}
    }
    Ok(None)
}

fn find(desk: &Desk<'_>, kind: &str, name: &str, op: &DocumentOp) -> Outcome<Option<Found>> {
    let mut find = desk.db.prepare_cached(FIND)?;
    let found = find.query_row([kind, name], |row| {
        let same = match op {
            DocumentOp::Put { body, .. } => row.get_ref(2)?.as_blob()? == &body[..],
            DocumentOp::Delete { .. } => false,
        };
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, same))
    });
    found
        .optional()?
        .map(|(no, revision, same)| Ok(Found { no, revision: count_of(revision)?, same }))
        .transpose()
}
