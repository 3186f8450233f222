//! Removing what is past its time, in steps that are transactions of their own, so that none holds
//! rows for long.

use qc_model::Timestamp;
use qc_store::{Pruned, Retention, StoreError};

use super::{
    PostgresStore, TRIES_MAX,
    connection::Connection,
    stored::{Uuid, number},
    trouble::Outcome,
};

/// So many keys, signals or ledger rows go in one step.
const ROWS_STEP: usize = 1000;
/// So many runs at most go in one step,
const RUNS_STEP: usize = 100;
/// and about so many entries of their journals; a longer run goes alone.
const ENTRIES_STEP: i64 = 5000;

/// A key that was claimed anew meanwhile is looked at again when its row is locked, and stays.
const KEYS: &str = "WITH gone AS MATERIALIZED ( \
         SELECT scope, key FROM idempotency WHERE expires_at <= $1 \
         ORDER BY expires_at, scope, key LIMIT $2 FOR UPDATE SKIP LOCKED \
     ) DELETE FROM idempotency k USING gone WHERE k.scope = gone.scope AND k.key = gone.key";
const SIGNALS: &str = "DELETE FROM signal WHERE seq IN ( \
         SELECT seq FROM signal WHERE expires_at <= $1 ORDER BY expires_at, seq LIMIT $2)";
const LEDGER: &str = "DELETE FROM ledger WHERE seq IN ( \
         SELECT seq FROM ledger WHERE (at < $1 AND kind <> 'audit') OR (at < $3 AND kind = 'audit') \
         ORDER BY seq LIMIT $2)";
/// So that places are not given again where these rows were the newest.
const RAISE_FLOOR: &str = "UPDATE fact SET value = greatest(value, \
         pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1 \
         + (SELECT value FROM fact WHERE name = 'ledger_base')) WHERE name = 'place_floor'";
/// Whoever opens a run again holds its row: it is passed by.
const HOLD_RUNS: &str = "SELECT r.id FROM run r LEFT JOIN dead d ON d.run = r.id \
     WHERE r.ended_at < greatest($1::bigint, $3::bigint) \
     AND r.ended_at < CASE r.status WHEN 'faulted' THEN $3 ELSE $1 END \
     AND (d.run IS NULL OR d.state <> 'open') \
     ORDER BY r.ended_at, r.id LIMIT $2 FOR UPDATE OF r SKIP LOCKED";
/// Of the runs that are held now, the first ones, looked at once more: one may have been opened
/// again, and come to its end again, before it was held.
const RUNS: &str = "WITH held AS MATERIALIZED ( \
         SELECT r.id, r.tenant, r.environment, r.integration, r.status, r.ended_at, \
             (SELECT count(*) FROM journal j WHERE j.run = r.id) AS entries \
         FROM run r LEFT JOIN dead d ON d.run = r.id \
         WHERE r.id = ANY($1::uuid[]) \
         AND r.ended_at < CASE r.status WHEN 'faulted' THEN $4::bigint ELSE $2::bigint END \
         AND (d.run IS NULL OR d.state <> 'open') \
     ), placed AS ( \
         SELECT held.*, row_number() OVER oldest AS nth, sum(entries) OVER oldest AS so_far \
         FROM held WINDOW oldest AS (ORDER BY ended_at, id) \
     ), gone AS MATERIALIZED ( \
         SELECT * FROM placed WHERE nth = 1 OR so_far <= $3::bigint \
     ), journals AS (DELETE FROM journal j USING gone WHERE j.run = gone.id \
     ), events AS (DELETE FROM event e USING gone WHERE e.run = gone.id \
     ), letters AS (DELETE FROM dead d USING gone WHERE d.run = gone.id \
     ), keys AS (DELETE FROM run_key k USING gone WHERE k.run = gone.id \
     ), turns AS (DELETE FROM turn t USING gone WHERE t.run = gone.id \
     ), waits AS (DELETE FROM wait w USING gone WHERE w.run = gone.id \
     ), counted AS ( \
         INSERT INTO tally AS t (tenant, environment, integration, part, pruned_completed, \
             pruned_faulted, pruned_cancelled) \
         SELECT tenant, environment, integration, -1, \
             count(*) FILTER (WHERE status = 'completed'), \
             count(*) FILTER (WHERE status = 'faulted'), \
             count(*) FILTER (WHERE status = 'cancelled') \
         FROM gone GROUP BY tenant, environment, integration \
         ORDER BY tenant, environment, integration \
         ON CONFLICT (tenant, environment, integration, part) DO UPDATE SET \
             pruned_completed = t.pruned_completed + excluded.pruned_completed, \
             pruned_faulted = t.pruned_faulted + excluded.pruned_faulted, \
             pruned_cancelled = t.pruned_cancelled + excluded.pruned_cancelled \
     ) DELETE FROM run r USING gone WHERE r.id = gone.id";

/// Removes what is past its time, at most so many of each kind.
pub(super) async fn prune(
    store: &PostgresStore,
    retention: &Retention,
    limit: usize,
) -> Result<Pruned, StoreError> {
    let Retention { keys_now, signals_now, ledger_since, audit_since, .. } = *retention;
    Ok(Pruned {
        keys: rows(store, KEYS, &[keys_now], limit, false).await?,
        signals: rows(store, SIGNALS, &[signals_now], limit, true).await?,
        runs: runs(store, *retention, limit).await?,
        ledger: rows(store, LEDGER, &[ledger_since, audit_since], limit, true).await?,
    })
}

async fn rows(
    store: &PostgresStore,
    statement: &'static str,
    moments: &[Timestamp],
    limit: usize,
    have_places: bool,
) -> Result<usize, StoreError> {
    let moments: Vec<i64> = moments.iter().map(|moment| moment.as_millis()).collect();
    let mut gone = 0;
    while gone < limit {
        let step = (limit - gone).min(ROWS_STEP);
        let moments = moments.clone();
        let some = store
            .readers
            .change(TRIES_MAX, move |db| {
                let moments = moments.clone();
                Box::pin(async move {
                    let rows = number(step);
                    match &moments[..] {
                        [moment, other] => db.execute(statement, &[moment, &rows, other]).await,
                        _ => db.execute(statement, &[&moments.first(), &rows]).await,
                    }
                })
            })
            .await?;
        let some = usize::try_from(some).unwrap_or(usize::MAX);
        gone += some;
        if some < step {
            break;
        }
    }
    if gone > 0 && have_places {
        let raise = store
            .readers
            .change(TRIES_MAX, |db| Box::pin(async move { db.execute(RAISE_FLOOR, &[]).await }));
        raise.await?;
    }
    Ok(gone)
}

async fn runs(
    store: &PostgresStore,
    retention: Retention,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut gone = 0;
    while gone < limit {
        let most = (limit - gone).min(RUNS_STEP);
        let step =
            store.readers.change(TRIES_MAX, move |db| Box::pin(runs_step(db, retention, most)));
        let some = step.await?;
        // Every further step takes something away, so the loop ends.
        if some == 0 {
            break;
        }
        gone += some;
    }
    Ok(gone)
}

async fn runs_step(db: &mut Connection, retention: Retention, most: usize) -> Outcome<usize> {
    let (completed, failed) =
        (retention.completed_since.as_millis(), retention.failed_since.as_millis());
    db.run("BEGIN").await?;
    // When something fails the connection goes, and the transaction with it.
    let rows = db.query(HOLD_RUNS, &[&completed, &number(most), &failed]).await?;
    let held = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Outcome<Vec<Uuid>>>()?;
    let mut gone = 0;
    if !held.is_empty() {
        gone = db.execute(RUNS, &[&held, &completed, &ENTRIES_STEP, &failed]).await?;
    }
    db.run("COMMIT").await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}
