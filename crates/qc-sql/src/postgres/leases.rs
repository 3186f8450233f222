//! Who may take runs further. Time is the database's; the fence is the epoch.

use std::{ops::Range, time::Duration};

use qc_store::{BUCKETS, Lease, StoreError};

use super::{
    connection::Connection,
    schema::LOCK,
    stored::{count, text, text_of},
    trouble::{Outcome, Trouble},
};

/// Ranges that overlap, as they stand; `free` when the node may take them.
const LOOK: &str = "SELECT first, beyond, node, epoch, \
     node = $3 OR until <= clock_timestamp() AS free \
     FROM lease WHERE first < $2 AND beyond > $1 ORDER BY first";
/// The same, waiting for the commits that hold them, and keeping later ones out.
const LOOK_AND_LOCK: &str = "SELECT first, beyond, node, epoch, \
     node = $3 OR until <= clock_timestamp() AS free \
     FROM lease WHERE first < $2 AND beyond > $1 ORDER BY first FOR UPDATE";
const NEXT_EPOCH: &str =
    "UPDATE fact SET value = value + 1 WHERE name = 'lease_epoch' RETURNING value";
const REMOVE: &str = "DELETE FROM lease WHERE first = $1";
/// In place where it can be: a commit that waits for the row goes on with what is left of it.
const SHORTEN: &str = "UPDATE lease SET beyond = $2 WHERE first = $1";
/// What is left of an older lease behind the new one.
const PUT_REST: &str = "INSERT INTO lease (first, beyond, node, epoch, until) \
     SELECT $2, beyond, node, epoch, until FROM lease WHERE first = $1";
const PUT: &str = "INSERT INTO lease (first, beyond, node, epoch, until) \
     VALUES ($1, $2, $3, $4, clock_timestamp() + $5::bigint * interval '1 millisecond')";
const RENEW: &str = "WITH held AS (SELECT sum(least(beyond, $2) - greatest(first, $1)) AS buckets \
     FROM lease WHERE node = $3 AND epoch = $4 AND first < $2 AND beyond > $1) \
     UPDATE lease SET until = clock_timestamp() + $5::bigint * interval '1 millisecond' \
     FROM held WHERE node = $3 AND epoch = $4 AND first < $2 AND beyond > $1 \
     AND held.buckets = $2 - $1";

/// Takes a range of buckets, when every one of them is free, run out, or the node's own.
pub(super) async fn lease(
    db: &mut Connection,
    buckets: &Range<u16>,
    node: &str,
    ttl: Duration,
) -> Outcome<Option<Lease>> {
    check(buckets)?;
    db.run("BEGIN").await?;
    let taken = take(db, buckets, node, ttl).await;
    match &taken {
        Ok(Some(_)) => db.run("COMMIT").await?,
        Ok(None) => db.run("ROLLBACK").await?,
        // The connection goes, and the transaction with it.
        Err(_) => {}
    }
    taken
}

async fn take(
    db: &mut Connection,
    buckets: &Range<u16>,
    node: &str,
    ttl: Duration,
) -> Outcome<Option<Lease>> {
    let (first, beyond) = (i32::from(buckets.start), i32::from(buckets.end));
    let stored = text(node);
    // Without locks first: who only asks must not hold up the owner's commits.
    let rows = db.query(LOOK, &[&first, &beyond, &stored]).await?;
    if rows.iter().any(|row| !row.get::<_, bool>(4)) {
        return Ok(None);
    }
    db.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let rows = db.query(LOOK_AND_LOCK, &[&first, &beyond, &stored]).await?;
    // It may have been renewed or taken in between.
    if rows.iter().any(|row| !row.get::<_, bool>(4)) {
        return Ok(None);
    }
    let epoch: i64 = match db.query(NEXT_EPOCH, &[]).await?.first() {
        Some(row) => row.try_get(0)?,
        None => return Err(Trouble::Damaged("the epoch of leases is not stored".to_owned())),
    };
    for row in rows {
        let (from, to): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        if to > beyond {
            db.execute(PUT_REST, &[&from, &beyond]).await?;
        }
        if from < first {
            db.execute(SHORTEN, &[&from, &first]).await?;
        } else {
            db.execute(REMOVE, &[&from]).await?;
        }
    }
    db.execute(PUT, &[&first, &beyond, &stored, &epoch, &millis(ttl)]).await?;
    let epoch = u64::try_from(epoch)
        .map_err(|_| Trouble::Damaged(format!("the epoch {epoch} is stored")))?;
    Ok(Some(Lease { buckets: buckets.clone(), node: text_of(stored.into_owned()), epoch }))
}

/// Prolongs a lease; false when a bucket of it has moved on.
pub(super) async fn renew(db: &mut Connection, lease: &Lease, ttl: Duration) -> Outcome<bool> {
    if lease.buckets.is_empty() {
        return Ok(false);
    }
    let (first, beyond) = (i32::from(lease.buckets.start), i32::from(lease.buckets.end));
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&first, &beyond, &text(&lease.node), &count(lease.epoch), &millis(ttl)];
    Ok(db.execute(RENEW, &values).await? > 0)
}

fn check(buckets: &Range<u16>) -> Result<(), StoreError> {
    if buckets.is_empty() {
        return Err(StoreError::Refused("a lease needs at least one bucket".to_owned()));
    }
    if buckets.end > BUCKETS {
        return Err(StoreError::Refused(format!(
            "buckets {buckets:?} are not all below {BUCKETS}"
        )));
    }
    Ok(())
}

/// As the database counts time; a longer one means for ever.
fn millis(ttl: Duration) -> i64 {
    /// A thousand years.
    const MOST: i64 = 1_000 * 366 * 86_400_000;
    i64::try_from(ttl.as_millis()).unwrap_or(MOST).min(MOST)
}
