use bytes::Bytes;
use qc_model::{EventId, RunId, Timestamp, TxnId};

use crate::{
    DeadLetter, DocumentOp, Entry, LedgerRow, RunFacts, RunKey, RunState, Signal, Turn, Wait,
};

/// One event to accept: key, event, run, the run's first journal entries and ledger rows, and what
/// else begins with it, in one transaction. Needs no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// This transaction.
    pub txn: TxnId,
    /// What makes a repeat recognisable; None when the trigger has no key and the sender gave none.
    pub key: Option<IdempotencyKey>,
    /// The event.
    pub event: StoredEvent,
    /// The run that will handle it.
    pub run: RunFacts,
    /// Its first state (version 1).
    pub state: RunState,
    /// Its first journal entries.
    pub journal: Vec<Entry>,
    /// What the ledger says of it.
    pub ledger: Vec<LedgerRow>,
    /// The dead letter of a run that failed in its very first step.
    pub dead: Option<DeadLetter>,
    /// Events that runs may listen for.
    pub signals: Vec<Signal>,
    /// What the run waits for after its first step. Of several with one id the last counts.
    pub waits: Vec<Wait>,
    /// The line that the run joins, at its end.
    pub turn: Option<Turn>,
    /// Documents that change with it, such as the cursor of who polled the event.
    pub documents: Vec<DocumentOp>,
    /// By what people will find it; see [`Op::Keys`](crate::Op::Keys).
    pub keys: Vec<RunKey>,
}

/// What makes a repeat of an event recognisable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Tenant, environment and trigger, as one text.
    pub scope: String,
    /// The key within the scope.
    pub key: String,
    /// SHA-256 of the body, to tell a repeat from a misuse of the key.
    pub body_hash: [u8; 32],
    /// Until when it is remembered. A key that has expired at the time of the accept
    /// ([`RunFacts::accepted_at`]) counts as absent and is replaced.
    pub expires_at: Timestamp,
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Ours.
    pub id: EventId,
    /// When it was received.
    pub received_at: Timestamp,
    /// The CloudEvent in structured JSON form.
    pub body: Bytes,
}

/// What became of an [`Accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptOutcome {
    /// It is on disk.
    Accepted,
    /// The key is known, or the run itself (the same accept sent again): nothing was written.
    Duplicate {
        /// The run of the first event with this key.
        run: RunId,
        /// Whether the bodies are the same.
        same_body: bool,
    },
    /// A document was not as expected (and neither key nor run is known). Nothing was written.
    Conflict {
        /// The document's kind.
        kind: String,
        /// The document's name.
        name: String,
        /// Its present revision; None when it is absent.
        revision: Option<u64>,
    },
}
