use qc_store::LedgerRow;
use rusqlite::{Connection, OptionalExtension, params};

use super::Desk;
use crate::sqlite::{
    stored::{id_blob, kind_number},
    trouble::Outcome,
};

/// Places of the ledger in one span, as a power of two.
pub(in crate::sqlite) const SPAN_BITS: u32 = 10;

const PUT: &str = "INSERT INTO ledger (seq, at, kind, tenant, environment, integration, run, \
     event, actor, subject, outcome, code, facts) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const PUT_SPAN: &str = "INSERT INTO ledger_span (no, at_min, at_max) VALUES (?1, ?2, ?3) \
     ON CONFLICT (no) DO UPDATE SET at_min = min(at_min, ?2), at_max = max(at_max, ?3)";

/// Where the ledger ends, with the span under way that is not stored yet.
#[derive(Debug, Clone, Default)]
pub(in crate::sqlite) struct LedgerTail {
    /// The place of the newest row.
    last: i64,
    span: Option<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    no: i64,
    at_min: i64,
    at_max: i64,
}

impl LedgerTail {
    /// The end of the stored ledger; places of removed rows are never given again.
    pub(in crate::sqlite) fn read(db: &Connection) -> Outcome<Self> {
        let newest: Option<i64> = db.query_row("SELECT max(seq) FROM ledger", [], |r| r.get(0))?;
        let floor: Option<i64> = db
            .query_row("SELECT value FROM fact WHERE name = 'ledger_floor'", [], |r| r.get(0))
            .optional()?;
        Ok(Self { last: newest.unwrap_or(0).max(floor.unwrap_or(0)), span: None })
    }

    /// The place of the newest row.
    pub(in crate::sqlite) const fn last(&self) -> i64 {
        self.last
    }

    /// Stores the span under way: once for each commit, not for each row.
    pub(in crate::sqlite) fn settle(&mut self, db: &Connection) -> Outcome<()> {
        if let Some(span) = self.span.take() {
            let mut put = db.prepare_cached(PUT_SPAN)?;
            put.execute(params![span.no, span.at_min, span.at_max])?;
        }
        Ok(())
    }

    fn next(&mut self, db: &Connection, at: i64) -> Outcome<i64> {
        self.last += 1;
        let no = self.last >> SPAN_BITS;
        match &mut self.span {
            Some(span) if span.no == no => {
                span.at_min = span.at_min.min(at);
                span.at_max = span.at_max.max(at);
            }
            _ => {
                self.settle(db)?;
                self.span = Some(Span { no, at_min: at, at_max: at });
            }
        }
        Ok(self.last)
    }
}

/// Appends a row.
pub(in crate::sqlite) fn note(desk: &mut Desk<'_>, row: &LedgerRow) -> Outcome<()> {
    let db = desk.db;
    let at = row.at.as_millis();
    let seq = desk.ledger.next(db, at)?;
    let tenant = desk.words.number(db, row.tenant.as_str())?;
    let environment =
        row.environment.as_ref().map(|name| desk.words.number(db, name.as_str())).transpose()?;
    let integration =
        row.integration.as_ref().map(|name| desk.words.number(db, name.as_str())).transpose()?;
    let outcome = desk.words.number(db, &row.outcome)?;
    let code = row.code.as_ref().map(|code| desk.words.number(db, code)).transpose()?;
    db.prepare_cached(PUT)?.execute(params![
        seq,
        at,
        kind_number(row.kind),
        tenant,
        environment,
        integration,
        row.run.map(id_blob),
        row.event.map(id_blob),
        row.actor,
        row.subject,
        outcome,
        code,
        &row.facts[..]
    ])?;
    Ok(())
}
