use qc_model::{RunId, Timestamp};
use qc_store::{DocumentOp, Lease, Op, Txn, TxnOutcome};
use rusqlite::{OptionalExtension, params};

use super::{
    Desk,
    accept::PUT_ENTRY,
    belongings::{leave_line, put_keys},
    dead::{put_letter, settle_letter},
    documents::{Conflict, change_documents},
    listening::{end_wait, end_waits, put_wait},
    note, put_signal,
    tally::Place,
};
use crate::sqlite::{
    stored::{cause_number, count_of, id_blob, status_number, status_of},
    trouble::Outcome,
};

const FIND: &str = "SELECT no, bucket, version, status, wake_at, tenant, environment, integration \
     FROM run WHERE id = ?1";
/// Touches no indexed column: most steps change neither status nor timer.
const STEP: &str = "UPDATE run SET version = ?2, last_txn = ?3, updated_at = ?4, cause = ?5, \
     summary = ?6, claims = 0 WHERE no = ?1";
const MOVE: &str = "UPDATE run SET version = ?2, last_txn = ?3, updated_at = ?4, cause = ?5, \
     summary = ?6, status = ?7, wake_at = ?8, ended_at = ?9, claims = 0 WHERE no = ?1";

/// A run as its step finds it.
struct Found {
    no: i64,
    bucket: u16,
    version: i64,
    status: i64,
    wake_at: Option<i64>,
    place: Place,
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
    let documents: Vec<_> = txn.ops.iter().filter_map(document).collect();
    if let Some(conflict) = change_documents(desk, &documents)? {
        let Conflict { kind, name, revision } = conflict;
        return Ok(TxnOutcome::DocumentConflict { kind, name, revision });
    }
    put_state(desk, &found, txn)?;
    for op in &txn.ops {
        apply(desk, &found, txn.run, op)?;
    }
    if txn.state.status.is_terminal() {
        end_waits(desk, txn.run)?;
    }
    Ok(TxnOutcome::Committed { version: version + 1 })
}

fn document(op: &Op) -> Option<&DocumentOp> {
    match op {
        Op::Document(document) => Some(document),
        _ => None,
    }
}

fn apply(desk: &mut Desk<'_>, found: &Found, run: RunId, op: &Op) -> Outcome<()> {
    match op {
        Op::Journal(entry) => {
            let at = entry.at.as_millis();
            let mut put = desk.db.prepare_cached(PUT_ENTRY)?;
            put.execute(params![found.no, at, &entry.body[..]])?;
            Ok(())
        }
        Op::Ledger(row) => note(desk, row),
        Op::Dead(letter) => put_letter(desk, letter),
        Op::SettleDead(state) => settle_letter(desk, run, *state),
        Op::Signal(signal) => put_signal(desk, signal),
        Op::Wait(wait) => put_wait(desk, run, found.bucket, wait),
        Op::Unwait(wait) => end_wait(desk, run, wait),
        Op::EndTurn => leave_line(desk, found.no),
        // Changed before everything else.
        Op::Document(_) => Ok(()),
        Op::Keys(keys) => put_keys(desk, found.no, keys),
    }
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
            place: Place {
                tenant: row.get(5)?,
                environment: row.get(6)?,
                integration: row.get(7)?,
            },
        })
    });
    Ok(found.optional()?)
}

fn put_state(desk: &mut Desk<'_>, found: &Found, txn: &Txn) -> Outcome<()> {
    let state = &txn.state;
    let status = status_number(state.status);
    let wake_at = state.wake_at.map(Timestamp::as_millis);
    let updated_at = state.updated_at.as_millis();
    let cause = cause_number(state.cause);
    let (version, last_txn) = (found.version + 1, id_blob(txn.id));
    let ended = state.status.is_terminal();
    if status != found.status {
        let counted = desk.tally.at(found.place);
        counted.reopened.add(status_of(found.status)?);
        counted.ended.add(state.status);
    }
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
