use qc_store::{AuditMark, LedgerEntry, LedgerFilter, LedgerKind, LedgerRow, filter_page};
use rusqlite::{Connection, Row, params_from_iter};

use super::{Clauses, runs::blob};
use crate::sqlite::{
    apply::SPAN_BITS,
    stored::{count, count_of, id_blob, id_of, kind_number, kind_of, time_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

const SELECT: &str = "SELECT seq, at, kind, tenant, environment, integration, run, event, actor, \
     subject, outcome, code, facts, writer, no FROM ledger";

/// Reads the ledger.
pub(in crate::sqlite) fn ledger(
    db: &Connection,
    words: &WordTexts,
    filter: &LedgerFilter,
) -> Outcome<Vec<LedgerEntry>> {
    let Some(clauses) = restrict(db, filter)? else { return Ok(Vec::new()) };
    // A run has few rows and an index, and so has the audit; everything else goes along the places.
    let index = match filter.run {
        Some(_) => "INDEXED BY ledger_run",
        None if filter.kinds == [LedgerKind::Audit] => "INDEXED BY ledger_audit",
        None => "NOT INDEXED",
    };
    let mut query = db.prepare_cached(&format!(
        "{SELECT} {index}{} ORDER BY seq LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let mut rows = query.query(params_from_iter(clauses.values))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = count_of(row.get(0)?)?;
        entries.push(LedgerEntry { seq, row: decode(db, words, row)?, mark: mark(row)? });
    }
    Ok(entries)
}

/// The filter as clauses; None when nothing can pass it.
fn restrict(db: &Connection, filter: &LedgerFilter) -> Outcome<Option<Clauses>> {
    let mut clauses = Clauses::default();
    let mut after = count(filter.after);
    if let Some(since) = filter.since {
        let Some(first) = first_since(db, since.as_millis())? else { return Ok(None) };
        after = after.max(first - 1);
        clauses.and("at >= ?", since.as_millis());
    }
    clauses.and("seq > ?", after);
    if let Some(until) = filter.until {
        clauses.and("at < ?", until.as_millis());
    }
    if filter.kinds == [LedgerKind::Audit] {
        // Said as the index says it.
        clauses.push("kind = 5");
    } else if !filter.kinds.is_empty() {
        clauses.and_in("kind", filter.kinds.iter().map(|kind| kind_number(*kind)));
    }
    let named = [
        ("environment = ?", filter.environment.as_ref().map(AsRef::as_ref)),
        ("integration = ?", filter.integration.as_ref().map(AsRef::as_ref)),
        ("outcome = ?", filter.outcome.as_deref()),
    ];
    for (column, text) in named {
        let Some(text) = text else { continue };
        let Some(word) = find(db, text)? else { return Ok(None) };
        clauses.and(column, word);
    }
    if let Some(run) = filter.run {
        clauses.and("run = ?", id_blob(run).to_vec());
    }
    Ok(Some(clauses))
}

fn mark(row: &Row<'_>) -> Outcome<Option<AuditMark>> {
    let (writer, no): (Option<u32>, Option<i64>) = (row.get(13)?, row.get(14)?);
    let (Some(writer), Some(no)) = (writer, no) else { return Ok(None) };
    Ok(Some(AuditMark { writer, no: count_of(no)? }))
}

/// The first place that can hold a row at or after this moment.
fn first_since(db: &Connection, since: i64) -> Outcome<Option<i64>> {
    let mut query = db.prepare_cached("SELECT min(no) FROM ledger_span WHERE at_max >= ?1")?;
    let span: Option<i64> = query.query_row([since], |row| row.get(0))?;
    Ok(span.map(|span| span << SPAN_BITS))
}

fn decode(db: &Connection, words: &WordTexts, row: &Row<'_>) -> Outcome<LedgerRow> {
    let name = |column| -> Outcome<_> {
        row.get::<_, Option<i64>>(column)?.map(|word| words.name(db, word)).transpose()
    };
    let run: Option<Vec<u8>> = row.get(6)?;
    let event: Option<Vec<u8>> = row.get(7)?;
    let code: Option<i64> = row.get(11)?;
    Ok(LedgerRow {
        at: time_of(row.get(1)?),
        kind: kind_of(row.get(2)?)?,
        tenant: words.name(db, row.get(3)?)?,
        environment: name(4)?,
        integration: name(5)?,
        run: run.map(|id| id_of(&id)).transpose()?,
        event: event.map(|id| id_of(&id)).transpose()?,
        actor: row.get(8)?,
        subject: row.get(9)?,
        outcome: words.text(db, row.get(10)?)?.to_string(),
        code: code.map(|word| words.text(db, word)).transpose()?.map(|text| text.to_string()),
        facts: blob(row, 12)?,
    })
}
