//! What the writer does inside one transaction, one file for each kind of write.

mod accept;
mod change;
mod commit;
mod ledger;
mod prune;

pub(super) use accept::accept;
pub(super) use change::change;
pub(super) use commit::commit;
pub(super) use ledger::{LedgerTail, SPAN_BITS, note};
pub(super) use prune::prune;
use qc_store::LeaseTable;
use rusqlite::Connection;

use super::words::WordNumbers;

/// What the writer holds beside the database, lent to one write.
pub(super) struct Desk<'a> {
    pub(super) db: &'a Connection,
    pub(super) words: &'a mut WordNumbers,
    pub(super) leases: &'a LeaseTable,
    pub(super) ledger: &'a mut LedgerTail,
}
