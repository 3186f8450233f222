use qc_store::{LedgerKind, LedgerRow};
use rusqlite::{Connection, OptionalExtension, params};

use super::Desk;
use crate::sqlite::{
    stored::{id_blob, kind_number},
    trouble::Outcome,
};

/// Places of the ledger in one span, as a power of two.
pub(in crate::sqlite) const SPAN_BITS: u32 = 10;

const PUT: &str = "INSERT INTO ledger (seq, at, kind, tenant, environment, integration, run, \
     event, actor, subject, outcome, code, facts, writer, no) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const LAST: &str = "SELECT last FROM audit_writer WHERE writer = ?1";
const PUT_LAST: &str = "INSERT INTO audit_writer (writer, last) VALUES (?1, ?2) \
     ON CONFLICT (writer) DO UPDATE SET last = excluded.last";
const PUT_SPAN: &str = "INSERT INTO ledger_span (no, at_min, audit_min, at_max) \
     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (no) DO UPDATE SET at_min = min(at_min, ?2), \
     audit_min = min(audit_min, ?3), at_max = max(at_max, ?4)";

/// The one who numbers rows of the audit here: a database has one writer at a time.
const WRITER: i64 = 0;

/// The earliest moment of rows of which there is none.
pub(in crate::sqlite) const NONE: i64 = i64::MAX;

/// Where the ledger ends, with the span under way that is not stored yet.
#[derive(Debug, Clone, Default)]
pub(in crate::sqlite) struct LedgerTail {
    /// The place of the newest row.
    last: i64,
    /// The number of the newest row of the audit,
    audit: i64,
    /// and as it is stored.
    audit_stored: i64,
    span: Option<Span>,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::sqlite) struct Span {
    no: i64,
    /// Of the rows but those of the audit.
    at_min: i64,
    audit_min: i64,
    at_max: i64,
}

impl Span {
    /// The span of a place, with one row.
    pub(in crate::sqlite) const fn of(seq: i64, at: i64, audit: bool) -> Self {
        let (at_min, audit_min) = if audit { (NONE, at) } else { (at, NONE) };
        Self { no: seq >> SPAN_BITS, at_min, audit_min, at_max: at }
    }

    /// Adds the row of another one, when it is the same span.
    pub(in crate::sqlite) fn add(&mut self, other: &Self) -> bool {
        if self.no != other.no {
            return false;
        }
        self.at_min = self.at_min.min(other.at_min);
        self.audit_min = self.audit_min.min(other.audit_min);
        self.at_max = self.at_max.max(other.at_max);
        true
    }

    pub(in crate::sqlite) fn put(&self, db: &Connection) -> Outcome<()> {
        let mut put = db.prepare_cached(PUT_SPAN)?;
        put.execute(params![self.no, self.at_min, self.audit_min, self.at_max])?;
        Ok(())
    }
}

impl LedgerTail {
    /// The end of the stored ledger; places of removed rows are never given again.
    pub(in crate::sqlite) fn read(db: &Connection) -> Outcome<Self> {
        let newest: Option<i64> = db.query_row("SELECT max(seq) FROM ledger", [], |r| r.get(0))?;
        let floor: Option<i64> = db
            .query_row("SELECT value FROM fact WHERE name = 'ledger_floor'", [], |r| r.get(0))
            .optional()?;
        let audit: i64 = db.query_row(LAST, [WRITER], |r| r.get(0)).optional()?.unwrap_or(0);
        let last = newest.unwrap_or(0).max(floor.unwrap_or(0));
        Ok(Self { last, audit, audit_stored: audit, span: None })
    }

    /// The place of the newest row.
    pub(in crate::sqlite) const fn last(&self) -> i64 {
        self.last
    }

    /// Stores the span under way and the last number: once for each commit, not for each row.
    pub(in crate::sqlite) fn settle(&mut self, db: &Connection) -> Outcome<()> {
        if let Some(span) = self.span.take() {
            span.put(db)?;
        }
        if self.audit != self.audit_stored {
            db.prepare_cached(PUT_LAST)?.execute([WRITER, self.audit])?;
            self.audit_stored = self.audit;
        }
        Ok(())
    }

    fn next(&mut self, db: &Connection, at: i64, audit: bool) -> Outcome<i64> {
        self.last += 1;
        let row = Span::of(self.last, at, audit);
        if !self.span.as_mut().is_some_and(|span| span.add(&row)) {
            self.settle(db)?;
            self.span = Some(row);
        }
        Ok(self.last)
    }
}

/// Appends a row.
pub(in crate::sqlite) fn note(desk: &mut Desk<'_>, row: &LedgerRow) -> Outcome<()> {
    let db = desk.db;
    let at = row.at.as_millis();
    let audit = row.kind == LedgerKind::Audit;
    let seq = desk.ledger.next(db, at, audit)?;
    if audit {
        desk.ledger.audit += 1;
    }
    let (writer, no) = (audit.then_some(WRITER), audit.then_some(desk.ledger.audit));
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
        &row.facts[..],
        writer,
        no
    ])?;
    Ok(())
}
