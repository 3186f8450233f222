use qc_model::Timestamp;

use super::{connection::Connection, stored::number, trouble::Outcome};

/// A key that was claimed anew meanwhile is looked at again when its row is locked, and stays.
const KEYS: &str = "WITH gone AS MATERIALIZED ( \
         SELECT scope, key FROM idempotency WHERE expires_at <= $1 \
         ORDER BY expires_at, scope, key LIMIT $2 FOR UPDATE SKIP LOCKED \
     ) DELETE FROM idempotency k USING gone WHERE k.scope = gone.scope AND k.key = gone.key";
/// Whoever opens a run again holds its row: it is passed by.
const RUNS: &str = "WITH gone AS MATERIALIZED ( \
         SELECT r.id FROM run r LEFT JOIN dead d ON d.run = r.id \
         WHERE r.ended_at < $1 AND (d.run IS NULL OR d.state <> 'open') \
         ORDER BY r.ended_at, r.id LIMIT $2 FOR UPDATE OF r SKIP LOCKED \
     ), journals AS (DELETE FROM journal j USING gone WHERE j.run = gone.id \
     ), events AS (DELETE FROM event e USING gone WHERE e.run = gone.id \
     ), letters AS (DELETE FROM dead d USING gone WHERE d.run = gone.id \
     ) DELETE FROM run r USING gone WHERE r.id = gone.id";
const LEDGER: &str = "DELETE FROM ledger WHERE seq IN ( \
         SELECT seq FROM ledger WHERE at < $1 ORDER BY seq LIMIT $2)";

/// Removes what is past its time; returns how many keys, runs and ledger rows went. Each kind in a
/// transaction of its own, so that none is held for long.
pub(super) async fn prune(
    db: &mut Connection,
    now: Timestamp,
    keep_since: Timestamp,
    limit: usize,
) -> Outcome<usize> {
    let (now, since, limit) = (now.as_millis(), keep_since.as_millis(), number(limit));
    let keys = db.execute(KEYS, &[&now, &limit]).await?;
    let runs = db.execute(RUNS, &[&since, &limit]).await?;
    let rows = db.execute(LEDGER, &[&since, &limit]).await?;
    Ok(usize::try_from(keys + runs + rows).unwrap_or(usize::MAX))
}
