//! Who may take runs further. Time is the database's; the fence is the epoch.

use std::{ops::Range, time::Duration};

use qc_store::{BUCKETS, Lease, LeaseSeen, StoreError};

use super::{
    connection::Connection,
    load::bucket,
    schema::LOCK,
    stored::{Fields, count, text, text_of},
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
/// All that is asked for at once; answers the places of those that are held whole.
const RENEW: &str = "WITH wanted AS (SELECT * FROM unnest($1::integer[], $2::integer[], $3::text[], \
     $4::bigint[]) WITH ORDINALITY AS wanted (first, beyond, node, epoch, place)), \
     held AS (SELECT w.* FROM wanted w JOIN lease l ON l.epoch = w.epoch AND l.node = w.node \
     AND l.first < w.beyond AND l.beyond > w.first \
     GROUP BY w.first, w.beyond, w.node, w.epoch, w.place \
     HAVING sum(least(l.beyond, w.beyond) - greatest(l.first, w.first)) = w.beyond - w.first), \
     renewed AS (UPDATE lease l \
     SET until = clock_timestamp() + $5::bigint * interval '1 millisecond' FROM held h \
     WHERE l.epoch = h.epoch AND l.node = h.node AND l.first < h.beyond AND l.beyond > h.first \
     RETURNING l.epoch, l.node) \
     SELECT h.place FROM held h WHERE EXISTS \
     (SELECT FROM renewed r WHERE r.epoch = h.epoch AND r.node = h.node)";
/// A new owner may have cut a lease into parts.
const RELEASE: &str = "DELETE FROM lease l USING unnest($1::integer[], $2::integer[], $3::text[], \
     $4::bigint[]) AS gone (first, beyond, node, epoch) WHERE l.epoch = gone.epoch \
     AND l.node = gone.node AND l.first >= gone.first AND l.beyond <= gone.beyond";
const SEEN: &str = "SELECT first, beyond, node, epoch, \
     greatest(0, ceil(extract(epoch FROM until - clock_timestamp()) * 1000))::bigint \
     FROM lease ORDER BY first";
const ANNOUNCE: &str = "WITH gone AS \
     (DELETE FROM node WHERE until <= clock_timestamp() AND name <> $1) \
     INSERT INTO node (name, until) \
     VALUES ($1, clock_timestamp() + $2::bigint * interval '1 millisecond') \
     ON CONFLICT (name) DO UPDATE SET until = excluded.until";
const NODES: &str = "SELECT name FROM node WHERE until > clock_timestamp() ORDER BY name";

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

/// Leases as columns.
#[derive(Default)]
struct Columns<'a> {
    first: Vec<i32>,
    beyond: Vec<i32>,
    node: Vec<std::borrow::Cow<'a, str>>,
    epoch: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(leases: &'a [Lease]) -> Self {
        let mut columns = Self::default();
        for lease in leases {
            columns.first.push(i32::from(lease.buckets.start));
            columns.beyond.push(i32::from(lease.buckets.end));
            columns.node.push(text(&lease.node));
            columns.epoch.push(count(lease.epoch));
        }
        columns
    }
}

/// Prolongs leases; false for each of which a bucket has moved on.
pub(super) async fn renew(
    db: &mut Connection,
    leases: &[Lease],
    ttl: Duration,
) -> Outcome<Vec<bool>> {
    let mut held = vec![false; leases.len()];
    if leases.is_empty() {
        return Ok(held);
    }
    let columns = Columns::of(leases);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&columns.first, &columns.beyond, &columns.node, &columns.epoch, &millis(ttl)];
    for row in db.query(RENEW, &values).await? {
        let place: i64 = row.try_get(0)?;
        let slot = usize::try_from(place - 1).ok().and_then(|place| held.get_mut(place));
        *slot.ok_or_else(|| Trouble::Damaged(format!("a lease in place {place}")))? = true;
    }
    Ok(held)
}

/// Gives up what is still held of some leases, once the commits that hold it have ended.
pub(super) async fn release(db: &mut Connection, leases: &[Lease]) -> Outcome<()> {
    if leases.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(leases);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&columns.first, &columns.beyond, &columns.node, &columns.epoch];
    db.execute(RELEASE, &values).await?;
    Ok(())
}

/// Every lease, and how long it runs.
pub(super) async fn seen(db: &mut Connection) -> Outcome<Vec<LeaseSeen>> {
    let rows = db.query(SEEN, &[]).await?;
    rows.iter()
        .map(|row| {
            let (first, beyond): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
            let row = Fields(row);
            let (node, epoch) = (row.text(2)?, row.count(3)?);
            let lease = Lease { buckets: bucket(first)?..bucket(beyond)?, node, epoch };
            Ok(LeaseSeen { lease, left: Duration::from_millis(row.count(4)?) })
        })
        .collect()
}

/// Says that a node lives, and forgets those whose time is over.
pub(super) async fn announce(db: &mut Connection, node: &str, ttl: Duration) -> Outcome<()> {
    db.execute(ANNOUNCE, &[&text(node), &millis(ttl)]).await?;
    Ok(())
}

/// The nodes that live.
pub(super) async fn nodes(db: &mut Connection) -> Outcome<Vec<String>> {
    db.query(NODES, &[]).await?.iter().map(|row| Fields(row).text(0)).collect()
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
