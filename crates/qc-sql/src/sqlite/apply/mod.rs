//! What the writer does inside one transaction, one file for each kind of write.

mod accept;
mod belongings;
mod change;
mod claim;
mod commit;
mod dead;
mod documents;
mod ledger;
mod listening;
mod prune;
mod tally;

pub(super) use accept::accept;
pub(super) use change::change;
pub(super) use claim::claim;
pub(super) use commit::commit;
pub(super) use ledger::{LedgerTail, SPAN_BITS, Span, note};
use listening::put_signal;
pub(super) use prune::{erase, prune_rows, prune_runs};
use qc_store::LeaseTable;
use rusqlite::Connection;
pub(super) use tally::TallyTail;

use super::words::WordNumbers;

/// What the writer holds beside the database, lent to one write.
pub(super) struct Desk<'a> {
    pub(super) db: &'a Connection,
    pub(super) words: &'a mut WordNumbers,
    pub(super) leases: &'a LeaseTable,
    pub(super) ledger: &'a mut LedgerTail,
    pub(super) tally: &'a mut TallyTail,
}
