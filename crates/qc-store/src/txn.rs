use qc_model::{RunId, TxnId};

use crate::{DeadLetter, DeadState, DocumentOp, Entry, LedgerRow, RunKey, RunState, Signal, Wait};

/// One step of a run: all its operations, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// This transaction.
    pub id: TxnId,
    /// The run.
    pub run: RunId,
    /// The version that the run must have; it has the next one afterwards.
    pub expect: u64,
    /// The run's new state.
    pub state: RunState,
    /// What else changes with it.
    pub ops: Vec<Op>,
}

/// What changes together with a run's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Appends to the journal.
    Journal(Entry),
    /// Appends to the ledger.
    Ledger(LedgerRow),
    /// Puts the run among the dead letters (replacing an earlier letter of the same run).
    Dead(DeadLetter),
    /// Says what was done about the run's dead letter.
    SettleDead(DeadState),
    /// Writes an event that runs may listen for.
    Signal(Signal),
    /// Waits for something; replaces the wait with the same id. In a step that ends the run it
    /// leaves nothing.
    Wait(Wait),
    /// Ends the wait with this id, when there is one.
    Unwait(String),
    /// Leaves the run's line, when it stands in one.
    EndTurn,
    /// Changes a document. The changes of a step see each other in their order.
    Document(DocumentOp),
    /// Adds to what people find the run by. What it has already is not added again; of a run's
    /// distinct keys the first [`KEYS_MAX`](crate::KEYS_MAX) are kept and later ones are not.
    Keys(Vec<RunKey>),
}

/// What became of a [`Txn`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnOutcome {
    /// It is on disk; the run has this version.
    Committed {
        /// The run's version.
        version: u64,
    },
    /// The run has another version (None: there is no such run). Nothing was written.
    Conflict {
        /// The run's version.
        version: Option<u64>,
    },
    /// The lease is no longer held. Nothing was written.
    Fenced,
    /// A document was not as expected (and lease and version are right). Nothing was written.
    DocumentConflict {
        /// The document's kind.
        kind: String,
        /// The document's name.
        name: String,
        /// Its present revision; None when it is absent.
        revision: Option<u64>,
    },
}

/// A change of documents, with its ledger and audit rows and the events that it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// This transaction.
    pub id: TxnId,
    /// The changes; all or none.
    pub documents: Vec<DocumentOp>,
    /// What the ledger says of them.
    pub ledger: Vec<LedgerRow>,
    /// Events that runs may listen for.
    pub signals: Vec<Signal>,
}

/// What became of a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is on disk.
    Changed,
    /// A document was not as expected. Nothing was written.
    Conflict {
        /// The document's kind.
        kind: String,
        /// The document's name.
        name: String,
        /// Its present revision; None when it is absent.
        revision: Option<u64>,
    },
}
