use qc_model::RunId;
use qc_store::Lease;
use rusqlite::OptionalExtension;

use super::Desk;
use crate::sqlite::{stored::id_blob, trouble::Outcome};

const FIND: &str = "SELECT no, bucket FROM run WHERE id = ?1";
/// The count stops where a `u32` does.
const COUNT: &str =
    "UPDATE run SET claims = min(claims + 1, 4294967295) WHERE no = ?1 RETURNING claims";

/// Counts that runs are about to be taken up.
pub(in crate::sqlite) fn claim(
    desk: &Desk<'_>,
    lease: &Lease,
    runs: &[RunId],
) -> Outcome<Vec<Option<u32>>> {
    let mut find = desk.db.prepare_cached(FIND)?;
    let mut count = desk.db.prepare_cached(COUNT)?;
    let mut counts = Vec::with_capacity(runs.len());
    for run in runs {
        let found: Option<(i64, u16)> =
            find.query_row([id_blob(*run)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        counts.push(match found {
            Some((no, bucket)) if desk.leases.covers(lease, bucket) => {
                Some(count.query_row([no], |row| row.get(0))?)
            }
            _ => None,
        });
    }
    Ok(counts)
}
