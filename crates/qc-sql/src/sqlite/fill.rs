//! A backup becomes a database. It is made beside its place and takes it when it is whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use qc_model::{BlobHash, RunId, Timestamp};
use qc_store::{DeadState, LedgerKind, LiveCause, RunStatus, blobs::FolderFill};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params, types::Value};

use super::{
    OpenError,
    apply::Span,
    open::{beside, check_directory, take_lock},
    schema,
    stored::{cause_number, dead_number, id_of, kind_number, status_number},
    trouble::Outcome,
    words::WordNumbers,
};
use crate::archive::{
    self, ArchiveError, Cell, Item, Manifest, Reader,
    parts::{BLOBS, Column, EPOCH, FACTS, Kind, LEDGER_FLOOR, List, MARKERS, Part, SIGNAL_FLOOR},
};

/// What belongs to a database's file.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Puts a backup at `database` and its large bodies into the folder `blobs`. Neither may be there, unless `replace` is a
/// moment: what is there is then set aside under a name with that moment. No server may use it. Durable when this
/// returns; until then what was there is as it was.
pub fn restore(
    from: &Path,
    database: &Path,
    blobs: &Path,
    replace: Option<Timestamp>,
) -> Result<Manifest, ArchiveError> {
    archive::check(from)?;
    check_directory(database)?;
    let _lock = take_lock(database)?;
    let there: Vec<PathBuf> = SUFFIXES
        .iter()
        .map(|suffix| beside(database, suffix))
        .chain([blobs.to_owned()])
        // A link that leads nowhere is something, too.
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .collect();
    if let (Some(path), None) = (there.first(), replace) {
        return Err(ArchiveError::NotEmpty(format!("`{}`", path.display())));
    }
    let making =
        Making { database: beside(database, ".restoring"), blobs: beside(blobs, ".restoring") };
    // What an interrupted restore has left; nobody else works here, by the lock.
    making.clear();
    let manifest = making.fill(from)?;
    if let Some(at) = replace {
        let digits: String = at.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        for path in &there {
            rename(path, &beside(path, &format!(".replaced-{digits}")))?;
        }
    }
    // The database last: with it the restore has happened.
    rename(&making.blobs, blobs)?;
    rename(&making.database, database)?;
    for path in [blobs, database] {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| ArchiveError::of_io(folder, &error))?;
    }
    Ok(manifest)
}

fn rename(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    fs::rename(from, to).map_err(|error| ArchiveError::of_io(from, &error))
}

/// The database and folder in the making; gone with this, unless they were renamed.
struct Making {
    database: PathBuf,
    blobs: PathBuf,
}

impl Drop for Making {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Making {
    fn clear(&self) {
        for suffix in SUFFIXES {
            let _ = fs::remove_file(beside(&self.database, suffix));
        }
        let _ = fs::remove_dir_all(&self.blobs);
    }

    fn fill(&self, from: &Path) -> Result<Manifest, ArchiveError> {
        let sql = |error: rusqlite::Error| ArchiveError::from(OpenError::of_sql(&error));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&self.database, flags).map_err(sql)?;
        schema::prepare_new(&db).map_err(sql)?;
        // Until it is whole it is worth nothing, and is then synced at once.
        db.pragma_update(None, "synchronous", 0).map_err(sql)?;
        schema::migrate(&mut db).map_err(sql)?;
        let io = |error: io::Error| ArchiveError::of_io(&self.blobs, &error);
        let bodies = FolderFill::create(&self.blobs).map_err(io)?;
        let step = db.transaction().map_err(sql)?;
        let mut fill = Fill {
            db: &step,
            words: WordNumbers::default(),
            facts: Vec::new(),
            span: None,
            bodies: &bodies,
            body: None,
        };
        let mut reader = Reader::open(from)?;
        while let Some(item) = reader.next()? {
            fill.take(item).map_err(|error| Fill::explain(error, from, &self.blobs))?;
        }
        let manifest = reader.manifest()?;
        fill.end().map_err(|error| Fill::explain(error, from, &self.blobs))?;
        drop(fill);
        step.commit().map_err(sql)?;
        let answer: String =
            db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
        if answer != "ok" {
            return Err(OpenError::Damaged(answer).into());
        }
        db.close().map_err(|(_, error)| sql(error))?;
        let synced = File::open(&self.database).and_then(|file| file.sync_all());
        synced.map_err(|error| ArchiveError::of_io(&self.database, &error))?;
        bodies.finish().map_err(io)?;
        Ok(manifest)
    }
}

/// What goes wrong with an item.
enum Wrong {
    Sql(super::trouble::Trouble),
    Io(io::Error),
    /// The archive says what cannot be.
    Said(String),
}

impl From<super::trouble::Trouble> for Wrong {
    fn from(error: super::trouble::Trouble) -> Self {
        Self::Sql(error)
    }
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Fill<'a> {
    db: &'a Connection,
    words: WordNumbers,
    facts: Vec<(String, i64)>,
    /// The span of the ledger under way.
    span: Option<Span>,
    bodies: &'a FolderFill,
    /// The large body under way, and how many of its bytes are to come.
    body: Option<(File, u64)>,
}

impl Fill<'_> {
    fn explain(wrong: Wrong, from: &Path, blobs: &Path) -> ArchiveError {
        match wrong {
            Wrong::Said(why) => ArchiveError::damaged(from, why),
            Wrong::Io(error) => ArchiveError::of_io(blobs, &error),
            Wrong::Sql(error) => ArchiveError::Failed(error.classify().to_string()),
        }
    }

    fn take(&mut self, item: Item) -> Result<(), Wrong> {
        match item {
            Item::Chunk(bytes) => {
                let Some((mut file, left)) = self.body.take() else { return Ok(()) };
                file.write_all(&bytes)?;
                self.body_goes_on(file, left.saturating_sub(bytes.len() as u64))
            }
            Item::Row(part, row) => match (part.name, &row[..]) {
                (FACTS, [Cell::Text(name), Cell::Int(value)]) => {
                    self.facts.push((name.clone(), *value));
                    Ok(())
                }
                (BLOBS, [Cell::Bytes(hash), Cell::Int(size)]) => {
                    let file = self.bodies.blob(hash_of(hash)?)?;
                    self.body_goes_on(file, size.unsigned_abs())
                }
                (MARKERS, [Cell::Bytes(hash), Cell::Bytes(run)]) => {
                    let run: RunId = id_of(run)?;
                    Ok(self.bodies.mark(hash_of(hash)?, run)?)
                }
                _ => self.row(part, &row),
            },
        }
    }

    fn body_goes_on(&mut self, file: File, left: u64) -> Result<(), Wrong> {
        if left == 0 {
            self.bodies.settle(file)?;
        } else {
            self.body = Some((file, left));
        }
        Ok(())
    }

    fn row(&mut self, part: &Part, row: &[Cell]) -> Result<(), Wrong> {
        let mut values = Vec::with_capacity(row.len());
        for (column, cell) in part.columns.iter().zip(row) {
            values.push(self.value(part, column, cell)?);
        }
        if let ("ledger", [Cell::Int(seq), Cell::Int(at), Cell::Text(kind), ..]) = (part.name, row)
        {
            self.span(Span::of(*seq, *at, kind == LedgerKind::Audit.as_str()))?;
        }
        let names: Vec<&str> = part.columns.iter().map(|column| column.name).collect();
        let marks: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let (names, marks) = (names.join(", "), marks.join(", "));
        let text = format!("INSERT INTO {} ({names}) VALUES ({marks})", part.name);
        self.db.prepare_cached(&text)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }

    fn value(&mut self, part: &Part, column: &Column, cell: &Cell) -> Result<Value, Wrong> {
        let strange = |text: &str| {
            let what = format!(
                "`{}.{}` is `{text}`, which this version does not know",
                part.name, column.name
            );
            Wrong::Said(what)
        };
        Ok(match (column.kind, cell) {
            (_, Cell::Null) => Value::Null,
            (_, Cell::Int(number)) => Value::Integer(*number),
            (Kind::Word, Cell::Text(text)) => Value::Integer(self.words.number(self.db, text)?),
            (Kind::Listed(list), Cell::Text(text)) => {
                let number = match list {
                    List::Status => RunStatus::parse(text).map(status_number),
                    List::Cause => LiveCause::parse(text).map(cause_number),
                    List::Dead => DeadState::parse(text).map(dead_number),
                    List::Ledger => LedgerKind::parse(text).map(kind_number),
                };
                Value::Integer(number.ok_or_else(|| strange(text))?)
            }
            (_, Cell::Text(text)) => Value::Text(text.clone()),
            (Kind::Run, Cell::Bytes(id)) => {
                let mut find = self.db.prepare_cached("SELECT no FROM run WHERE id = ?1")?;
                let no: Option<i64> = find.query_row([id], |row| row.get(0)).optional()?;
                let missing = || {
                    let run = id_of(id).map_or_else(|_| String::new(), |id: RunId| id.to_string());
                    Wrong::Said(format!("a row of `{}` is of {run}, which is not in it", part.name))
                };
                Value::Integer(no.ok_or_else(missing)?)
            }
            (_, Cell::Bytes(bytes)) => Value::Blob(bytes.clone()),
        })
    }

    /// Which times are where in the ledger.
    fn span(&mut self, row: Span) -> Outcome<()> {
        if !self.span.as_mut().is_some_and(|span| span.add(&row)) {
            self.settle_span()?;
            self.span = Some(row);
        }
        Ok(())
    }

    fn settle_span(&mut self) -> Outcome<()> {
        self.span.take().map_or(Ok(()), |span| span.put(self.db))
    }

    /// Places that were given once are never given again, and epochs go on rising.
    fn end(&mut self) -> Result<(), Wrong> {
        self.settle_span()?;
        let put = "INSERT INTO fact (name, value) VALUES (?1, ?2)";
        for (name, value) in &self.facts {
            match name.as_str() {
                EPOCH => self.db.execute(put, params!["lease_epoch", value])?,
                LEDGER_FLOOR => self.db.execute(put, params!["ledger_floor", value])?,
                SIGNAL_FLOOR => {
                    let raise =
                        "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'signal'";
                    let there = self.db.execute(raise, [value])?;
                    let first = "INSERT INTO sqlite_sequence (name, seq) VALUES ('signal', ?1)";
                    if there == 0 { self.db.execute(first, [value])? } else { there }
                }
                other => return Err(Wrong::Said(format!("the number `{other}` is not known"))),
            };
        }
        Ok(())
    }
}

fn hash_of(bytes: &[u8]) -> Result<BlobHash, Wrong> {
    let digest = bytes.try_into();
    digest.map(BlobHash::new).map_err(|_| Wrong::Said("a large body's hash is none".to_owned()))
}
