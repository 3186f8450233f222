//! A copy of the database as of one moment, made while it is in use.
//!
//! The copy is read under one snapshot on a connection of its own, so commits go on meanwhile and
//! are not in it; all that they notice is a write-ahead log that cannot begin anew until the copy
//! is done. What is in the folder is a backup when, and only when, its manifest is there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use qc_model::Timestamp;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tokio::task::spawn_blocking;

use super::{
    BackupCounts, BackupError, BackupFacts, SqliteStore,
    manifest::{DATABASE, seal},
    open::open_reader,
};

/// So many pages are copied in one step (1 MiB).
const STEP_PAGES: i32 = 256;

impl SqliteStore {
    /// Copies the database as of now into `folder`, which is made (its parent must be there) or is
    /// empty. Durable when this returns. A backup whose future is dropped stops soon.
    pub async fn backup(&self, folder: &Path, at: Timestamp) -> Result<BackupFacts, BackupError> {
        let permit =
            Arc::clone(&self.backup).try_acquire_owned().map_err(|_| BackupError::UnderWay)?;
        let (path, folder) = (self.path.clone(), folder.to_owned());
        let wanted = Wanted(Arc::new(AtomicBool::new(true)));
        let still_wanted = Arc::clone(&wanted.0);
        let made = spawn_blocking(move || {
            let _permit = permit;
            let place = Place::make(folder)?;
            let facts = copy(&path, &place, at, &still_wanted)?;
            place.keep()?;
            Ok(facts)
        });
        let made = made.await;
        drop(wanted);
        made.unwrap_or_else(|error| Err(BackupError::Failed(error.to_string())))
    }
}

/// Says that somebody waits for the backup while it lives.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn copy(
    path: &Path,
    place: &Place,
    at: Timestamp,
    wanted: &Arc<AtomicBool>,
) -> Result<BackupFacts, BackupError> {
    let sql = |error: rusqlite::Error| BackupError::of_sql(&error);
    let mut from = open_reader(path)?;
    let to_path = place.folder.join(DATABASE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(&to_path, flags).map_err(sql)?;
    // Counting and checking take as long as the database is big.
    for db in [&mut from, &mut to] {
        let wanted = Arc::clone(wanted);
        let given_up = move || !wanted.load(Ordering::Relaxed);
        db.progress_handler(20_000, Some(given_up)).map_err(sql)?;
    }
    // Until it is whole it is worth nothing, and is then synced at once.
    to.pragma_update(None, "synchronous", 0).map_err(sql)?;
    // One snapshot for all steps: otherwise every commit would begin the copy anew.
    let snapshot = from.unchecked_transaction().map_err(sql)?;
    let counts = BackupCounts::of(&snapshot).map_err(sql)?;
    copy_pages(&snapshot, &mut to, wanted)?;
    snapshot.commit().map_err(sql)?;
    // A file for itself, without a write-ahead log beside it.
    to.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(sql)?;
    check(&to, counts)?;
    to.close().map_err(|(_, error)| sql(error))?;

    let io = |error: io::Error| BackupError::of_io(&to_path, &error);
    let file = File::open(&to_path).map_err(io)?;
    file.sync_all().map_err(io)?;
    let facts = BackupFacts::new(at, seal(file, |_| Ok(())).map_err(io)?, counts);
    facts.write(&place.folder).map_err(io)?;
    Ok(facts)
}

fn copy_pages(
    from: &Connection,
    to: &mut Connection,
    wanted: &AtomicBool,
) -> Result<(), BackupError> {
    let sql = |error: rusqlite::Error| BackupError::of_sql(&error);
    let backup = Backup::new(from, to).map_err(sql)?;
    // Every step copies further pages of a snapshot that does not grow, so the loop ends.
    loop {
        match backup.step(STEP_PAGES).map_err(sql)? {
            StepResult::Done => return Ok(()),
            StepResult::More if wanted.load(Ordering::Relaxed) => {}
            StepResult::More => {
                return Err(BackupError::Failed("nobody waits for it any more".to_owned()));
            }
            _ => return Err(BackupError::Failed("somebody else uses the copy".to_owned())),
        }
    }
}

/// A copy that cannot be read is found now, not when it is needed.
fn check(copy: &Connection, expected: BackupCounts) -> Result<(), BackupError> {
    let sql = |error: rusqlite::Error| BackupError::of_sql(&error);
    let answer: String =
        copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
    if answer != "ok" {
        return Err(super::OpenError::Damaged(answer).into());
    }
    let found = BackupCounts::of(copy).map_err(sql)?;
    if found != expected {
        return Err(BackupError::Failed(format!("the copy holds {found:?}, not {expected:?}")));
    }
    Ok(())
}

/// The folder under way; emptied again when the backup fails.
struct Place {
    folder: PathBuf,
    made: bool,
    kept: bool,
}

impl Place {
    fn make(folder: PathBuf) -> Result<Self, BackupError> {
        let made = match fs::create_dir(&folder) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut there =
                    fs::read_dir(&folder).map_err(|_| BackupError::Taken(folder.clone()))?;
                if there.next().is_some() {
                    return Err(BackupError::Taken(folder));
                }
                false
            }
            Err(error) => return Err(BackupError::of_io(&folder, &error)),
        };
        Ok(Self { folder, made, kept: false })
    }

    /// Makes the folder itself durable, and lets it be.
    fn keep(mut self) -> Result<(), BackupError> {
        if let Some(parent) = self.folder.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(parent)
                .and_then(|parent| parent.sync_all())
                .map_err(|error| BackupError::of_io(parent, &error))?;
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // It was empty when it was taken, so what is in it is ours. The manifest goes first.
        for name in ["manifest.json", "manifest.json.part"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(self.folder.join(format!("{DATABASE}{suffix}")));
        }
        if self.made {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}
