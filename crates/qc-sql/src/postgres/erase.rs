//! Removing runs for good, whatever their age, and having nothing left of them in the tables' files.

use qc_model::RunId;
use qc_store::{Erased, StoreError};

use super::{PostgresStore, TRIES_MAX, connection::Connection, stored::Uuid, trouble::Outcome};

/// So many runs go in one step.
const STEP: usize = 100;

/// Whoever takes a run further holds its row: it is waited for, and then it is looked at again.
const HOLD: &str = "SELECT id FROM run WHERE id = ANY($1::uuid[]) \
     AND status IN ('completed', 'faulted', 'cancelled') ORDER BY id FOR UPDATE";
const RUNS: &str = "WITH gone AS MATERIALIZED ( \
         SELECT r.id, r.tenant, r.environment, r.integration, r.status, \
             coalesce(d.state = 'open', false) AS is_open \
         FROM run r LEFT JOIN dead d ON d.run = r.id WHERE r.id = ANY($1::uuid[]) \
     ), journals AS (DELETE FROM journal j USING gone WHERE j.run = gone.id \
     ), events AS (DELETE FROM event e USING gone WHERE e.run = gone.id \
     ), letters AS (DELETE FROM dead d USING gone WHERE d.run = gone.id \
     ), keys AS (DELETE FROM run_key k USING gone WHERE k.run = gone.id \
     ), turns AS (DELETE FROM turn t USING gone WHERE t.run = gone.id \
     ), waits AS (DELETE FROM wait w USING gone WHERE w.run = gone.id \
     ), counted AS ( \
         INSERT INTO tally AS t (tenant, environment, integration, part, pruned_completed, \
             pruned_faulted, pruned_cancelled, dead_settled) \
         SELECT tenant, environment, integration, -1, \
             count(*) FILTER (WHERE status = 'completed'), \
             count(*) FILTER (WHERE status = 'faulted'), \
             count(*) FILTER (WHERE status = 'cancelled'), \
             count(*) FILTER (WHERE is_open) \
         FROM gone GROUP BY tenant, environment, integration \
         ORDER BY tenant, environment, integration \
         ON CONFLICT (tenant, environment, integration, part) DO UPDATE SET \
             pruned_completed = t.pruned_completed + excluded.pruned_completed, \
             pruned_faulted = t.pruned_faulted + excluded.pruned_faulted, \
             pruned_cancelled = t.pruned_cancelled + excluded.pruned_cancelled, \
             dead_settled = t.dead_settled + excluded.dead_settled \
     ) DELETE FROM run r USING gone WHERE r.id = gone.id";
const KEYS: &str = "DELETE FROM idempotency WHERE run = ANY($1::uuid[])";
const SIGNALS: &str = "DELETE FROM signal WHERE seq = ANY($1::bigint[])";
/// Writes the tables anew, without what was removed from them.
const SCRUB: [&str; 12] = [
    "VACUUM (FULL) run",
    "VACUUM (FULL) event",
    "VACUUM (FULL) journal",
    "VACUUM (FULL) dead",
    "VACUUM (FULL) run_key",
    "VACUUM (FULL) turn",
    "VACUUM (FULL) wait",
    "VACUUM (FULL) idempotency",
    "VACUUM (FULL) signal",
    "VACUUM (FULL) document",
    "VACUUM (FULL) blob",
    "VACUUM (FULL) blob_chunk",
];

pub(super) async fn erase(
    store: &PostgresStore,
    runs: &[RunId],
    signals: &[u64],
) -> Result<Erased, StoreError> {
    let mut gone = Erased::default();
    for some in runs.chunks(STEP) {
        let ids: Vec<Uuid> = some.iter().map(|run| Uuid::from(*run)).collect();
        let step = store.readers.change(TRIES_MAX, move |db| Box::pin(runs_step(db, ids.clone())));
        let (runs, keys) = step.await?;
        gone.runs += runs;
        gone.keys += keys;
    }
    for some in signals.chunks(STEP) {
        let places: Vec<i64> =
            some.iter().map(|seq| i64::try_from(*seq).unwrap_or(i64::MAX)).collect();
        let step = store.readers.change(TRIES_MAX, move |db| {
            let places = places.clone();
            Box::pin(async move { db.execute(SIGNALS, &[&places]).await })
        });
        gone.signals += usize::try_from(step.await?).unwrap_or(usize::MAX);
    }
    Ok(gone)
}

async fn runs_step(db: &mut Connection, ids: Vec<Uuid>) -> Outcome<(usize, usize)> {
    db.run("BEGIN").await?;
    // When something fails the connection goes, and the transaction with it.
    let rows = db.query(HOLD, &[&ids]).await?;
    let held = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Outcome<Vec<Uuid>>>()?;
    let (mut runs, mut keys) = (0, 0);
    if !held.is_empty() {
        runs = db.execute(RUNS, &[&held]).await?;
        keys = db.execute(KEYS, &[&held]).await?;
    }
    db.run("COMMIT").await?;
    let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    Ok((count(runs), count(keys)))
}

pub(super) async fn scrub(store: &PostgresStore) -> Result<(), StoreError> {
    for statement in SCRUB {
        let step = store
            .readers
            .change(TRIES_MAX, move |db| Box::pin(async move { db.run(statement).await }));
        step.await?;
    }
    Ok(())
}
