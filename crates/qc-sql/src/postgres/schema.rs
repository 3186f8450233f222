//! The schema `quickconnect` and its versions. Several nodes may start at once: one brings it up to
//! date, the others wait for its lock.

use tokio_postgres::{Client, GenericClient};

use super::{OpenError, open_error::is_unique_violation};

/// Every migration, the first from nothing to version 1.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
];

/// The advisory lock of migrations and of changes of leases ("QCst").
pub(super) const LOCK: i64 = 0x5143_7374;

/// How long the migrations may take, their wait for another node's included.
const TIME: &str = "SET LOCAL statement_timeout = '15min'; SET LOCAL lock_timeout = '15min'";

const FIND: &str = "SELECT to_regclass('quickconnect.fact') IS NOT NULL, EXISTS (SELECT FROM \
     pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'quickconnect'), EXISTS (SELECT FROM pg_catalog.pg_namespace \
     WHERE nspname = 'quickconnect')";
const VERSION: &str = "SELECT value FROM quickconnect.fact WHERE name = 'schema_version'";
const SET_VERSION: &str = "UPDATE quickconnect.fact SET value = $1 WHERE name = 'schema_version'";

/// After a restore into another cluster its transactions may have smaller numbers than those in
/// which the stored rows' places were given: new places must still be above the old ones, those that
/// were pruned included. On the cluster that wrote them this never changes anything.
const RAISE_PLACES: &str = "UPDATE quickconnect.fact SET value = newest.xid + 1 - next.xid \
     FROM (SELECT greatest((SELECT max(seq) >> 16 FROM quickconnect.ledger), \
     (SELECT max(seq) >> 16 FROM quickconnect.signal), \
     (SELECT value FROM quickconnect.fact WHERE name = 'place_floor')) AS xid) newest, \
     (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid) next \
     WHERE name = 'ledger_base' AND newest.xid >= next.xid + value";

/// Brings the schema to the newest version.
pub(super) async fn migrate(client: &mut Client) -> Result<(), OpenError> {
    let of = |error: tokio_postgres::Error| OpenError::of(&error);
    let step = client.transaction().await.map_err(of)?;
    step.batch_execute(TIME).await.map_err(of)?;
    step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(of)?;
    let from = version(&step).await?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    if done > known {
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        return Err(OpenError::NewerSchema { found: from, known });
    }
    for (migration, version) in MIGRATIONS.iter().zip(1i64..).skip(done) {
        if version == 1 && !exists(&step).await? {
            step.batch_execute("CREATE SCHEMA quickconnect").await.map_err(of)?;
        }
        step.batch_execute("SET LOCAL search_path = quickconnect").await.map_err(of)?;
        step.batch_execute(migration).await.map_err(|error| {
            if is_unique_violation(&error) { OpenError::Foreign } else { OpenError::of(&error) }
        })?;
        step.execute(SET_VERSION, &[&version]).await.map_err(of)?;
    }
    step.execute(RAISE_PLACES, &[]).await.map_err(of)?;
    step.commit().await.map_err(of)
}

/// The version of the schema; 0 when there is none.
async fn version(client: &impl GenericClient) -> Result<i64, OpenError> {
    let of = |error: tokio_postgres::Error| OpenError::of(&error);
    let row = client.query_one(FIND, &[]).await.map_err(of)?;
    let (ours, anything): (bool, bool) = (row.get(0), row.get(1));
    if !ours {
        return if anything { Err(OpenError::Foreign) } else { Ok(0) };
    }
    let row = client.query_opt(VERSION, &[]).await.map_err(|error| match error.code() {
        // A table of that name with other columns.
        Some(code) if code.code().starts_with("42") && code.code() != "42501" => OpenError::Foreign,
        _ => OpenError::of(&error),
    })?;
    row.map(|row| row.try_get(0)).transpose().map_err(of)?.ok_or(OpenError::Foreign)
}

/// Refuses a schema that is not the one that this version writes.
pub(super) async fn check(client: &Client) -> Result<(), OpenError> {
    let found = version(client).await?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match found {
        _ if found > known => Err(OpenError::NewerSchema { found, known }),
        _ if found < known => {
            Err(OpenError::CannotOpen(format!("its schema has version {found}, not {known}")))
        }
        _ => Ok(()),
    }
}

/// The newest version of the schema.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The version of the schema, without changing anything: 0 when there is none.
pub(super) async fn look(client: &Client) -> Result<i64, OpenError> {
    let found = version(client).await?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known { Err(OpenError::NewerSchema { found, known }) } else { Ok(found) }
}

async fn exists(client: &impl GenericClient) -> Result<bool, OpenError> {
    let row = client.query_one(FIND, &[]).await.map_err(|error| OpenError::of(&error))?;
    Ok(row.get(2))
}
