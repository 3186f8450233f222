use qc_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{LedgerTail, ledger::SPAN_BITS};
use crate::sqlite::trouble::Outcome;

const KEYS: &str = "DELETE FROM idempotency WHERE (scope, key) IN (SELECT scope, key \
     FROM idempotency JOIN word ON word.no = scope WHERE expires_at <= ?1 \
     ORDER BY expires_at, word.text, key LIMIT ?2)";
const ENDED_RUNS: &str = "SELECT run.no, run.id FROM run LEFT JOIN dead ON dead.run = run.id \
     WHERE run.ended_at < ?1 AND (dead.run IS NULL OR dead.state <> 0) \
     ORDER BY run.ended_at, run.id LIMIT ?2";
const OLD_SPAN: &str = "SELECT no FROM ledger_span WHERE at_min < ?1 ORDER BY no LIMIT 1";
const OLD_ROWS: &str = "DELETE FROM ledger WHERE seq IN (SELECT seq FROM ledger \
     WHERE seq >= ?1 AND seq < ?2 AND at < ?3 ORDER BY seq LIMIT ?4)";
const SPAN_LEFT: &str = "SELECT min(at), max(at) FROM ledger WHERE seq >= ?1 AND seq < ?2";
const RAISE_FLOOR: &str = "INSERT INTO fact (name, value) VALUES ('ledger_floor', ?1) \
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";

/// Removes what is past its time; returns how many keys, runs and ledger rows went.
pub(in crate::sqlite) fn prune(
    db: &Connection,
    ledger: &LedgerTail,
    now: Timestamp,
    keep_since: Timestamp,
    limit: usize,
) -> Outcome<usize> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let keys = db.prepare_cached(KEYS)?.execute(params![now.as_millis(), limit])?;
    let runs = prune_runs(db, keep_since.as_millis(), limit)?;
    let rows = prune_ledger(db, ledger, keep_since.as_millis(), limit)?;
    Ok(keys + runs + rows)
}

fn prune_runs(db: &Connection, keep_since: i64, limit: i64) -> Outcome<usize> {
    let mut find = db.prepare_cached(ENDED_RUNS)?;
    let found: Vec<(i64, [u8; 16])> = find
        .query_map(params![keep_since, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (no, id) in &found {
        db.prepare_cached("DELETE FROM journal WHERE run = ?1")?.execute([no])?;
        db.prepare_cached("DELETE FROM event WHERE run = ?1")?.execute([no])?;
        db.prepare_cached("DELETE FROM dead WHERE run = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM run WHERE no = ?1")?.execute([no])?;
    }
    Ok(found.len())
}

/// Goes through the spans that begin early enough, oldest first.
fn prune_ledger(
    db: &Connection,
    ledger: &LedgerTail,
    keep_since: i64,
    limit: i64,
) -> Outcome<usize> {
    let mut left = limit;
    let mut gone = 0;
    while left > 0 {
        let span: Option<i64> =
            db.prepare_cached(OLD_SPAN)?.query_row([keep_since], |row| row.get(0)).optional()?;
        let Some(span) = span else { break };
        let (from, to) = (span << SPAN_BITS, (span + 1) << SPAN_BITS);
        let rows = db.prepare_cached(OLD_ROWS)?.execute(params![from, to, keep_since, left])?;
        if rows > 0 && gone == 0 {
            db.prepare_cached(RAISE_FLOOR)?.execute([ledger.last()])?;
        }
        gone += rows;
        left -= i64::try_from(rows).unwrap_or(left);
        let (at_min, at_max): (Option<i64>, Option<i64>) = db
            .prepare_cached(SPAN_LEFT)?
            .query_row([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Every turn removes the span or lifts its beginning, so the loop ends.
        if let (Some(at_min), Some(at_max)) = (at_min, at_max) {
            db.prepare_cached("UPDATE ledger_span SET at_min = ?2, at_max = ?3 WHERE no = ?1")?
                .execute([span, at_min, at_max])?;
        } else {
            db.prepare_cached("DELETE FROM ledger_span WHERE no = ?1")?.execute([span])?;
        }
    }
    Ok(gone)
}
