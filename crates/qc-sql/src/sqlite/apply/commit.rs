use qc_model::{RunId, Timestamp};
use qc_store::{DeadLetter, Lease, Op, Txn, TxnOutcome};
use rusqlite::{OptionalExtension, params};

use super::{Desk, accept::PUT_ENTRY, note};
use crate::sqlite::{
    stored::{cause_number, count_of, dead_number, id_blob, status_number},
    trouble::Outcome,
};

const FIND: &str = "SELECT no, bucket, version, status, wake_at FROM run WHERE id = ?1";
/// Touches no indexed column: most steps change neither status nor timer.
const STEP: &str = "UPDATE run SET version = ?2, last_txn = ?3, updated_at = ?4, cause = ?5, \
     summary = ?6 WHERE no = ?1";
const MOVE: &str = "UPDATE run SET version = ?2, last_txn = ?3, updated_at = ?4, cause = ?5, \
     summary = ?6, status = ?7, wake_at = ?8, ended_at = ?9 WHERE no = ?1";
const PUT_DEAD: &str = "INSERT OR REPLACE INTO dead (run, tenant, environment, integration, at, \
     state, fingerprint, code, summary) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SETTLE_DEAD: &str = "UPDATE dead SET state = ?2 WHERE run = ?1";

/// A run as its step finds it.
struct Found {
    no: i64,
    bucket: u16,
    version: i64,
    status: i64,
    wake_at: Option<i64>,
}

/// Takes a run a step further, unless the lease or the version is another.
pub(in crate::sqlite) fn commit(
    desk: &mut Desk<'_>,
    lease: &Lease,
    txn: &Txn,
) -> Outcome<TxnOutcome> {
    let Some(found) = find(desk, txn.run)? else {
        return Ok(TxnOutcome::Conflict { version: None });
    };
    if !desk.leases.covers(lease, found.bucket) {
        return Ok(TxnOutcome::Fenced);
    }
    let version = count_of(found.version)?;
    if version != txn.expect {
        return Ok(TxnOutcome::Conflict { version: Some(version) });
    }
    put_state(desk, &found, txn)?;
    for op in &txn.ops {
        match op {
            Op::Journal(entry) => {
                let at = entry.at.as_millis();
                let mut put = desk.db.prepare_cached(PUT_ENTRY)?;
                put.execute(params![found.no, at, &entry.body[..]])?;
            }
            Op::Ledger(row) => note(desk, row)?,
            Op::Dead(letter) => put_dead(desk, letter)?,
            Op::SettleDead(state) => {
                let mut settle = desk.db.prepare_cached(SETTLE_DEAD)?;
                settle.execute(params![id_blob(txn.run), dead_number(*state)])?;
            }
        }
    }
    Ok(TxnOutcome::Committed { version: version + 1 })
}

fn find(desk: &Desk<'_>, run: RunId) -> Outcome<Option<Found>> {
    let mut find = desk.db.prepare_cached(FIND)?;
    let found = find.query_row([id_blob(run)], |row| {
        Ok(Found {
            no: row.get(0)?,
            bucket: row.get(1)?,
            version: row.get(2)?,
            status: row.get(3)?,
            wake_at: row.get(4)?,
        })
    });
    Ok(found.optional()?)
}

fn put_state(desk: &Desk<'_>, found: &Found, txn: &Txn) -> Outcome<()> {
    let state = &txn.state;
    let status = status_number(state.status);
    let wake_at = state.wake_at.map(Timestamp::as_millis);
    let updated_at = state.updated_at.as_millis();
    let cause = cause_number(state.cause);
    let (version, last_txn) = (found.version + 1, id_blob(txn.id));
    let ended = state.status.is_terminal();
    if status == found.status && wake_at == found.wake_at && !ended {
        desk.db.prepare_cached(STEP)?.execute(params![
            found.no,
            version,
            last_txn,
            updated_at,
            cause,
            state.summary
        ])?;
    } else {
        desk.db.prepare_cached(MOVE)?.execute(params![
            found.no,
            version,
            last_txn,
            updated_at,
            cause,
            state.summary,
            status,
            wake_at,
            ended.then_some(updated_at)
        ])?;
    }
    Ok(())
}

pub(super) fn put_dead(desk: &mut Desk<'_>, letter: &DeadLetter) -> Outcome<()> {
    let tenant = desk.words.number(desk.db, letter.tenant.as_str())?;
    let environment = desk.words.number(desk.db, letter.environment.as_str())?;
    let integration = desk.words.number(desk.db, letter.integration.as_str())?;
    desk.db.prepare_cached(PUT_DEAD)?.execute(params![
        id_blob(letter.run),
        tenant,
        environment,
        integration,
        letter.at.as_millis(),
        dead_number(letter.state),
        letter.fingerprint,
        letter.code,
        letter.summary
    ])?;
    Ok(())
}
