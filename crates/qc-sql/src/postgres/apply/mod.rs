//! What a batch does, decided without I/O: from what is known of the rows that it touches, write by
//! write in their order, into outcomes and the rows to put. One file for each kind of write.

mod accept;
mod change;
mod claim;
mod commit;
mod deeds;
mod documents;
mod known;
mod letters;
mod place;
mod waits;

pub(super) use deeds::{Deeds, DocumentDeed, EntryDeed, HeadDeed, JoinDeed, KeyDeed, Letter};
pub(super) use known::{Document, DocumentKey, Key, KeyId, Known, Run, Span};
pub(super) use place::Place;
use qc_store::{Write, WriteOutcome};
pub(super) use waits::WaitDeed;

/// The desk at which a batch is decided.
pub(super) struct Desk<'a> {
    pub(super) known: Known<'a>,
    pub(super) deeds: Deeds<'a>,
}

/// Decides every write of a batch.
pub(super) fn batch<'a>(writes: &'a [Write], known: Known<'a>) -> (Vec<WriteOutcome>, Deeds<'a>) {
    let mut desk = Desk { known, deeds: Deeds::default() };
    let outcomes = writes
        .iter()
        .map(|write| match write {
            Write::Accept(accept) => WriteOutcome::Accept(accept::accept(&mut desk, accept)),
            Write::Commit { lease, txn } => {
                WriteOutcome::Commit(commit::commit(&mut desk, lease, txn))
            }
            Write::Change(change) => WriteOutcome::Change(change::change(&mut desk, change)),
            Write::Claim { lease, runs } => {
                WriteOutcome::Claim(claim::claim(&mut desk, lease, runs))
            }
        })
        .collect();
    (outcomes, desk.deeds)
}
