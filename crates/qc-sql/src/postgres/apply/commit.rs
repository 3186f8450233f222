use qc_store::{Lease, Op, Txn, TxnOutcome};

use super::{Desk, HeadDeed};

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
    let version = before + 1;
    if let Some(run) = desk.known.runs.get_mut(&txn.run) {
        run.version = version;
    }
    let head = desk.deeds.heads.entry(txn.run).or_insert_with(|| HeadDeed {
        accept: None,
        before,
        version,
        state: &txn.state,
        txn: txn.id,
        lease: Some(lease),
    });
    (head.version, head.state, head.txn) = (version, &txn.state, txn.id);
    head.lease = Some(lease);
    let entries = txn.ops.iter().filter_map(|op| match op {
        Op::Journal(entry) => Some(entry),
        _ => None,
    });
    desk.deeds.journal(txn.run, version, entries);
    for op in &txn.ops {
        match op {
            Op::Journal(_) => {}
            Op::Ledger(row) => desk.deeds.ledger.push(row),
            Op::Dead(letter) => desk.deeds.put_letter(letter),
            Op::SettleDead(state) => desk.deeds.settle_letter(txn.run, *state),
        }
    }
    TxnOutcome::Committed { version }
}
