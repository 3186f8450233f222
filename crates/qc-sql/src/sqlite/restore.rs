use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::{
    BackupError, BackupFacts,
    manifest::{DATABASE, seal},
    open::{beside, check_directory, take_lock},
};

/// Reads a whole backup and says what it is; an error when it is not as it was written.
pub fn verify(from: &Path) -> Result<BackupFacts, BackupError> {
    let facts = BackupFacts::read(from)?;
    let database = from.join(DATABASE);
    let io = |error: io::Error| BackupError::of_io(&database, &error);
    let found = seal(File::open(&database).map_err(io)?, |_| Ok(())).map_err(io)?;
    facts.check(from, &found)?;
    Ok(facts)
}

/// Puts the database of a backup at `to`, where nothing may be: neither a database nor what belongs
/// to one. Durable when this returns; until then there is no database at `to`. Opening it brings
/// an older schema up to date.
pub fn restore(from: &Path, to: &Path) -> Result<BackupFacts, BackupError> {
    let facts = BackupFacts::read(from)?;
    check_directory(to)?;
    let _lock = take_lock(to)?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = beside(to, suffix);
        // A link that leads nowhere is something, too.
        if fs::symlink_metadata(&path).is_ok() {
            return Err(BackupError::Taken(path));
        }
    }
    let part = beside(to, ".restoring");
    let restored = copy(from, &part, &facts).and_then(|()| {
        let io = |error: io::Error| BackupError::of_io(to, &error);
        fs::rename(&part, to).map_err(io)?;
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new("."))).and_then(|d| d.sync_all()).map_err(io)
    });
    if restored.is_err() {
        let _ = fs::remove_file(&part);
    }
    restored.map(|()| facts)
}

fn copy(from: &Path, part: &Path, facts: &BackupFacts) -> Result<(), BackupError> {
    let database = from.join(DATABASE);
    let source = File::open(&database).map_err(|error| BackupError::of_io(&database, &error))?;
    let io = |error: io::Error| BackupError::of_io(part, &error);
    // What an interrupted restore has left; nobody else works here, by the lock.
    let mut copy = File::create(part).map_err(io)?;
    let found = seal(source, |bytes| copy.write_all(bytes)).map_err(io)?;
    facts.check(from, &found)?;
    copy.sync_all().map_err(io)
}
