/// How much was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Runs, each with all that belongs to it.
    pub runs: usize,
    /// Signals.
    pub signals: usize,
    /// Idempotency keys that stood for the runs.
    pub keys: usize,
}
