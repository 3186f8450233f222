use crate::{Accept, DeadLetter, DocumentOp, LedgerRow, Op, RunKey, Signal, Wait, Write};

/// What a row costs beside its texts and body: ids, times, numbers, indexes.
const ROW_BYTES: usize = 128;

impl Write {
    /// About how many bytes it brings to the disk; for the caps of batches and queues.
    pub fn weight(&self) -> usize {
        match self {
            Self::Accept(accept) => of_accept(accept),
            Self::Commit { txn, .. } => ROW_BYTES + txn.ops.iter().map(of_op).sum::<usize>(),
            Self::Change(change) => {
                let documents: usize = change.documents.iter().map(of_document).sum();
                let signals: usize = change.signals.iter().map(of_signal).sum();
                documents + signals + change.ledger.iter().map(of_row).sum::<usize>()
            }
            Self::Claim { runs, .. } => ROW_BYTES * runs.len(),
        }
    }
}

fn of_accept(accept: &Accept) -> usize {
    let key = accept.key.as_ref().map_or(0, |k| k.scope.len() + k.key.len());
    let journal: usize = accept.journal.iter().map(|e| e.body.len() + ROW_BYTES).sum();
    let ledger: usize = accept.ledger.iter().map(of_row).sum();
    let letter = accept.dead.as_ref().map_or(0, of_letter);
    let signals: usize = accept.signals.iter().map(of_signal).sum();
    let waits: usize = accept.waits.iter().map(of_wait).sum();
    let turn = accept.turn.as_ref().map_or(0, |t| t.scope.len() + t.key.len() + ROW_BYTES);
    let documents: usize = accept.documents.iter().map(of_document).sum();
    let keys: usize = accept.keys.iter().map(of_key).sum();
    let extras = letter + signals + waits + turn + documents + keys;
    2 * ROW_BYTES + key + accept.event.body.len() + journal + ledger + extras
}

fn of_op(op: &Op) -> usize {
    match op {
        Op::Journal(entry) => entry.body.len() + ROW_BYTES,
        Op::Ledger(row) => of_row(row),
        Op::Dead(letter) => of_letter(letter),
        Op::Signal(signal) => of_signal(signal),
        Op::Wait(wait) => of_wait(wait),
        Op::Document(document) => of_document(document),
        Op::Keys(keys) => keys.iter().map(of_key).sum(),
        Op::SettleDead(_) | Op::Unwait(_) | Op::EndTurn => ROW_BYTES,
    }
}

fn of_row(row: &LedgerRow) -> usize {
    row.actor.len() + row.subject.len() + row.outcome.len() + row.facts.len() + ROW_BYTES
}

fn of_letter(letter: &DeadLetter) -> usize {
    letter.fingerprint.len() + letter.code.len() + letter.summary.len() + ROW_BYTES
}

fn of_document(op: &DocumentOp) -> usize {
    match op {
        DocumentOp::Put { kind, name, body, .. } => {
            kind.len() + name.len() + body.len() + ROW_BYTES
        }
        DocumentOp::Delete { kind, name, .. } => kind.len() + name.len() + ROW_BYTES,
    }
}

fn of_signal(signal: &Signal) -> usize {
    signal.scope.len() + signal.kind.len() + signal.id.len() + signal.body.len() + ROW_BYTES
}

fn of_wait(wait: &Wait) -> usize {
    2 * (wait.id.len() + wait.kind.len() + wait.site.len() + wait.key.len()) + ROW_BYTES
}

fn of_key(key: &RunKey) -> usize {
    key.name.len() + key.value.len() + ROW_BYTES
}
