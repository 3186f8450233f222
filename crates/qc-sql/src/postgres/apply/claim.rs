use qc_model::RunId;
use qc_store::Lease;

use super::Desk;

/// Counts that runs are about to be taken up.
pub(super) fn claim(desk: &mut Desk<'_>, lease: &Lease, runs: &[RunId]) -> Vec<Option<u32>> {
    runs.iter()
        .map(|id| {
            let bucket = desk.known.runs.get(id)?.bucket?;
            if !desk.known.covers(lease, bucket) {
                return None;
            }
            let run = desk.known.runs.get_mut(id)?;
            run.claims = run.claims.saturating_add(1);
            desk.deeds.claims.insert(*id, run.claims);
            Some(run.claims)
        })
        .collect()
}
