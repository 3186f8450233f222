//! A backup of a database that is in use: read in one transaction, which sees one moment.

use std::path::{Path, PathBuf};

use qc_model::Timestamp;
use tokio_postgres::{Client, Row as SqlRow};

use super::{
    Dsn, OpenError, PostgresOptions,
    connection::Address,
    schema,
    stored::{Uuid, text_of},
    trouble::{Outcome, Trouble},
};
use crate::archive::{
    ArchiveError, Cell, Manifest, Row, Writer,
    parts::{self, BLOBS, Column, EPOCH, FACTS, Kind, LEDGER_FLOOR, MARKERS, Part, SIGNAL_FLOOR},
};

/// So many rows are fetched at a time, where they may be large,
const LARGE_ROWS: u32 = 32;
/// and where they are not.
const SMALL_ROWS: u32 = 1000;

const BEGIN: &str = "SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = 0; \
     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const FLOORS: &str = "SELECT (SELECT value FROM fact WHERE name = 'lease_epoch'), \
     (SELECT value FROM fact WHERE name = 'place_floor')";
const CHUNK: &str = "SELECT body FROM blob_chunk WHERE blob = $1 AND no = $2";

/// Writes a backup of the database, large bodies included. `to` is a file that is not there, or a folder in which it
/// gets a name. Changes nothing here, and nobody need stop for it.
pub async fn backup(
    dsn: &Dsn,
    options: &PostgresOptions,
    to: &Path,
    at: Timestamp,
) -> Result<(PathBuf, Manifest), ArchiveError> {
    let (client, _) = Address::new(dsn, options)?.connect().await?;
    let (found, known) = (schema::look(&client).await?, schema::known());
    match found {
        0 => return Err(ArchiveError::NoDatabase(format!("`{dsn}`"))),
        _ if found != known => return Err(ArchiveError::OtherSchema { found, known }),
        _ => {}
    }
    let dump = Dump { client };
    dump.client.batch_execute(BEGIN).await.map_err(of)?;
    // A snapshot begins with the first look.
    let row = dump.client.query_one(FLOORS, &[]).await.map_err(of)?;
    let number = |at: usize| row.try_get::<_, Option<i64>>(at).map(Option::unwrap_or_default);
    let (epoch, floor) = (number(0).map_err(of)?, number(1).map_err(of)?);
    // In transactions, as it is kept here; a place is below the next one's.
    let floor = if floor == 0 { 0 } else { (floor << 16) | 0xffff };
    let mut writer = Writer::begin(to, "postgres", at)?;
    begin(&mut writer, FACTS)?;
    for (name, value) in [(EPOCH, epoch), (LEDGER_FLOOR, floor), (SIGNAL_FLOOR, floor)] {
        writer.row(&[Cell::Text(name.to_owned()), Cell::Int(value)])?;
    }
    for part in parts::TABLES {
        dump.table(part, &mut writer).await?;
    }
    dump.blobs(&mut writer).await?;
    writer.finish()
}

fn begin(writer: &mut Writer, name: &str) -> Result<(), ArchiveError> {
    parts::find(name).map_or(Ok(()), |part| writer.part(part))
}

struct Dump {
    client: Client,
}

impl Dump {
    async fn table(&self, part: &'static Part, writer: &mut Writer) -> Result<(), ArchiveError> {
        writer.part(part)?;
        let order = match part.name {
            "run" => " ORDER BY id",
            "event" => " ORDER BY run",
            "journal" => " ORDER BY run, version, no",
            "ledger" | "signal" => " ORDER BY seq",
            "turn" => " ORDER BY no",
            // Each connection counts in a part of its own.
            "tally" => " GROUP BY tenant, environment, integration",
            _ => "",
        };
        let sql_of = |column: &Column| match (part.name, column.kind) {
            ("tally", Kind::Int) => format!("sum({})::bigint", column.name),
            (_, Kind::Int) => format!("{}::bigint", column.name),
            _ => column.name.to_owned(),
        };
        let columns: Vec<String> = part.columns.iter().map(sql_of).collect();
        let text = format!("SELECT {} FROM {}{order}", columns.join(", "), part.name);
        self.each(&text, part, async |_, cells| writer.row(&cells)).await
    }

    /// Goes through a question's rows.
    async fn each(
        &self,
        question: &str,
        part: &'static Part,
        mut take: impl AsyncFnMut(&SqlRow, Row) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let many = part.columns.iter().all(|column| column.name != "body");
        let rows = if many { SMALL_ROWS } else { LARGE_ROWS };
        let begin = format!("DECLARE rows NO SCROLL CURSOR FOR {question}");
        self.client.batch_execute(&begin).await.map_err(of)?;
        let fetch = self.client.prepare(&format!("FETCH {rows} FROM rows")).await.map_err(of)?;
        loop {
            let some = self.client.query(&fetch, &[]).await.map_err(of)?;
            if some.is_empty() {
                break;
            }
            for row in &some {
                let cells: Outcome<Row> = part
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(at, column)| cell(*column, row, at))
                    .collect();
                let cells = cells.map_err(|error| damaged(part, &error))?;
                take(row, cells).await?;
            }
        }
        self.client.batch_execute("CLOSE rows").await.map_err(of)
    }

    async fn blobs(&self, writer: &mut Writer) -> Result<(), ArchiveError> {
        let (Some(blobs), Some(markers)) = (parts::find(BLOBS), parts::find(MARKERS)) else {
            return Ok(());
        };
        writer.part(blobs)?;
        let chunk = self.client.prepare(CHUNK).await.map_err(of)?;
        let question = "SELECT hash, size, no FROM blob WHERE hash IS NOT NULL ORDER BY no";
        self.each(question, blobs, async |row, cells| {
            writer.row(&cells)?;
            let blob: i64 = row.try_get(2).map_err(of)?;
            let mut left = row.try_get::<_, i64>(1).map_err(of)?;
            for no in 0i32.. {
                if left <= 0 {
                    break;
                }
                let found = self.client.query_opt(&chunk, &[&blob, &no]).await.map_err(of)?;
                let bytes: Option<&[u8]> =
                    found.as_ref().map(|row| row.try_get(0)).transpose().map_err(of)?;
                let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
                    let why = "a large body is shorter than it says".to_owned();
                    return Err(OpenError::Damaged(why).into());
                };
                writer.chunk(bytes)?;
                left = left.saturating_sub(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            }
            Ok(())
        })
        .await?;
        writer.part(markers)?;
        // The marker of a body that is still being written is nobody's yet.
        let question = "SELECT m.hash, m.run FROM blob_marker m JOIN blob b ON b.hash = m.hash";
        self.each(question, markers, async |_, cells| writer.row(&cells)).await
    }
}

fn cell(column: Column, row: &SqlRow, at: usize) -> Outcome<Cell> {
    let cell = match column.kind {
        Kind::Int => row.try_get::<_, Option<i64>>(at)?.map(Cell::Int),
        Kind::Text | Kind::Word | Kind::Listed(_) => {
            row.try_get::<_, Option<String>>(at)?.map(|text| Cell::Text(text_of(text)))
        }
        Kind::Id | Kind::Run => {
            row.try_get::<_, Option<Uuid>>(at)?.map(|id| Cell::Bytes(id.0.to_be_bytes().to_vec()))
        }
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Cell::Bytes),
    };
    match cell {
        Some(cell) => Ok(cell),
        None if column.optional => Ok(Cell::Null),
        None => Err(Trouble::Damaged(format!("`{}` is not there", column.name))),
    }
}

fn damaged(part: &Part, error: &Trouble) -> ArchiveError {
    let why = format!("a row of `{}`: {}", part.name, error.classify());
    OpenError::Damaged(why).into()
}

pub(super) fn of(error: tokio_postgres::Error) -> ArchiveError {
    match OpenError::of(&error) {
        OpenError::CannotOpen(what) => ArchiveError::Failed(what),
        known => known.into(),
    }
}
