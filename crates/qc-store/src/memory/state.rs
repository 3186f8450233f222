use std::collections::{BTreeMap, BTreeSet};

use qc_model::{EnvironmentName, Name, RunId, TenantName, Timestamp};

use crate::{
    AuditMark, BudgetTable, Counted, DeadLetter, Document, Entry, LeaseTable, LedgerEntry,
    LedgerKind, LedgerRow, NodeTable, RunFacts, RunHead, RunKey, Signal, StoredEvent, Turn, Wait,
};

/// All that the store knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) keys: BTreeMap<(String, String), KnownKey>,
    pub(super) dead: BTreeMap<RunId, DeadLetter>,
    pub(super) documents: BTreeMap<(String, String), Document>,
    pub(super) ledger: BTreeMap<u64, LedgerEntry>,
    /// The place of the newest ledger row, pruned ones included.
    pub(super) ledger_seq: u64,
    /// The rows of the audit that were ever written.
    pub(super) audit_rows: u64,
    pub(super) signals: BTreeMap<u64, Signal>,
    /// The place of every signal, by scope and id.
    pub(super) signal_ids: BTreeMap<(String, String), u64>,
    /// The place of the newest signal, pruned ones included.
    pub(super) signal_seq: u64,
    pub(super) waits: BTreeMap<(RunId, String), Wait>,
    /// The lines, each from its head to its end; none is empty.
    pub(super) lines: BTreeMap<Turn, Vec<RunId>>,
    pub(super) counted: BTreeMap<Place, Counted>,
    pub(super) leases: LeaseTable,
    pub(super) nodes: NodeTable,
    pub(super) budgets: BudgetTable,
    /// The newest epoch of any lease.
    pub(super) epoch: u64,
}

pub(super) struct Run {
    pub(super) head: RunHead,
    pub(super) event: StoredEvent,
    pub(super) journal: Vec<Entry>,
    pub(super) keys: BTreeSet<RunKey>,
    /// The line in which it stands.
    pub(super) turn: Option<Turn>,
}

pub(super) struct KnownKey {
    pub(super) run: RunId,
    pub(super) body_hash: [u8; 32],
    pub(super) expires_at: Timestamp,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tenant: TenantName,
    pub(super) environment: EnvironmentName,
    pub(super) integration: Name,
}

impl Place {
    pub(super) fn of_run(facts: &RunFacts) -> Self {
        Self {
            tenant: facts.tenant.clone(),
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
        }
    }

    pub(super) fn of_letter(letter: &DeadLetter) -> Self {
        Self {
            tenant: letter.tenant.clone(),
            environment: letter.environment.clone(),
            integration: letter.integration.clone(),
        }
    }
}

impl State {
    pub(super) fn note(&mut self, rows: impl IntoIterator<Item = LedgerRow>) {
        for row in rows {
            self.ledger_seq += 1;
            let mark = (row.kind == LedgerKind::Audit).then(|| {
                self.audit_rows += 1;
                AuditMark { writer: 0, no: self.audit_rows }
            });
            self.ledger.insert(self.ledger_seq, LedgerEntry { seq: self.ledger_seq, row, mark });
        }
    }
}
