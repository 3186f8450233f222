use rusqlite::Connection;

use super::{OpenError, pragmas::PAGE_BYTES};

/// Marks our databases in the file's header ("QCst").
const APPLICATION: i64 = 0x5143_7374;

/// Every migration, the first from nothing to version 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
];

/// The newest version of the schema.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Whose database it is, before anything is changed.
pub(super) fn check_owner(db: &Connection, path: &std::path::Path) -> Result<(), OpenError> {
    let sql = |error: rusqlite::Error| OpenError::of_sql(&error);
    let application = number(db, "application_id").map_err(sql)?;
    let found = number(db, "user_version").map_err(sql)?;
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql)?;
    if application != APPLICATION && (application != 0 || found != 0 || tables != 0) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = known();
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    if found < 0 {
        return Err(OpenError::Damaged(format!("its schema version is {found}")));
    }
    Ok(())
}

/// Sets what must be set before the first page is written.
pub(super) fn prepare_new(db: &Connection) -> rusqlite::Result<()> {
    if number(db, "page_count")? == 0 {
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    Ok(())
}

/// Brings the schema to the newest version, each step in a transaction of its own.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let from = usize::try_from(number(db, "user_version")?).unwrap_or(0);
    for (migration, version) in MIGRATIONS.iter().zip(1i64..).skip(from) {
        let step = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

/// The version of a database's schema.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    number(db, "user_version")
}

fn number(db: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, pragma, |row| row.get(0))
}
