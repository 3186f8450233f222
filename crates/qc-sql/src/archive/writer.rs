use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use qc_model::Timestamp;

use super::{
    ArchiveError, Cell, Counts, Manifest, PartFacts, Place,
    cell::encode,
    frame::{FRAME_BYTES_MAX, MAGIC, Tag, head},
    manifest::{Digest, FORMAT, Hashing},
    parts::{self, Part},
};

/// Writes an archive. Dropped before [`Writer::finish`], it leaves nothing behind.
pub(crate) struct Writer {
    place: Place,
    file: BufWriter<File>,
    all: Hashing,
    manifest: Manifest,
    /// The part under way.
    now: Option<(PartFacts, Hashing)>,
}

impl Writer {
    pub(crate) fn begin(to: &Path, store: &str, at: Timestamp) -> Result<Self, ArchiveError> {
        let (place, file) = Place::take(to, at)?;
        let manifest = Manifest {
            format: FORMAT,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            store: store.to_owned(),
            at,
            counts: Counts::default(),
            parts: Vec::new(),
            digest: Digest::default(),
        };
        let mut writer = Self { place, file, all: Hashing::new(), manifest, now: None };
        writer.raw(MAGIC)?;
        writer.raw(format!("{FORMAT}\n").as_bytes())?;
        Ok(writer)
    }

    /// Begins a part.
    pub(crate) fn part(&mut self, part: &Part) -> Result<(), ArchiveError> {
        self.end_part()?;
        self.frame(Tag::Part, part.name.as_bytes())?;
        let facts = PartFacts {
            name: part.name.to_owned(),
            columns: part.columns.iter().map(|column| column.name.to_owned()).collect(),
            rows: 0,
            bytes: 0,
            sha256: Digest::default(),
        };
        self.now = Some((facts, Hashing::new()));
        Ok(())
    }

    /// A row of the part under way.
    pub(crate) fn row(&mut self, row: &[Cell]) -> Result<(), ArchiveError> {
        if let Some((facts, _)) = &mut self.now {
            facts.rows += 1;
            count(&mut self.manifest.counts, &facts.name, row);
        }
        self.frame(Tag::Row, &encode(row))
    }

    /// A piece of the large body whose row was written last.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.frame(Tag::Chunk, bytes)
    }

    /// Ends the archive: its path and manifest. Durable when this returns.
    pub(crate) fn finish(mut self) -> Result<(PathBuf, Manifest), ArchiveError> {
        self.end_part()?;
        let text = serde_json::to_vec(&self.manifest)
            .map_err(|error| ArchiveError::Failed(error.to_string()))?;
        self.frame(Tag::Manifest, &text)?;
        let digest = std::mem::replace(&mut self.all, Hashing::new()).finish();
        self.raw(&digest.0)?;
        let Self { place, file, mut manifest, .. } = self;
        manifest.digest = digest;
        Ok((place.keep(file)?, manifest))
    }

    fn end_part(&mut self) -> Result<(), ArchiveError> {
        let Some((mut facts, hashing)) = self.now.take() else { return Ok(()) };
        facts.sha256 = hashing.finish();
        self.manifest.parts.push(facts);
        self.frame(Tag::End, &[])
    }

    fn frame(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), ArchiveError> {
        let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_BYTES_MAX);
        let Some(length) = length else {
            let why = format!("a row of {} bytes is more than a backup takes", bytes.len());
            return Err(ArchiveError::Failed(why));
        };
        let head = head(tag, length);
        if let Some((facts, hashing)) = &mut self.now {
            facts.bytes += (head.len() + bytes.len()) as u64;
            hashing.update(&head);
            hashing.update(bytes);
        }
        self.raw(&head)?;
        self.raw(bytes)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.all.update(bytes);
        self.file.write_all(bytes).map_err(|error| ArchiveError::of_io(self.place.path(), &error))
    }
}

/// Counts a row where people count.
pub(super) fn count(counts: &mut Counts, part: &str, row: &[Cell]) {
    match part {
        "run" => {
            counts.runs += 1;
            let column = parts::find("run").map_or(&[][..], |part| part.columns);
            let ended = column.iter().position(|column| column.name == "ended_at");
            let open = ended.and_then(|ended| row.get(ended)) == Some(&Cell::Null);
            counts.open_runs += u64::from(open);
        }
        "journal" => counts.journal_entries += 1,
        "dead" => counts.dead_letters += 1,
        "signal" => counts.signals += 1,
        "document" => counts.documents += 1,
        "ledger" => counts.ledger_rows += 1,
        parts::BLOBS => counts.blobs += 1,
        _ => {}
    }
}
