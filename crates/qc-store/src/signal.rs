use bytes::Bytes;
use qc_model::Timestamp;

/// An event that runs may listen for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Tenant and environment, as one text.
    pub scope: String,
    /// What kind of event it is: the CloudEvent's type.
    pub kind: String,
    /// Which one, unique within the scope. A signal whose id is stored already is a repeat: it is
    /// ignored, whatever else it says, and the write that brings it succeeds.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The event, as its writer's bytes.
    pub body: Bytes,
    /// Until when it is kept. It stays readable, and its id known, until it is pruned after that.
    pub expires_at: Timestamp,
}

/// A signal with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalEntry {
    /// Rises with every signal; gaps are possible, a place is never given twice. No signal
    /// appears before one that has been read: who reads on after the last `seq` misses none, also
    /// while several nodes write.
    pub seq: u64,
    /// The signal.
    pub signal: Signal,
}

/// Which signals to read, in the order of their places. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalFilter {
    /// Only this scope.
    pub scope: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only signals at or after this moment.
    pub since: Option<Timestamp>,
    /// Only signals after this place.
    pub after: u64,
    /// At most so many; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}
