use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use rusqlite::{Connection, OpenFlags};

use super::{OpenError, SqliteOptions, pragmas, schema, wal_check};

/// A database that is ready, and the lock that keeps other processes out.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) lock: File,
}

/// Opens or creates the database: takes the lock, looks at the file before SQLite touches it,
/// sets and reads back the settings, brings the schema up to date, checks for damage.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Opened, OpenError> {
    check_directory(path)?;
    let lock = take_lock(path)?;
    check_header(path)?;
    check_wal(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error: rusqlite::Error| OpenError::of_sql(&error);
    let mut db = Connection::open_with_flags(path, flags).map_err(sql)?;
    db.set_prepared_statement_cache_capacity(128);
    schema::check_owner(&db, path)?;
    if db.is_readonly("main").map_err(sql)? {
        let error = "SQLite finds a format of file that it can only read".to_owned();
        return Err(OpenError::ReadOnly { path: path.to_owned(), error });
    }
    schema::prepare_new(&db).map_err(sql)?;
    pragmas::set_writer(&db, options.writer_cache_bytes)?;
    schema::migrate(&mut db).map_err(sql)?;
    quick_check(&mut db, options)?;
    Ok(Opened { db, lock })
}

/// Another connection to an open database, which only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| OpenError::of_sql(&e))?;
    db.set_prepared_statement_cache_capacity(64);
    pragmas::set_every(&db)?;
    Ok(db)
}

/// Another connection to an open database, which checkpoints.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| OpenError::of_sql(&e))?;
    pragmas::set_writer(&db, 1 << 20)?;
    Ok(db)
}

/// The path of a file that belongs to the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn check_directory(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::metadata(directory) {
        Ok(there) if there.is_dir() => {}
        Ok(_) => return Err(OpenError::DirectoryMissing(directory.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::DirectoryMissing(directory.to_owned()));
        }
        Err(error) => return Err(OpenError::of_io(directory.to_owned(), &error)),
    }
    if path.is_dir() {
        return Err(OpenError::NotADatabase(path.to_owned()));
    }
    Ok(())
}

/// One process at a time: two writers with two ideas of the leases would be two truths.
pub(super) fn take_lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = beside(path, ".lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| OpenError::of_io(lock_path.clone(), &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::of_io(lock_path, &error)),
    }
}

/// Looks at a database that nobody has open, before SQLite touches it. One that is in use was looked at when it was opened.
pub(super) fn check_at_rest(path: &Path) -> Result<(), OpenError> {
    match take_lock(path) {
        Ok(_lock) => check_header(path).and_then(|()| check_wal(path)),
        Err(OpenError::Locked(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::of_io(path.to_owned(), &error)),
    };
    let length = file.metadata().map_err(|e| OpenError::of_io(path.to_owned(), &e))?.len();
    if length == 0 {
        return Ok(());
    }
    let mut header = [0; 16];
    match file.read_exact(&mut header) {
        Ok(()) if header == *b"SQLite format 3\0" => {}
        Ok(()) => return Err(OpenError::NotADatabase(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(OpenError::NotADatabase(path.to_owned()));
        }
        Err(error) => return Err(OpenError::of_io(path.to_owned(), &error)),
    }
    if length < 512 {
        return Err(OpenError::Damaged(format!("the file has only {length} bytes")));
    }
    Ok(())
}

fn check_wal(path: &Path) -> Result<(), OpenError> {
    let wal = beside(path, "-wal");
    match wal_check::check(&wal) {
        Ok(wal_check::Wal::Sound) => Ok(()),
        Ok(wal_check::Wal::Damaged { frame, commits_behind }) => Err(OpenError::Damaged(format!(
            "frame {frame} of the write-ahead log `{}` is not as it was written, and \
             {commits_behind} commits behind it would be lost",
            wal.display()
        ))),
        Err(error) => Err(OpenError::of_io(wal, &error)),
    }
}

/// SQLite's own check of the structure, for as long as it may take. A big database is not checked
/// to its end; its pages are checked when they are read.
fn quick_check(db: &mut Connection, options: &SqliteOptions) -> Result<(), OpenError> {
    let sql = |error: rusqlite::Error| OpenError::of_sql(&error);
    let end = Instant::now() + options.check_time;
    db.progress_handler(10_000, Some(move || Instant::now() >= end)).map_err(sql)?;
    let answer: Result<String, _> = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    db.progress_handler(0, None::<fn() -> bool>).map_err(sql)?;
    match answer {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(problem) => Err(OpenError::Damaged(problem)),
        Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
        {
            tracing::debug!("the check of the database was cut off at its time limit");
            Ok(())
        }
        Err(error) => Err(OpenError::of_sql(&error)),
    }
}
