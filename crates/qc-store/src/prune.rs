use qc_model::Timestamp;

/// What is past its time, for each kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Idempotency keys that have expired at this moment go.
    pub keys_now: Timestamp,
    /// Signals that have expired at this moment go.
    pub signals_now: Timestamp,
    /// Runs that ended before this moment go, with all that belongs to them: event, journal,
    /// settled dead letter, business keys, place in a line.
    pub runs_since: Timestamp,
    /// Ledger rows older than this moment go.
    pub ledger_since: Timestamp,
}

impl Retention {
    /// Keys and signals by `now`, everything else older than `since`.
    pub const fn at(now: Timestamp, since: Timestamp) -> Self {
        Self { keys_now: now, signals_now: now, runs_since: since, ledger_since: since }
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
