use std::collections::BTreeMap;

use qc_model::{RunId, Timestamp};

use crate::{DeadLetter, Document, Entry, LeaseTable, LedgerRow, NodeTable, RunHead, StoredEvent};

/// All that the store knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) keys: BTreeMap<(String, String), KnownKey>,
    pub(super) dead: BTreeMap<RunId, DeadLetter>,
    pub(super) documents: BTreeMap<(String, String), Document>,
    pub(super) ledger: BTreeMap<u64, LedgerRow>,
    /// The place of the newest ledger row, pruned ones included.
    pub(super) ledger_seq: u64,
    pub(super) leases: LeaseTable,
    pub(super) nodes: NodeTable,
    /// The newest epoch of any lease.
    pub(super) epoch: u64,
}

pub(super) struct Run {
    pub(super) head: RunHead,
    pub(super) event: StoredEvent,
    pub(super) journal: Vec<Entry>,
}

pub(super) struct KnownKey {
    pub(super) run: RunId,
    pub(super) body_hash: [u8; 32],
    pub(super) expires_at: Timestamp,
}

impl State {
    pub(super) fn note(&mut self, rows: impl IntoIterator<Item = LedgerRow>) {
        for row in rows {
            self.ledger_seq += 1;
            self.ledger.insert(self.ledger_seq, row);
        }
    }
}
