//! What the next commit of a run will say.

use std::collections::{BTreeMap, VecDeque};

use qc_model::{Failure, Timestamp};
use qc_store::{DeadLetter, DeadState, DocumentOp, Entry, LedgerRow, Op, RunKey, Signal};
use qc_workflow::{CallId, Happening as Told, TaskNote};

use crate::{
    RunEnd,
    entry::{self, Journaled},
    happening::What,
    person::PersonTask,
    run::Ready,
};

/// Gathers everything that one commit writes, and what is to be done once it is on disk.
pub(crate) struct Draft {
    pub(crate) at: Timestamp,
    pub(crate) journal: Vec<Journaled>,
    pub(crate) ledger: Vec<LedgerRow>,
    /// Events that go out.
    pub(crate) signals: Vec<Signal>,
    /// Calls whose intent this commit writes: performed once it is on disk.
    pub(crate) ready: Vec<Ready>,
    pub(crate) dead: Option<DeadLetter>,
    pub(crate) settle_dead: Option<DeadState>,
    /// What people find the run by from now on.
    pub(crate) keys: Vec<RunKey>,
    /// Documents that change with it.
    pub(crate) documents: Vec<DocumentOp>,
    pub(crate) end: Option<RunEnd>,
    /// Why a call was parked, for the listeners.
    pub(crate) parked: Option<Failure>,
    /// What happened to tasks, for the listeners.
    pub(crate) notes: Vec<TaskNote>,
    /// What the machine is still to be told in this step, in order.
    pub(crate) told: VecDeque<Told>,
    /// Tasks of people as they stand after this commit.
    pub(crate) tasks: BTreeMap<u32, PersonTask>,
    /// What happened to tasks of people, for the listeners.
    pub(crate) people: Vec<What>,
    /// Calls are to be sent, but not from here and now.
    pub(crate) withheld: bool,
    /// How many of them are the run's lifecycle.
    pub(crate) life: usize,
    /// How many events the workflow emitted.
    pub(crate) emitted: usize,
}

impl Draft {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            at,
            journal: Vec::new(),
            ledger: Vec::new(),
            signals: Vec::new(),
            ready: Vec::new(),
            dead: None,
            settle_dead: None,
            keys: Vec::new(),
            documents: Vec::new(),
            end: None,
            parked: None,
            notes: Vec::new(),
            told: VecDeque::new(),
            tasks: BTreeMap::new(),
            people: Vec::new(),
            withheld: false,
            life: 0,
            emitted: 0,
        }
    }

    pub(crate) fn journal(&mut self, entry: Journaled) {
        self.journal.push(entry);
    }

    pub(crate) fn ledger(&mut self, row: LedgerRow) {
        self.ledger.push(row);
    }

    /// Takes back the calls that were about to be sent, and what the journal was to say of that:
    /// whoever takes the run up next sends them, knowing that they were not sent before.
    pub(crate) fn withhold(&mut self) {
        for ready in std::mem::take(&mut self.ready) {
            self.take_back(&ready.request.id);
            self.withheld = true;
        }
    }

    /// Takes back what the journal was to say of a call that is not sent now.
    pub(crate) fn take_back(&mut self, sent: &CallId) {
        let told = self
            .journal
            .iter()
            .rposition(|entry| matches!(entry, Journaled::Intent { call, .. } if call == sent));
        if let Some(at) = told {
            self.journal.remove(at);
        }
    }

    /// Whether there is anything to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.journal.is_empty() && self.ledger.is_empty() && self.end.is_none()
    }

    /// The journal's entries and ledger's rows, taken out to be written.
    pub(crate) fn take_writes(&mut self) -> Vec<Op> {
        let mut ops: Vec<Op> = self.take_journal().into_iter().map(Op::Journal).collect();
        ops.extend(std::mem::take(&mut self.ledger).into_iter().map(Op::Ledger));
        if !self.keys.is_empty() {
            ops.push(Op::Keys(std::mem::take(&mut self.keys)));
        }
        ops.extend(std::mem::take(&mut self.signals).into_iter().map(Op::Signal));
        ops.extend(self.take_documents().into_iter().map(Op::Document));
        ops.extend(self.settle_dead.take().map(Op::SettleDead));
        ops.extend(self.dead.take().map(Op::Dead));
        ops
    }

    /// The documents that change, taken out to be written.
    pub(crate) fn take_documents(&mut self) -> Vec<DocumentOp> {
        let mut documents = std::mem::take(&mut self.documents);
        documents.extend(self.tasks.values().flat_map(|task| task.documents(self.at)));
        documents
    }

    /// The journal's entries as stored, taken out to be written.
    pub(crate) fn take_journal(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.journal).iter().map(|e| entry::encode(self.at, e)).collect()
    }
}
