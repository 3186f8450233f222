//! Removing what is past its time, in steps so small that commits hardly wait: who is to go is
//! found beside the writer, and between two steps the writer does whatever else there is.

use qc_model::RunId;
use qc_store::{Erased, Pruned, Retention, StoreError};

use super::{SqliteStore, read, read::EndedRun, writer::Job};

/// So many keys, signals or ledger rows go in one step.
const ROWS_STEP: usize = 500;
/// So many rows of runs go in one step, or one whole run.
const RUN_ROWS_STEP: i64 = 1000;
/// About so many rows has a run beside its journal, those of indexes included.
const RUN_ROWS: i64 = 10;
/// So many runs are erased in one step.
const ERASE_STEP: usize = 20;
/// So many runs are looked up at a time.
const RUNS_PAGE: usize = 1000;

impl SqliteStore {
    pub(super) async fn prune_in_steps(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Pruned, StoreError> {
        let mut gone = self.prune_rows(retention, limit).await?;
        gone.runs = self.prune_runs(retention, limit).await?;
        Ok(gone)
    }

    pub(super) async fn erase_now(
        &self,
        runs: &[RunId],
        signals: &[u64],
    ) -> Result<Erased, StoreError> {
        let mut gone = Erased::default();
        // Each run whole, a few at a time: commits go on between.
        for runs in runs.chunks(ERASE_STEP) {
            let runs = runs.to_vec();
            let some = self.ask(|reply| Job::Erase { runs, signals: Vec::new(), reply }).await?;
            gone.runs += some.runs;
            gone.keys += some.keys;
        }
        for signals in signals.chunks(ROWS_STEP) {
            let signals = signals.to_vec();
            let some = self.ask(|reply| Job::Erase { runs: Vec::new(), signals, reply }).await?;
            gone.signals += some.signals;
        }
        Ok(gone)
    }

    async fn prune_rows(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        let mut gone = Pruned::default();
        loop {
            let step = |so_far: usize| (limit - so_far).min(ROWS_STEP);
            let at_most = Pruned {
                keys: step(gone.keys),
                signals: step(gone.signals),
                runs: 0,
                ledger: step(gone.ledger),
            };
            let retention = *retention;
            let some = self.ask(|reply| Job::PruneRows { retention, at_most, reply }).await?;
            gone.keys += some.keys;
            gone.signals += some.signals;
            gone.ledger += some.ledger;
            // Every further step takes something away, so the loop ends.
            if some.total() == 0 {
                return Ok(gone);
            }
        }
    }

    async fn prune_runs(&self, retention: &Retention, limit: usize) -> Result<usize, StoreError> {
        let (retention, mut gone) = (*retention, 0);
        loop {
            let page = (limit - gone).min(RUNS_PAGE);
            let found =
                self.readers.read(move |db, _| read::ended_runs(db, &retention, page)).await?;
            let before = gone;
            for runs in steps(&found) {
                gone += self.ask(|reply| Job::PruneRuns { runs, retention, reply }).await?;
            }
            if gone == before || found.len() < page {
                return Ok(gone);
            }
        }
    }
}

/// Runs in steps of about the same number of rows.
fn steps(found: &[EndedRun]) -> Vec<Vec<i64>> {
    let mut steps = Vec::new();
    let (mut step, mut rows) = (Vec::new(), 0);
    for run in found {
        let more = RUN_ROWS + run.entries;
        if rows + more > RUN_ROWS_STEP && !step.is_empty() {
            steps.push(std::mem::take(&mut step));
            rows = 0;
        }
        step.push(run.no);
        rows += more;
    }
    steps.extend((!step.is_empty()).then_some(step));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_small_and_miss_no_run() {
        let run = |no, entries| EndedRun { no, entries };
        let found: Vec<_> = (0..250).map(|no| run(no, 10)).collect();
        let made = steps(&found);
        assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [50; 5]);
        assert_eq!(made.concat(), (0..250).collect::<Vec<_>>());
        let long = steps(&[run(1, 5), run(2, 100_000), run(3, 5)]);
        assert_eq!(long, [vec![1], vec![2], vec![3]]);
        assert!(steps(&[]).is_empty());
    }
}
