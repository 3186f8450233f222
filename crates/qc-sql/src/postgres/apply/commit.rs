use qc_model::RunId;
use qc_store::{Lease, Op, Txn, TxnOutcome};

use super::{
    Desk, HeadDeed,
    documents::{Conflict, change_documents},
    letters::{put_letter, settle_letter},
};

/// Takes a run a step further, unless the lease or the version is another.
pub(super) fn commit<'a>(desk: &mut Desk<'a>, lease: &'a Lease, txn: &'a Txn) -> TxnOutcome {
    let Some(run) = desk.known.runs.get(&txn.run) else {
        return TxnOutcome::Conflict { version: None };
    };
    let before = run.version;
    if run.bucket.is_some_and(|bucket| !desk.known.covers(lease, bucket)) {
        return TxnOutcome::Fenced;
    }
    if before != txn.expect {
        return TxnOutcome::Conflict { version: Some(before) };
    }
    let documents = txn.ops.iter().filter_map(|op| match op {
        Op::Document(document) => Some(document),
        _ => None,
    });
    if let Err(Conflict { kind, name, revision }) = change_documents(desk, documents) {
        return TxnOutcome::DocumentConflict { kind, name, revision };
    }
    let version = before + 1;
    move_on(desk, lease, txn, before);
    let entries = txn.ops.iter().filter_map(|op| match op {
        Op::Journal(entry) => Some(entry),
        _ => None,
    });
    desk.deeds.journal(txn.run, version, entries);
    for op in &txn.ops {
        apply(desk, txn.run, op);
    }
    if txn.state.status.is_terminal() {
        desk.deeds.waits.entry(txn.run).or_default().end_all();
    }
    TxnOutcome::Committed { version }
}

/// The run's new state.
fn move_on<'a>(desk: &mut Desk<'a>, lease: &'a Lease, txn: &'a Txn, before: u64) {
    let version = before + 1;
    let status = txn.state.status;
    if let Some(run) = desk.known.runs.get_mut(&txn.run) {
        (run.version, run.claims) = (version, 0);
        // The first change of the status in a batch is counted where it is written.
        if let Some(place) = &run.place
            && let Some(head) = desk.deeds.heads.get(&txn.run)
            && head.state.status != status
        {
            let left = head.state.status;
            let counted = desk.deeds.counted(place.clone());
            counted.reopened.add(left);
            counted.ended.add(status);
        }
    }
    desk.deeds.claims.remove(&txn.run);
    let head = desk.deeds.heads.entry(txn.run).or_insert_with(|| HeadDeed {
        accept: None,
        before,
        version,
        first: status,
        state: &txn.state,
        txn: txn.id,
        lease: Some(lease),
    });
    (head.version, head.state, head.txn) = (version, &txn.state, txn.id);
    head.lease = Some(lease);
}

fn apply<'a>(desk: &mut Desk<'a>, run: RunId, op: &'a Op) {
    match op {
        // Journaled and changed before.
        Op::Journal(_) | Op::Document(_) => {}
        Op::Ledger(row) => desk.deeds.ledger.push(row),
        Op::Dead(letter) => put_letter(desk, letter),
        Op::SettleDead(state) => settle_letter(desk, run, *state),
        Op::Signal(signal) => desk.deeds.signals([signal]),
        Op::Wait(wait) => desk.deeds.waits.entry(run).or_default().put(wait),
        Op::Unwait(id) => desk.deeds.waits.entry(run).or_default().end(id),
        Op::EndTurn => desk.deeds.leave_line(run),
        Op::Keys(keys) => desk.deeds.run_keys(run, keys),
    }
}
