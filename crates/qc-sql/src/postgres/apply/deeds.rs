use std::collections::{BTreeMap, BTreeSet};

use qc_model::{RunId, Timestamp, TxnId};
use qc_store::{
    Accept, Counted, DeadLetter, DeadState, Entry, IdempotencyKey, KEYS_MAX, Lease, LedgerRow,
    RunKey, RunState, RunStatus, Signal, Turn,
};

use super::{DocumentKey, KeyId, Place, WaitDeed};

/// The rows to put for a batch. What is locked is sorted, so that two batches that meet do so in the
/// same order.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Deeds<'a> {
    pub(in crate::postgres) keys: BTreeMap<KeyId<'a>, KeyDeed<'a>>,
    pub(in crate::postgres) heads: BTreeMap<RunId, HeadDeed<'a>>,
    pub(in crate::postgres) journal: Vec<EntryDeed<'a>>,
    pub(in crate::postgres) letters: BTreeMap<RunId, Letter<'a>>,
    pub(in crate::postgres) documents: BTreeMap<DocumentKey<'a>, DocumentDeed<'a>>,
    pub(in crate::postgres) ledger: Vec<&'a LedgerRow>,
    /// Counts of claims, of runs that took no step since.
    pub(in crate::postgres) claims: BTreeMap<RunId, u32>,
    /// By scope and id, each with its number among those that the batch brings.
    pub(in crate::postgres) signals: BTreeMap<(&'a str, &'a str), (i64, &'a Signal)>,
    pub(in crate::postgres) waits: BTreeMap<RunId, WaitDeed<'a>>,
    /// In their order.
    pub(in crate::postgres) joins: Vec<JoinDeed<'a>>,
    /// Once all have joined.
    pub(in crate::postgres) leaves: BTreeSet<RunId>,
    /// Distinct ones, in their order.
    pub(in crate::postgres) run_keys: BTreeMap<RunId, Vec<&'a RunKey>>,
    /// But the first change of each run's status, which the statement that makes it counts.
    pub(in crate::postgres) tally: BTreeMap<Place, Counted>,
}

/// A key that is claimed.
#[derive(Debug)]
pub(in crate::postgres) struct KeyDeed<'a> {
    pub(in crate::postgres) run: RunId,
    pub(in crate::postgres) key: &'a IdempotencyKey,
    /// When the batch claimed it first: what the key's row held before must have expired then.
    pub(in crate::postgres) claimed_at: Timestamp,
}

/// A run that begins or goes on.
#[derive(Debug)]
pub(in crate::postgres) struct HeadDeed<'a> {
    /// What began it, when it did so in this batch.
    pub(in crate::postgres) accept: Option<&'a Accept>,
    /// The version before the batch.
    pub(in crate::postgres) before: u64,
    pub(in crate::postgres) version: u64,
    /// The status after its first step in the batch.
    pub(in crate::postgres) first: RunStatus,
    pub(in crate::postgres) state: &'a RunState,
    pub(in crate::postgres) txn: TxnId,
    /// Under which it went on.
    pub(in crate::postgres) lease: Option<&'a Lease>,
}

/// An entry of a journal with its place.
#[derive(Debug)]
pub(in crate::postgres) struct EntryDeed<'a> {
    pub(in crate::postgres) run: RunId,
    pub(in crate::postgres) version: u64,
    pub(in crate::postgres) no: i32,
    pub(in crate::postgres) entry: &'a Entry,
}

/// A run that joins a line.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) struct JoinDeed<'a> {
    pub(in crate::postgres) run: RunId,
    pub(in crate::postgres) turn: &'a Turn,
    /// Whose place it takes, when that one stands in this line.
    pub(in crate::postgres) replayed: Option<RunId>,
}

/// What becomes of a run's dead letter.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) enum Letter<'a> {
    /// It is put, in the place of an earlier one, and stands so.
    Put(&'a DeadLetter, DeadState),
    /// One that may be there stands so now.
    Settle(DeadState),
}

/// What becomes of a document.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) enum DocumentDeed<'a> {
    /// There was none.
    Add { revision: u64, at: Timestamp, body: &'a [u8] },
    /// There was one.
    Replace { revision: u64, at: Timestamp, body: &'a [u8] },
    /// There was one.
    Remove,
    /// There was none, and there is none.
    Nothing,
}

impl<'a> Deeds<'a> {
    /// Notes the entries of one step, in their order.
    pub(super) fn journal(
        &mut self,
        run: RunId,
        version: u64,
        entries: impl Iterator<Item = &'a Entry>,
    ) {
        // A write has at most 10,000 items.
        self.journal.extend(entries.zip(0..).map(|(entry, no)| EntryDeed {
            run,
            version,
            no,
            entry,
        }));
    }

    /// The counts of a place, to add to.
    pub(super) fn counted(&mut self, place: Place) -> &mut Counted {
        self.tally.entry(place).or_default()
    }

    /// Writes signals; of several with one id the first counts.
    pub(super) fn signals(&mut self, signals: impl IntoIterator<Item = &'a Signal>) {
        for signal in signals {
            let no = i64::try_from(self.signals.len()).unwrap_or(i64::MAX);
            let id = (signal.scope.as_str(), signal.id.as_str());
            self.signals.entry(id).or_insert((no, signal));
        }
    }

    /// Joins the end of a line, or takes the place there of the run that it replays.
    pub(super) fn join_line(&mut self, run: RunId, turn: &'a Turn, replay_of: Option<RunId>) {
        let replayed = replay_of.filter(|replayed| !self.leaves.contains(replayed));
        let here = |join: &&mut JoinDeed<'_>| Some(join.run) == replayed && join.turn == turn;
        if let Some(join) = self.joins.iter_mut().find(here) {
            join.run = run;
            return;
        }
        // Of several replays of one run the first takes its place, and then it has left.
        let taken = |join: &JoinDeed<'_>| join.replayed == replayed && join.turn == turn;
        let replayed = replayed.filter(|_| !self.joins.iter().any(taken));
        self.joins.push(JoinDeed { run, turn, replayed });
    }

    /// Leaves the line that the run has joined before, in this batch or earlier.
    pub(super) fn leave_line(&mut self, run: RunId) {
        self.leaves.insert(run);
    }

    /// Adds business keys that are new in this batch, up to as many as a run may have.
    pub(super) fn run_keys(&mut self, run: RunId, keys: &'a [RunKey]) {
        if keys.is_empty() {
            return;
        }
        let added = self.run_keys.entry(run).or_default();
        for key in keys {
            // What is there already may be among them, and takes no room.
            if added.len() < 2 * KEYS_MAX && !added.contains(&key) {
                added.push(key);
            }
        }
    }

    /// Puts a letter in the place of whatever was there.
    pub(super) fn put_letter(&mut self, letter: &'a DeadLetter) {
        self.letters.insert(letter.run, Letter::Put(letter, letter.state));
    }

    /// Settles a letter that may be there.
    pub(super) fn settle_letter(&mut self, run: RunId, state: DeadState) {
        self.letters
            .entry(run)
            .and_modify(|letter| match letter {
                Letter::Put(_, stands) | Letter::Settle(stands) => *stands = state,
            })
            .or_insert(Letter::Settle(state));
    }
}
