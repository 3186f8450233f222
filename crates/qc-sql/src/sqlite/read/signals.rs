use qc_store::{Signal, SignalEntry, SignalFilter, filter_page};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{Clauses, runs::blob};
use crate::sqlite::{
    stored::{count, count_of, time_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

const SELECT: &str = "SELECT seq, scope, kind, id, at, expires_at, body FROM signal";

/// Reads signals.
pub(in crate::sqlite) fn signals(
    db: &Connection,
    words: &WordTexts,
    filter: &SignalFilter,
) -> Outcome<Vec<SignalEntry>> {
    let mut clauses = Clauses::default();
    clauses.and("seq > ?", count(filter.after));
    if let Some(scope) = &filter.scope {
        let Some(word) = find(db, scope)? else { return Ok(Vec::new()) };
        clauses.and("scope = ?", word);
    }
    if let Some(kind) = &filter.kind {
        clauses.and("kind = ?", kind.clone());
    }
    if let Some(since) = filter.since {
        clauses.and("at >= ?", since.as_millis());
    }
    // Who begins at a moment goes by the index; who reads on goes along the places.
    let of_kind = filter.scope.is_some() && filter.kind.is_some() && filter.since.is_some();
    let index = if of_kind { "INDEXED BY signal_kind" } else { "NOT INDEXED" };
    let mut query = db.prepare_cached(&format!(
        "{SELECT} {index}{} ORDER BY seq LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let mut rows = query.query(params_from_iter(clauses.values))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(decode(db, words, row)?);
    }
    Ok(entries)
}

/// One signal.
pub(in crate::sqlite) fn signal(
    db: &Connection,
    words: &WordTexts,
    scope: &str,
    id: &str,
) -> Outcome<Option<SignalEntry>> {
    let Some(scope) = find(db, scope)? else { return Ok(None) };
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE scope = ?1 AND id = ?2"))?;
    let mut rows = query.query(params![scope, id])?;
    rows.next()?.map(|row| decode(db, words, row)).transpose()
}

fn decode(db: &Connection, words: &WordTexts, row: &Row<'_>) -> Outcome<SignalEntry> {
    let signal = Signal {
        scope: words.text(db, row.get(1)?)?.to_string(),
        kind: row.get(2)?,
        id: row.get(3)?,
        at: time_of(row.get(4)?),
        expires_at: time_of(row.get(5)?),
        body: blob(row, 6)?,
    };
    Ok(SignalEntry { seq: count_of(row.get(0)?)?, signal })
}
