//! The settings on which durability rests. Each is read back: SQLite ignores what it does not
//! understand, and a store that is not as durable as it says must not start.

use std::time::Duration;

use rusqlite::{Connection, types::Value};

use super::OpenError;

/// How long a connection waits for another one's lock.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Bytes in a page of a new database.
pub(super) const PAGE_BYTES: i64 = 4096;

/// Settings of every connection.
const EVERY: [(&str, i64); 6] = [
    ("busy_timeout", 5000),
    ("temp_store", 2),
    // Structure is kept by the writer alone; there are no foreign keys to enforce.
    ("foreign_keys", 0),
    ("trusted_schema", 0),
    // A damaged page is found when it is read, not when it is used.
    ("cell_size_check", 1),
    // An error of the disk under a memory map kills the process instead of answering an error.
    ("mmap_size", 0),
];

/// Settings of a connection that writes.
const WRITER: [(&str, i64); 4] = [
    // FULL: every commit is fsynced before it is answered.
    ("synchronous", 2),
    // Where fsync does not reach the disk (macOS), the call that does.
    ("fullfsync", 1),
    ("checkpoint_fullfsync", 1),
    // Checkpoints have a thread of their own.
    ("wal_autocheckpoint", 0),
];

/// Sets and reads back what every connection needs.
pub(super) fn set_every(db: &Connection) -> Result<(), OpenError> {
    EVERY.iter().try_for_each(|(name, value)| set(db, name, *value))
}

/// Sets and reads back what a writing connection needs, the journal mode included.
pub(super) fn set_writer(db: &Connection, cache_bytes: u64) -> Result<(), OpenError> {
    set_every(db)?;
    let mode: String = db
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| OpenError::of_sql(&error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::Setting {
            name: "journal_mode",
            wanted: "wal".to_owned(),
            found: mode,
        });
    }
    WRITER.iter().try_for_each(|(name, value)| set(db, name, *value))?;
    let kibibytes = i64::try_from(cache_bytes / 1024).unwrap_or(64 * 1024);
    set(db, "cache_size", -kibibytes)
}

fn set(db: &Connection, name: &'static str, value: i64) -> Result<(), OpenError> {
    let sql = |error: rusqlite::Error| OpenError::of_sql(&error);
    // Some settings answer a row when they are set, some do not.
    db.pragma_update(None, name, value).or_else(|error| match error {
        rusqlite::Error::ExecuteReturnedResults => Ok(()),
        other => Err(sql(other)),
    })?;
    let found = db.pragma_query_value(None, name, |row| row.get::<_, Value>(0));
    match found {
        Ok(Value::Integer(found)) if found == value => Ok(()),
        Ok(found) => {
            Err(OpenError::Setting { name, wanted: value.to_string(), found: format!("{found:?}") })
        }
        // A build of SQLite without memory maps has no such setting, which is what is wanted.
        Err(rusqlite::Error::QueryReturnedNoRows) if name == "mmap_size" => Ok(()),
        Err(error) => Err(sql(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_stick_is_refused() {
        let db = Connection::open_in_memory().unwrap();
        assert!(set(&db, "synchronous", 2).is_ok());
        // SQLite takes any unknown value as another one, without a word.
        let refused = set(&db, "synchronous", 77);
        assert!(matches!(refused, Err(OpenError::Setting { name: "synchronous", .. })));
        // A database in memory has no write-ahead log.
        let refused = set_writer(&db, 1 << 20);
        assert!(matches!(refused, Err(OpenError::Setting { name: "journal_mode", .. })));
    }
}
