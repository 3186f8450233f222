use qc_store::{AuditMark, LedgerEntry, LedgerFilter, LedgerRow, filter_page};

use super::{Clauses, horizon::horizon};
use crate::postgres::{
    connection::Connection,
    stored::{Fields, Uuid, count, kind_of, text},
    trouble::Outcome,
};

/// Reads the ledger.
pub(in crate::postgres) async fn ledger(
    db: &mut Connection,
    filter: &LedgerFilter,
) -> Outcome<Vec<LedgerEntry>> {
    let horizon = horizon(db).await?;
    // Behind the horizon: a second statement, with a snapshot of its own.
    let clauses = restrict(filter, horizon);
    let question = format!(
        "SELECT seq, at, kind, tenant, environment, integration, run, event, actor, subject, \
         outcome, code, facts, writer, no FROM ledger{} ORDER BY seq LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    );
    let rows = db.query(&question, &clauses.values()).await?;
    rows.iter()
        .map(|row| {
            let fields = Fields(row);
            Ok(LedgerEntry { seq: fields.count(0)?, row: decode(fields)?, mark: mark(fields)? })
        })
        .collect()
}

fn restrict(filter: &LedgerFilter, horizon: i64) -> Clauses {
    let mut clauses = Clauses::default();
    clauses.and("seq < ?", horizon);
    clauses.and("seq > ?", count(filter.after));
    if let Some(since) = filter.since {
        clauses.and("at >= ?", since.as_millis());
    }
    if let Some(until) = filter.until {
        clauses.and("at < ?", until.as_millis());
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<&'static str> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        clauses.and("kind = ANY(?)", kinds);
    }
    if let Some(environment) = &filter.environment {
        clauses.and("environment = ?", environment.as_str().to_owned());
    }
    if let Some(integration) = &filter.integration {
        clauses.and("integration = ?", integration.as_str().to_owned());
    }
    if let Some(outcome) = &filter.outcome {
        clauses.and("outcome = ?", text(outcome).into_owned());
    }
    if let Some(run) = filter.run {
        clauses.and("run = ?", Uuid::from(run));
    }
    clauses
}

fn mark(row: Fields<'_>) -> Outcome<Option<AuditMark>> {
    let (writer, no): (Option<i32>, Option<i64>) = (row.get(13)?, row.get(14)?);
    let (Some(writer), Some(no)) = (writer, no) else { return Ok(None) };
    Ok(Some(AuditMark { writer: writer.unsigned_abs(), no: no.unsigned_abs() }))
}

fn decode(row: Fields<'_>) -> Outcome<LedgerRow> {
    Ok(LedgerRow {
        at: row.time(1)?,
        kind: kind_of(row.get(2)?)?,
        tenant: row.name(3)?,
        environment: row.optional_name(4)?,
        integration: row.optional_name(5)?,
        run: row.optional_id(6)?,
        event: row.optional_id(7)?,
        actor: row.text(8)?,
        subject: row.text(9)?,
        outcome: row.text(10)?,
        code: row.optional_text(11)?,
        facts: row.bytes(12)?,
    })
}
