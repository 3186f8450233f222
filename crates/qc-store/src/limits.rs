use crate::{DocumentOp, LedgerRow, Op, StoreError, Write};

/// Runs are spread over so many virtual buckets.
pub const BUCKETS: u16 = 1024;
/// The longest page of any listing; longer limits are cut to it.
pub const PAGE_MAX: usize = 1000;
/// The heaviest single write that a store takes.
pub const WRITE_BYTES_MAX: usize = 64 << 20;
/// The most journal entries, ledger rows or document changes in a single write.
pub const WRITE_ITEMS_MAX: usize = 10_000;

/// What a row costs beside its texts and body: ids, times, numbers, indexes.
const ROW_BYTES: usize = 128;

/// The page size of a filter, where 0 means "not restricted".
pub fn filter_page(limit: usize) -> usize {
    if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) }
}

impl Write {
    /// About how many bytes it brings to the disk; for the caps of batches and queues.
    pub fn weight(&self) -> usize {
        match self {
            Self::Accept(accept) => {
                let key = accept.key.as_ref().map_or(0, |k| k.scope.len() + k.key.len());
                let journal: usize = accept.journal.iter().map(|e| e.body.len() + ROW_BYTES).sum();
                let ledger: usize = accept.ledger.iter().map(ledger_weight).sum();
                2 * ROW_BYTES + key + accept.event.body.len() + journal + ledger
            }
            Self::Commit { txn, .. } => ROW_BYTES + txn.ops.iter().map(op_weight).sum::<usize>(),
            Self::Change(change) => {
                let documents: usize = change.documents.iter().map(document_weight).sum();
                documents + change.ledger.iter().map(ledger_weight).sum::<usize>()
            }
        }
    }

    /// Whether it is within the store's limits; what is not is [`StoreError::Refused`].
    pub fn check(&self) -> Result<(), StoreError> {
        let items = match self {
            Self::Accept(accept) => {
                if accept.run.bucket >= BUCKETS {
                    return refuse(format!("bucket {} is not below {BUCKETS}", accept.run.bucket));
                }
                if accept.run.event != accept.event.id {
                    return refuse(format!(
                        "{} is for {}, but the accept carries {}",
                        accept.run.id, accept.run.event, accept.event.id
                    ));
                }
                if let Some(letter) = accept.dead.as_ref().filter(|l| l.run != accept.run.id) {
                    return refuse(format!(
                        "the accept of {} carries a dead letter of {}",
                        accept.run.id, letter.run
                    ));
                }
                accept.journal.len() + accept.ledger.len()
            }
            Self::Commit { txn, .. } => {
                if let Some(letter) = txn.ops.iter().find_map(|op| match op {
                    Op::Dead(letter) if letter.run != txn.run => Some(letter),
                    _ => None,
                }) {
                    return refuse(format!(
                        "a step of {} carries a dead letter of {}",
                        txn.run, letter.run
                    ));
                }
                txn.ops.len()
            }
            Self::Change(change) => change.documents.len() + change.ledger.len(),
        };
        if items > WRITE_ITEMS_MAX {
            return refuse(format!("{items} rows in one write; the limit is {WRITE_ITEMS_MAX}"));
        }
        let weight = self.weight();
        if weight > WRITE_BYTES_MAX {
            return refuse(format!("{weight} bytes in one write; the limit is {WRITE_BYTES_MAX}"));
        }
        Ok(())
    }
}

fn refuse(why: String) -> Result<(), StoreError> {
    Err(StoreError::Refused(why))
}

fn op_weight(op: &Op) -> usize {
    match op {
        Op::Journal(entry) => entry.body.len() + ROW_BYTES,
        Op::Ledger(row) => ledger_weight(row),
        Op::Dead(letter) => {
            letter.fingerprint.len() + letter.code.len() + letter.summary.len() + ROW_BYTES
        }
        Op::SettleDead(_) => ROW_BYTES,
    }
}

fn ledger_weight(row: &LedgerRow) -> usize {
    row.actor.len() + row.subject.len() + row.outcome.len() + row.facts.len() + ROW_BYTES
}

fn document_weight(op: &DocumentOp) -> usize {
    match op {
        DocumentOp::Put { kind, name, body, .. } => {
            kind.len() + name.len() + body.len() + ROW_BYTES
        }
        DocumentOp::Delete { kind, name, .. } => kind.len() + name.len() + ROW_BYTES,
    }
}
