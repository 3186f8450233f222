use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use super::{
    ArchiveError, Cell, Counts, Manifest, PartFacts, Row,
    cell::decode,
    frame::{FORMAT_DIGITS_MAX, FRAME_BYTES_MAX, MAGIC, Tag, head},
    manifest::{Digest, FORMAT, Hashing},
    parts::{self, Kind, Part},
    writer::count,
};

/// What comes next in an archive.
#[derive(Debug)]
pub(crate) enum Item {
    /// A row of a part.
    Row(&'static Part, Row),
    /// A piece of the large body whose row came before.
    Chunk(Vec<u8>),
}

/// Reads an archive from its beginning to its end, and compares it with its manifest there. What comes out
/// before [`Reader::manifest`] has answered is not yet known to be sound.
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    all: Hashing,
    seen: Vec<PartFacts>,
    counts: Counts,
    now: Option<(&'static Part, PartFacts, Hashing)>,
    /// Bytes of the large body under way that are still to come.
    body: u64,
    manifest: Option<Manifest>,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ArchiveError::NoArchive(path.to_owned()),
            _ => ArchiveError::of_io(path, &error),
        })?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 20, file),
            all: Hashing::new(),
            seen: Vec::new(),
            counts: Counts::default(),
            now: None,
            body: 0,
            manifest: None,
        };
        let mut magic = [0; MAGIC.len()];
        let read = reader.bytes(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(reader.damaged("it does not begin like one"));
        }
        match reader.format()? {
            FORMAT => Ok(reader),
            found => Err(ArchiveError::OtherFormat { file: path.to_owned(), found, known: FORMAT }),
        }
    }

    /// The number at the end of the first line.
    fn format(&mut self) -> Result<u32, ArchiveError> {
        let mut digits = String::new();
        loop {
            let mut byte = [0];
            self.bytes(&mut byte)?;
            match byte {
                [b'\n'] => break,
                [digit] if digit.is_ascii_digit() && digits.len() < FORMAT_DIGITS_MAX => {
                    digits.push(digit.into());
                }
                _ => return Err(self.damaged("it does not begin like one")),
            }
        }
        digits.parse().map_err(|_| self.damaged("it does not begin like one"))
    }

    /// The next item; None at the end, which is then known to be the one that was written.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, ArchiveError> {
        loop {
            if self.manifest.is_some() {
                return Ok(None);
            }
            let (tag, bytes) = self.frame()?;
            if self.body > 0 && tag != Tag::Chunk {
                return Err(self.damaged("a large body is not whole"));
            }
            match tag {
                Tag::Part => self.begin(&bytes)?,
                Tag::End => self.end()?,
                Tag::Row => return self.row(&bytes).map(Some),
                Tag::Chunk => {
                    let length = bytes.len() as u64;
                    if length == 0 || length > self.body {
                        return Err(self.damaged("a large body is longer than it says"));
                    }
                    self.body -= length;
                    return Ok(Some(Item::Chunk(bytes)));
                }
                Tag::Manifest => self.settle(&bytes)?,
            }
        }
    }

    /// What the archive is, once it was read to its end.
    pub(crate) fn manifest(self) -> Result<Manifest, ArchiveError> {
        let unread = ArchiveError::damaged(&self.path, "it was not read to its end");
        self.manifest.ok_or(unread)
    }

    fn begin(&mut self, name: &[u8]) -> Result<(), ArchiveError> {
        let name = String::from_utf8_lossy(name).into_owned();
        let part = parts::find(&name);
        let (None, Some(part)) = (&self.now, part) else {
            return Err(self.damaged(format!("the part `{name}` is not expected")));
        };
        // Every part once, in their order: what others refer to comes first.
        let next = parts::all().nth(self.seen.len()).map(|part| part.name);
        if next != Some(part.name) {
            return Err(self.damaged(format!("the part `{name}` is not in its place")));
        }
        let facts = PartFacts {
            name,
            columns: part.columns.iter().map(|column| column.name.to_owned()).collect(),
            rows: 0,
            bytes: 0,
            sha256: Digest::default(),
        };
        self.now = Some((part, facts, Hashing::new()));
        Ok(())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let Some((_, mut facts, hashing)) = self.now.take() else {
            return Err(self.damaged("a part ends that did not begin"));
        };
        facts.sha256 = hashing.finish();
        self.seen.push(facts);
        Ok(())
    }

    fn row(&mut self, bytes: &[u8]) -> Result<Item, ArchiveError> {
        let row = decode(bytes).map_err(|why| self.damaged(why))?;
        let Some((part, facts, _)) = &mut self.now else {
            return Err(self.damaged("a row is in no part"));
        };
        let part = *part;
        facts.rows += 1;
        fits(part, &row).map_err(|why| ArchiveError::damaged(&self.path, why))?;
        count(&mut self.counts, part.name, &row);
        if let (parts::BLOBS, Some(Cell::Int(size))) = (part.name, row.get(1)) {
            self.body = u64::try_from(*size).unwrap_or(0);
        }
        Ok(Item::Row(part, row))
    }

    /// The end: what was read is what was written.
    fn settle(&mut self, text: &[u8]) -> Result<(), ArchiveError> {
        let digest = std::mem::replace(&mut self.all, Hashing::new()).finish();
        let mut said = [0; 32];
        self.bytes(&mut said)?;
        if self.file.read(&mut [0]).map_err(|error| ArchiveError::of_io(&self.path, &error))? != 0 {
            return Err(self.damaged("something is behind its end"));
        }
        if said != digest.0 {
            return Err(self.damaged(format!("its SHA-256 is {digest}, and not as it was written")));
        }
        let mut manifest: Manifest = serde_json::from_slice(text)
            .map_err(|error| self.damaged(format!("its manifest cannot be read: {error}")))?;
        if self.seen.len() != parts::all().count() {
            return Err(self.damaged("parts are missing"));
        }
        for (said, found) in manifest.parts.iter().zip(&self.seen) {
            if said != found {
                return Err(
                    self.damaged(format!("the part `{}` is not as it was written", found.name))
                );
            }
        }
        if manifest.format != FORMAT
            || manifest.parts.len() != self.seen.len()
            || manifest.counts != self.counts
        {
            return Err(self.damaged("its manifest speaks of another content"));
        }
        manifest.digest = digest;
        self.manifest = Some(manifest);
        Ok(())
    }

    fn frame(&mut self) -> Result<(Tag, Vec<u8>), ArchiveError> {
        let mut start = [0; 5];
        self.bytes(&mut start)?;
        let [byte, length @ ..] = start;
        let length = u32::from_le_bytes(length);
        let tag = Tag::of(byte).filter(|_| length as usize <= FRAME_BYTES_MAX);
        let Some(tag) = tag else { return Err(self.damaged("what is in it is not understood")) };
        // Not believed in advance: a damaged length must not take the memory.
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(u64::from(length)).read_to_end(&mut bytes);
        read.map_err(|error| ArchiveError::of_io(&self.path, &error))?;
        if bytes.len() != length as usize {
            return Err(self.damaged("it ends too early"));
        }
        self.all.update(&bytes);
        if let Some((_, facts, hashing)) = self.now.as_mut().filter(|_| tag != Tag::End) {
            facts.bytes += (start.len() + bytes.len()) as u64;
            hashing.update(&head(tag, length));
            hashing.update(&bytes);
        }
        Ok((tag, bytes))
    }

    fn bytes(&mut self, to: &mut [u8]) -> Result<(), ArchiveError> {
        self.file.read_exact(to).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => ArchiveError::of_io(&self.path, &error),
        })?;
        self.all.update(to);
        Ok(())
    }

    fn damaged(&self, why: impl Into<String>) -> ArchiveError {
        ArchiveError::damaged(&self.path, why)
    }
}

/// Whether a row is one of its part.
fn fits(part: &Part, row: &[Cell]) -> Result<(), String> {
    let name = part.name;
    if row.len() != part.columns.len() {
        return Err(format!("a row of `{name}` has {} values", row.len()));
    }
    for (column, cell) in part.columns.iter().zip(row) {
        let good = match (cell, column.kind) {
            (Cell::Null, _) => column.optional,
            (Cell::Int(_), Kind::Int)
            | (Cell::Text(_), Kind::Text | Kind::Word | Kind::Listed(_))
            | (Cell::Bytes(_), Kind::Bytes) => true,
            (Cell::Bytes(bytes), Kind::Id | Kind::Run) => bytes.len() == 16,
            _ => false,
        };
        if !good {
            return Err(format!("`{name}.{}` holds {}", column.name, cell.kind()));
        }
    }
    Ok(())
}
