//! A backup becomes what the database holds, in one transaction: until its end nothing of it is seen.

use std::path::Path;

use qc_store::{DeadState, LedgerKind, LiveCause, RunStatus};
use tokio_postgres::{Client, error::SqlState, types::ToSql};

use super::{
    Dsn, PostgresOptions,
    connection::Address,
    dump::of,
    schema,
    stored::{Uuid, mark, text},
};
use crate::archive::{
    self, ArchiveError, Cell, Item, Manifest, Reader, Row,
    parts::{BLOBS, EPOCH, FACTS, Kind, LEDGER_FLOOR, List, Part, SIGNAL_FLOOR},
};

/// So many rows are written at a time,
const ROWS_MAX: usize = 500;
/// or about so many bytes.
const BYTES_MAX: usize = 4 << 20;

const BEGIN: &str = "SET statement_timeout = '10min'; SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = 0; BEGIN";
/// All tables of the schema; nobody reads or writes them until the end.
const TABLES: &str = "run, event, journal, idempotency, dead, ledger, document, signal, wait, turn, \
     run_key, tally, audit_writer, blob, blob_chunk, blob_marker, lease, node, budgets";
const ALIVE: &str = "SELECT name FROM node WHERE until > clock_timestamp() ORDER BY name";
const ANYTHING: &str = "SELECT EXISTS (SELECT FROM run) OR EXISTS (SELECT FROM document) \
     OR EXISTS (SELECT FROM ledger) OR EXISTS (SELECT FROM signal) OR EXISTS (SELECT FROM idempotency)";
const FACT: &str = "UPDATE fact SET value = greatest(value, $2) WHERE name = $1";
const BLOB: &str = "INSERT INTO blob (hash, size) VALUES ($1, $2) RETURNING no";
const CHUNK: &str = "INSERT INTO blob_chunk (blob, no, body) VALUES ($1, $2, $3)";

/// Puts a backup into the database. It must be empty, unless `replace`: then what is there is removed in the same
/// transaction. No node may be alive there.
pub async fn restore(
    from: &Path,
    dsn: &Dsn,
    options: &PostgresOptions,
    replace: bool,
) -> Result<Manifest, ArchiveError> {
    archive::check(from)?;
    let (mut client, _) = Address::new(dsn, options)?.connect().await?;
    schema::migrate(&mut client).await?;
    client.batch_execute(BEGIN).await.map_err(of)?;
    // When something fails the connection goes, and the transaction with it.
    let locked =
        client.batch_execute(&format!("LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")).await;
    locked.map_err(|error| match error.code().map(SqlState::code) {
        Some("55P03") => ArchiveError::InUse(format!("`{dsn}` is in use: its tables are held")),
        _ => of(error),
    })?;
    let alive = client.query(ALIVE, &[]).await.map_err(of)?;
    if let Some(node) = alive.first() {
        let node: String = node.try_get(0).map_err(of)?;
        let why = format!(
            "`{dsn}` is in use: the node {node} is alive (one that was killed counts as such until its `lease_ttl` is over)"
        );
        return Err(ArchiveError::InUse(why));
    }
    let anything: bool =
        client.query_one(ANYTHING, &[]).await.and_then(|row| row.try_get(0)).map_err(of)?;
    if anything && !replace {
        return Err(ArchiveError::NotEmpty(format!("`{dsn}`")));
    }
    client.batch_execute(&format!("TRUNCATE {TABLES} RESTART IDENTITY")).await.map_err(of)?;
    let mut fill = Fill { client: &client, from, batch: None, blob: None, floor: 0, entries: None };
    let mut reader = Reader::open(from)?;
    while let Some(item) = reader.next()? {
        fill.take(item).await?;
    }
    let manifest = reader.manifest()?;
    fill.end().await?;
    client.batch_execute("COMMIT").await.map_err(of)?;
    // New places go on above those that were restored.
    schema::migrate(&mut client).await?;
    client.batch_execute("ANALYZE").await.map_err(of)?;
    Ok(manifest)
}

/// Rows that are written together.
struct Batch {
    part: &'static Part,
    rows: Vec<Row>,
    bytes: usize,
}

struct Fill<'a> {
    client: &'a Client,
    from: &'a Path,
    batch: Option<Batch>,
    /// The large body under way: its number and that of its next chunk.
    blob: Option<(i64, i32)>,
    /// The highest place that was ever given.
    floor: i64,
    /// The run whose journal is under way, and the number of its next entry.
    entries: Option<(Vec<u8>, i32)>,
}

/// The values of a column.
enum Values {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Ids(Vec<Option<Uuid>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    const fn sql(&self) -> &'static str {
        match self {
            Self::Ints(_) => "bigint[]",
            Self::Texts(_) => "text[]",
            Self::Ids(_) => "uuid[]",
            Self::Bytes(_) => "bytea[]",
        }
    }

    fn given(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Ints(values) => values,
            Self::Texts(values) => values,
            Self::Ids(values) => values,
            Self::Bytes(values) => values,
        }
    }
}

impl Fill<'_> {
    async fn take(&mut self, item: Item) -> Result<(), ArchiveError> {
        match item {
            Item::Chunk(bytes) => self.chunk(&bytes).await,
            Item::Row(part, row) => match (part.name, &row[..]) {
                (FACTS, [Cell::Text(name), Cell::Int(value)]) => self.fact(name, *value).await,
                (BLOBS, [Cell::Bytes(hash), Cell::Int(size)]) => {
                    self.flush().await?;
                    let made = self.client.query_one(BLOB, &[hash, size]).await.map_err(of)?;
                    self.blob = Some((made.try_get(0).map_err(of)?, 0));
                    Ok(())
                }
                _ => self.row(part, row).await,
            },
        }
    }

    async fn fact(&mut self, name: &str, value: i64) -> Result<(), ArchiveError> {
        match name {
            EPOCH => {
                self.client.execute(FACT, &[&"lease_epoch", &value]).await.map_err(of)?;
            }
            // Kept in transactions; the next place is above all that begin with the same one.
            LEDGER_FLOOR | SIGNAL_FLOOR => self.floor = self.floor.max(value),
            other => {
                let why = format!("the number `{other}` is not known");
                return Err(ArchiveError::damaged(self.from, why));
            }
        }
        Ok(())
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if let Some((blob, no)) = &mut self.blob {
            self.client.execute(CHUNK, &[&*blob, &*no, &bytes]).await.map_err(of)?;
            *no += 1;
        }
        Ok(())
    }

    async fn row(&mut self, part: &'static Part, row: Row) -> Result<(), ArchiveError> {
        if self.batch.as_ref().is_some_and(|batch| batch.part.name != part.name) {
            self.flush().await?;
        }
        let batch = self.batch.get_or_insert_with(|| Batch { part, rows: Vec::new(), bytes: 0 });
        batch.bytes += row
            .iter()
            .map(|cell| match cell {
                Cell::Text(text) => text.len(),
                Cell::Bytes(bytes) => bytes.len(),
                Cell::Null | Cell::Int(_) => 8,
            })
            .sum::<usize>();
        batch.rows.push(row);
        if batch.rows.len() >= ROWS_MAX || batch.bytes >= BYTES_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), ArchiveError> {
        self.flush().await?;
        let floor = self.floor >> 16;
        self.client.execute(FACT, &[&"place_floor", &floor]).await.map_err(of)?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ArchiveError> {
        let Some(Batch { part, rows, .. }) = self.batch.take() else { return Ok(()) };
        let mut columns: Vec<(&str, Values)> = Vec::new();
        for (at, column) in part.columns.iter().enumerate() {
            let cells = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Null));
            columns.push((column.name, self.values(part, column.name, column.kind, cells)?));
        }
        columns.extend(self.own(part, &rows));
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let arrays: Vec<String> = columns
            .iter()
            .zip(1..)
            .map(|((_, values), n)| format!("${n}::{}", values.sql()))
            .collect();
        let text = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            part.name,
            names.join(", "),
            arrays.join(", ")
        );
        let given: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|(_, values)| values.given()).collect();
        self.client.execute(&text, &given).await.map_err(of)?;
        Ok(())
    }

    fn values<'c>(
        &self,
        part: &Part,
        name: &str,
        kind: Kind,
        cells: impl Iterator<Item = &'c Cell>,
    ) -> Result<Values, ArchiveError> {
        Ok(match kind {
            Kind::Int => Values::Ints(cells.map(int).collect()),
            Kind::Bytes => Values::Bytes(cells.map(bytes).collect()),
            Kind::Id | Kind::Run => Values::Ids(cells.map(id).collect()),
            Kind::Text | Kind::Word => Values::Texts(
                cells.map(|cell| words(cell).map(|it| text(it).into_owned())).collect(),
            ),
            Kind::Listed(list) => {
                let texts: Vec<Option<String>> =
                    cells.map(|c| words(c).map(str::to_owned)).collect();
                let strange = texts.iter().flatten().find(|text| !known(list, text));
                if let Some(strange) = strange {
                    let why = format!(
                        "`{}.{name}` is `{strange}`, which this version does not know",
                        part.name
                    );
                    return Err(ArchiveError::damaged(self.from, why));
                }
                Values::Texts(texts)
            }
        })
    }

    /// The columns that only PostgreSQL has.
    fn own(&mut self, part: &Part, rows: &[Row]) -> Vec<(&'static str, Values)> {
        let marks = |names: &[&str]| -> Values {
            let at = |name: &&str| part.columns.iter().position(|column| column.name == *name);
            let places: Vec<usize> = names.iter().filter_map(at).collect();
            let of_row = |row: &Row| {
                let texts: Vec<&str> =
                    places.iter().filter_map(|at| row.get(*at).and_then(words)).collect();
                Some(mark(&texts))
            };
            Values::Ids(rows.iter().map(of_row).collect())
        };
        let zeros = || Values::Ints(vec![Some(0); rows.len()]);
        match part.name {
            // Before the first step of any run, and so before all that is to come.
            "journal" => {
                let numbers = rows.iter().map(|row| Some(self.next_entry(row).into()));
                let numbers = numbers.collect();
                vec![("version", zeros()), ("no", Values::Ints(numbers))]
            }
            "idempotency" => vec![("claimed_at", zeros())],
            "tally" => vec![("part", zeros())],
            "signal" => {
                vec![("mark", marks(&["scope", "id"])), ("place", marks(&["scope", "kind"]))]
            }
            "wait" => vec![
                ("mark", marks(&["scope", "kind", "site", "key"])),
                ("place", marks(&["scope", "kind"])),
            ],
            "turn" => vec![("mark", marks(&["scope", "key"]))],
            _ => Vec::new(),
        }
    }

    fn next_entry(&mut self, row: &Row) -> i32 {
        let run = match row.first() {
            Some(Cell::Bytes(run)) => run.clone(),
            _ => Vec::new(),
        };
        let no = match &self.entries {
            Some((current, last)) if *current == run => last + 1,
            _ => 0,
        };
        self.entries = Some((run, no));
        no
    }
}

const fn int(cell: &Cell) -> Option<i64> {
    if let Cell::Int(number) = cell { Some(*number) } else { None }
}

fn bytes(cell: &Cell) -> Option<Vec<u8>> {
    if let Cell::Bytes(bytes) = cell { Some(bytes.clone()) } else { None }
}

fn id(cell: &Cell) -> Option<Uuid> {
    let Cell::Bytes(bytes) = cell else { return None };
    Some(Uuid(u128::from_be_bytes(bytes[..].try_into().ok()?)))
}

fn words(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn known(list: List, text: &str) -> bool {
    match list {
        List::Status => RunStatus::parse(text).is_some(),
        List::Cause => LiveCause::parse(text).is_some(),
        List::Dead => DeadState::parse(text).is_some(),
        List::Ledger => LedgerKind::parse(text).is_some(),
    }
}
