use qc_model::Timestamp;

use crate::{LedgerKind, RunStatus};

/// What is past its time, for each kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Idempotency keys that have expired at this moment go.
    pub keys_now: Timestamp,
    /// Signals that have expired at this moment go.
    pub signals_now: Timestamp,
    /// Runs that completed or were cancelled before this moment go, with all that belongs to them:
    /// event, journal, settled dead letter, business keys, place in a line.
    pub completed_since: Timestamp,
    /// Runs that ended in failure before this moment go in the same way, unless their dead letter
    /// is open.
    pub failed_since: Timestamp,
    /// Ledger rows older than this moment go, but for those of the audit.
    pub ledger_since: Timestamp,
    /// Ledger rows of the audit older than this moment go.
    pub audit_since: Timestamp,
}

impl Retention {
    /// Keys and signals by `now`, everything else older than `since`.
    pub const fn at(now: Timestamp, since: Timestamp) -> Self {
        Self {
            keys_now: now,
            signals_now: now,
            completed_since: since,
            failed_since: since,
            ledger_since: since,
            audit_since: since,
        }
    }

    /// From when on runs that ended so are kept.
    pub const fn run_since(&self, end: RunStatus) -> Timestamp {
        match end {
            RunStatus::Faulted => self.failed_since,
            _ => self.completed_since,
        }
    }

    /// From when on ledger rows of a kind are kept.
    pub const fn row_since(&self, kind: LedgerKind) -> Timestamp {
        match kind {
            LedgerKind::Audit => self.audit_since,
            _ => self.ledger_since,
        }
    }
}

/// How much a prune has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Idempotency keys.
    pub keys: usize,
    /// Signals.
    pub signals: usize,
    /// Runs.
    pub runs: usize,
    /// Ledger rows.
    pub ledger: usize,
}

impl Pruned {
    /// All together.
    pub const fn total(&self) -> usize {
        self.keys + self.signals + self.runs + self.ledger
    }
}
