use qc_model::{RunId, Timestamp};
use qc_store::{DeadState, Erased, Pruned, Retention};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Desk, LedgerTail,
    dead::settle_letter,
    ledger::{NONE, SPAN_BITS},
    tally::Place,
};
use crate::sqlite::{stored::status_of, trouble::Outcome};

const KEYS: &str = "SELECT scope, key FROM idempotency JOIN word ON word.no = scope \
     WHERE expires_at <= ?1 ORDER BY expires_at, word.text, key LIMIT ?2";
/// One by one: a list of pairs makes SQLite look at all keys of their scopes.
const KEY: &str = "DELETE FROM idempotency WHERE scope = ?1 AND key = ?2";
const SIGNALS: &str = "DELETE FROM signal WHERE seq IN (SELECT seq FROM signal \
     WHERE expires_at <= ?1 ORDER BY expires_at, seq LIMIT ?2)";
/// Again what the reader who found it has asked: meanwhile it may have been opened again.
const ENDED_RUN: &str = "SELECT run.id, run.status, run.tenant, run.environment, run.integration \
     FROM run LEFT JOIN dead ON dead.run = run.id \
     WHERE run.no = ?1 AND run.ended_at < CASE run.status WHEN 4 THEN ?3 ELSE ?2 END \
     AND (dead.run IS NULL OR dead.state <> 0)";
const ENDED: &str = "SELECT no, status, tenant, environment, integration FROM run WHERE id = ?1";
/// All that belongs to a run, by its number, the run itself last.
const OF_RUN: [&str; 5] = [
    "DELETE FROM journal WHERE run = ?1",
    "DELETE FROM event WHERE run = ?1",
    "DELETE FROM run_key WHERE run = ?1",
    "DELETE FROM turn WHERE run = ?1",
    "DELETE FROM run WHERE no = ?1",
];
const OLD_SPAN: &str = "SELECT no FROM ledger_span WHERE at_min < ?1 OR audit_min < ?2 \
     ORDER BY no LIMIT 1";
const OLD_ROWS: &str = "DELETE FROM ledger WHERE seq IN (SELECT seq FROM ledger \
     WHERE seq >= ?1 AND seq < ?2 AND at < CASE kind WHEN 5 THEN ?4 ELSE ?3 END \
     ORDER BY seq LIMIT ?5)";
const SPAN_LEFT: &str = "SELECT min(iif(kind <> 5, at, NULL)), min(iif(kind = 5, at, NULL)), max(at) \
     FROM ledger WHERE seq >= ?1 AND seq < ?2";
const LIFT_SPAN: &str =
    "UPDATE ledger_span SET at_min = ?2, audit_min = ?3, at_max = ?4 WHERE no = ?1";
const RAISE_FLOOR: &str = "INSERT INTO fact (name, value) VALUES ('ledger_floor', ?1) \
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";

/// Removes keys, signals and ledger rows that are past their time, at most so many of each.
pub(in crate::sqlite) fn prune_rows(
    desk: &Desk<'_>,
    retention: &Retention,
    at_most: Pruned,
) -> Outcome<Pruned> {
    let limit = |most: usize| i64::try_from(most).unwrap_or(i64::MAX);
    let signals_now = retention.signals_now.as_millis();
    let mut signals = desk.db.prepare_cached(SIGNALS)?;
    Ok(Pruned {
        keys: prune_keys(desk.db, retention.keys_now, limit(at_most.keys))?,
        signals: signals.execute(params![signals_now, limit(at_most.signals)])?,
        runs: 0,
        ledger: prune_ledger(desk.db, desk.ledger, retention, limit(at_most.ledger))?,
    })
}

fn prune_keys(db: &Connection, now: Timestamp, limit: i64) -> Outcome<usize> {
    let mut find = db.prepare_cached(KEYS)?;
    let found: Vec<(i64, String)> = find
        .query_map(params![now.as_millis(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (scope, key) in &found {
        db.prepare_cached(KEY)?.execute(params![scope, key])?;
    }
    Ok(found.len())
}

/// Removes those of the runs that are past their time and have no open dead letter.
pub(in crate::sqlite) fn prune_runs(
    desk: &mut Desk<'_>,
    runs: &[i64],
    retention: &Retention,
) -> Outcome<usize> {
    let (completed, failed) =
        (retention.completed_since.as_millis(), retention.failed_since.as_millis());
    let mut gone = 0;
    for no in runs {
        let mut find = desk.db.prepare_cached(ENDED_RUN)?;
        let found = find.query_row(params![no, completed, failed], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?, place(row)?))
        });
        let Some((id, status, place)) = found.optional()? else { continue };
        desk.tally.at(place).pruned.add(status_of(status)?);
        forget(desk.db, *no, id)?;
        gone += 1;
    }
    Ok(gone)
}

/// Removes those of the runs that are at their end, with the keys that stand for them, and signals.
pub(in crate::sqlite) fn erase(
    desk: &mut Desk<'_>,
    runs: &[RunId],
    signals: &[u64],
) -> Outcome<Erased> {
    let mut erased = Erased::default();
    for run in runs {
        let id = run.bits().to_be_bytes();
        let mut find = desk.db.prepare_cached(ENDED)?;
        let found =
            find.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, place(row)?)));
        let Some((no, status, place)) = found.optional()? else { continue };
        let status = status_of(status)?;
        if !status.is_terminal() {
            continue;
        }
        desk.tally.at(place).pruned.add(status);
        // A letter that goes is settled: nobody waits for it any more.
        settle_letter(desk, *run, DeadState::Discarded)?;
        forget(desk.db, no, id)?;
        erased.keys +=
            desk.db.prepare_cached("DELETE FROM idempotency WHERE run = ?1")?.execute([id])?;
        erased.runs += 1;
    }
    for seq in signals {
        let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
        erased.signals +=
            desk.db.prepare_cached("DELETE FROM signal WHERE seq = ?1")?.execute([seq])?;
    }
    Ok(erased)
}

/// All that belongs to a run goes.
fn forget(db: &Connection, no: i64, id: [u8; 16]) -> Outcome<()> {
    for sql in OF_RUN {
        db.prepare_cached(sql)?.execute([no])?;
    }
    for sql in ["DELETE FROM dead WHERE run = ?1", "DELETE FROM wait WHERE run = ?1"] {
        db.prepare_cached(sql)?.execute([id])?;
    }
    Ok(())
}

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { tenant: row.get(2)?, environment: row.get(3)?, integration: row.get(4)? })
}

/// Goes through the spans that begin early enough, oldest first.
fn prune_ledger(
    db: &Connection,
    ledger: &LedgerTail,
    retention: &Retention,
    limit: i64,
) -> Outcome<usize> {
    let (since, audit) = (retention.ledger_since.as_millis(), retention.audit_since.as_millis());
    let mut left = limit;
    let mut gone = 0;
    while left > 0 {
        let span: Option<i64> =
            db.prepare_cached(OLD_SPAN)?.query_row([since, audit], |row| row.get(0)).optional()?;
        let Some(span) = span else { break };
        let (from, to) = (span << SPAN_BITS, (span + 1) << SPAN_BITS);
        let rows = db.prepare_cached(OLD_ROWS)?.execute(params![from, to, since, audit, left])?;
        if rows > 0 && gone == 0 {
            db.prepare_cached(RAISE_FLOOR)?.execute([ledger.last()])?;
        }
        gone += rows;
        left -= i64::try_from(rows).unwrap_or(left);
        let (at_min, audit_min, at_max): (Option<i64>, Option<i64>, Option<i64>) = db
            .prepare_cached(SPAN_LEFT)?
            .query_row([from, to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        // Every turn removes the span or lifts its beginnings, so the loop ends.
        if let Some(at_max) = at_max {
            let (at_min, audit_min) = (at_min.unwrap_or(NONE), audit_min.unwrap_or(NONE));
            db.prepare_cached(LIFT_SPAN)?.execute([span, at_min, audit_min, at_max])?;
        } else {
            db.prepare_cached("DELETE FROM ledger_span WHERE no = ?1")?.execute([span])?;
        }
    }
    Ok(gone)
}
