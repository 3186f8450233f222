//! A backup of a database that may be in use: read on a connection of its own, under one snapshot. Commits go on
//! meanwhile and are not in it; all that they notice is a write-ahead log that cannot begin anew until it is done.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use qc_model::Timestamp;
use qc_store::blobs::FolderCopy;
use rusqlite::{Connection, OptionalExtension, types::ValueRef};

use super::{
    open::{self, open_reader},
    schema,
    stored::{cause_of, dead_of, kind_of, status_of},
    trouble::{Outcome, Trouble},
    words::WordTexts,
};
use crate::archive::{
    ArchiveError, CHUNK_BYTES, Cell, Manifest, Row, Writer,
    parts::{self, BLOBS, Column, EPOCH, Kind, LEDGER_FLOOR, List, MARKERS, Part, SIGNAL_FLOOR},
};

/// Writes a backup of the database and of the folder of large bodies beside it. `to` is a file that is not there, or a
/// folder in which it gets a name. Blocks as long as it takes; changes nothing here, and nobody need stop for it.
pub fn backup(
    database: &Path,
    blobs: &Path,
    to: &Path,
    at: Timestamp,
) -> Result<(PathBuf, Manifest), ArchiveError> {
    if !database.is_file() {
        return Err(ArchiveError::NoDatabase(format!("`{}`", database.display())));
    }
    open::check_at_rest(database)?;
    // Before the snapshot: what the snapshot names must not be swept.
    let bodies = FolderCopy::begin(blobs).map_err(|error| ArchiveError::of_io(blobs, &error))?;
    let db = open_reader(database)?;
    schema::check_owner(&db, database)?;
    let (found, known) = (schema::version(&db).map_err(sql)?, schema::known());
    if found != known {
        return Err(ArchiveError::OtherSchema { found, known });
    }
    let snapshot = db.unchecked_transaction().map_err(sql)?;
    // A snapshot begins with the first look.
    let facts = facts(&snapshot).map_err(trouble)?;
    let mut writer = Writer::begin(to, "sqlite", at)?;
    begin(&mut writer, parts::FACTS)?;
    for (name, value) in facts {
        writer.row(&[Cell::Text(name.to_owned()), Cell::Int(value)])?;
    }
    let words = WordTexts::default();
    for part in parts::TABLES {
        writer.part(part)?;
        table(&snapshot, &words, part, &mut writer)?;
    }
    drop(snapshot);
    blobs_of(&bodies, blobs, &mut writer)?;
    writer.finish()
}

fn begin(writer: &mut Writer, name: &str) -> Result<(), ArchiveError> {
    parts::find(name).map_or(Ok(()), |part| writer.part(part))
}

fn facts(db: &Connection) -> Outcome<Vec<(&'static str, i64)>> {
    let fact = |name: &str| -> Outcome<i64> {
        let sql = "SELECT value FROM fact WHERE name = ?1";
        Ok(db.query_row(sql, [name], |row| row.get(0)).optional()?.unwrap_or(0))
    };
    let places = "SELECT seq FROM sqlite_sequence WHERE name = 'signal'";
    let signals: Option<i64> = db.query_row(places, [], |row| row.get(0)).optional()?;
    Ok(vec![
        (EPOCH, fact("lease_epoch")?),
        (LEDGER_FLOOR, fact("ledger_floor")?),
        (SIGNAL_FLOOR, signals.unwrap_or(0)),
    ])
}

/// The rows of a table, in the order that its part promises.
fn table(
    db: &Connection,
    words: &WordTexts,
    part: &'static Part,
    writer: &mut Writer,
) -> Result<(), ArchiveError> {
    let sql_of = |column: &Column| match column.kind {
        Kind::Run => format!("(SELECT run.id FROM run WHERE run.no = t.{})", column.name),
        _ => format!("t.{}", column.name),
    };
    let columns: Vec<String> = part.columns.iter().map(sql_of).collect();
    let order = match part.name {
        "run" | "turn" => " ORDER BY t.no",
        "event" => " ORDER BY t.run",
        "journal" => " ORDER BY t.run, t.seq",
        "ledger" | "signal" => " ORDER BY t.seq",
        _ => "",
    };
    let text = format!("SELECT {} FROM {} t{order}", columns.join(", "), part.name);
    let mut query = db.prepare(&text).map_err(sql)?;
    let mut rows = query.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let cells: Outcome<Row> = part
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| cell(db, words, *column, row.get_ref(at)?))
            .collect();
        let cells = cells.map_err(|error| match error {
            Trouble::Damaged(why) => ArchiveError::Sqlite(super::OpenError::Damaged(format!(
                "a row of `{}`: {why}",
                part.name
            ))),
            other => trouble(other),
        })?;
        writer.row(&cells)?;
    }
    Ok(())
}

fn cell(db: &Connection, words: &WordTexts, column: Column, value: ValueRef<'_>) -> Outcome<Cell> {
    let wrong = |what: &str| Trouble::Damaged(format!("`{}` {what}", column.name));
    match (column.kind, value) {
        (_, ValueRef::Null) if column.optional => Ok(Cell::Null),
        (Kind::Run, ValueRef::Null) => Err(wrong("names a run that is not there")),
        (Kind::Int, ValueRef::Integer(number)) => Ok(Cell::Int(number)),
        (Kind::Word, ValueRef::Integer(number)) => {
            Ok(Cell::Text(words.text(db, number)?.as_ref().to_owned()))
        }
        (Kind::Listed(list), ValueRef::Integer(number)) => {
            let text = match list {
                List::Status => status_of(number)?.as_str(),
                List::Cause => cause_of(number)?.as_str(),
                List::Dead => dead_of(number)?.as_str(),
                List::Ledger => kind_of(number)?.as_str(),
            };
            Ok(Cell::Text(text.to_owned()))
        }
        (Kind::Text, ValueRef::Text(text)) => {
            let text = std::str::from_utf8(text).map_err(|_| wrong("is not UTF-8"))?;
            Ok(Cell::Text(text.to_owned()))
        }
        (Kind::Id | Kind::Run, ValueRef::Blob(bytes)) if bytes.len() == 16 => {
            Ok(Cell::Bytes(bytes.to_owned()))
        }
        (Kind::Bytes, ValueRef::Blob(bytes)) => Ok(Cell::Bytes(bytes.to_owned())),
        (_, other) => Err(wrong(&format!("holds {:?}", other.data_type()))),
    }
}

/// The large bodies as they are: whoever reads one compares it with its hash.
fn blobs_of(bodies: &FolderCopy, root: &Path, writer: &mut Writer) -> Result<(), ArchiveError> {
    let failed = |error: io::Error| ArchiveError::of_io(root, &error);
    begin(writer, BLOBS)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    // Once: what comes while this works belongs to runs that are not in the snapshot.
    let hashes = bodies.blobs().collect::<io::Result<Vec<_>>>().map_err(failed)?;
    for hash in hashes.iter().copied() {
        let (size, mut file) = bodies.body(hash).map_err(failed)?;
        let stored = i64::try_from(size).unwrap_or(i64::MAX);
        writer.row(&[Cell::Bytes(hash.bytes().to_vec()), Cell::Int(stored)])?;
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let piece = buffer.get_mut(..most).unwrap_or_default();
            file.read_exact(piece).map_err(failed)?;
            writer.chunk(piece)?;
            left -= most as u64;
        }
    }
    begin(writer, MARKERS)?;
    for hash in hashes {
        for run in bodies.runs(hash).map_err(failed)? {
            let run = super::stored::id_blob(run).to_vec();
            writer.row(&[Cell::Bytes(hash.bytes().to_vec()), Cell::Bytes(run)])?;
        }
    }
    Ok(())
}

fn sql(error: rusqlite::Error) -> ArchiveError {
    trouble(error.into())
}

fn trouble(error: Trouble) -> ArchiveError {
    match error {
        Trouble::Sql(error) => match super::OpenError::of_sql(&error) {
            super::OpenError::CannotOpen(what) => ArchiveError::Failed(what),
            known => known.into(),
        },
        Trouble::Damaged(why) => super::OpenError::Damaged(why).into(),
        Trouble::Store(error) => ArchiveError::Failed(error.to_string()),
    }
}
