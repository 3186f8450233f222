//! The file of an export, and its verification: docs/audit.md has the format for strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, Read},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Checkpoint, Frontier, Hash, NoteError, VerifyingKey};

/// The longest line that is read, in bytes: an entry holds no payloads.
const LINE_MAX: u64 = 1 << 20;
/// The most troubles of one kind that are told.
const TOLD_MAX: usize = 20;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// Always `quickconnect-audit`.
    pub format: String,
    /// The version of the format: 1.
    pub v: u32,
    /// Which log.
    pub origin: String,
    /// The number of the first entry in the file.
    pub first: u64,
    /// How many entries the log had.
    pub size: u64,
    /// The right edge of the tree before the first entry, as base64.
    pub peaks: Vec<String>,
    /// The verifier key of whoever signed, for those who have it from nowhere else.
    pub key: String,
}

impl ExportHead {
    /// The word in `format`.
    pub const FORMAT: &'static str = "quickconnect-audit";
}

/// The line of an entry of which only the hash is left.
pub fn hidden_line(hash: &Hash) -> String {
    format!(r#"{{"hash":"{hash}"}}"#)
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which log.
    pub origin: String,
    /// The number of the first entry in the file.
    pub first: u64,
    /// How many entries the log had.
    pub size: u64,
    /// The root over them, computed.
    pub root: Hash,
    /// Who has signed, when that is known.
    pub signed_by: Option<String>,
    /// How many entries are there only as hashes.
    pub hidden: u64,
    /// Everything that is wrong; nothing: the export is whole.
    pub troubles: Vec<Doubt>,
}

/// One thing that is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It is no export.
    #[error("line {line}: {why}")]
    Form {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The entries are not those that were signed.
    #[error(
        "the entries give the root {computed}, and {signed} was signed: some of them were edited, removed, added or put into another order"
    )]
    Root {
        /// As computed.
        computed: Hash,
        /// As signed.
        signed: Hash,
    },
    /// There are more or fewer entries than were signed.
    #[error(
        "the file has {found} entries up to its end, and {signed} were signed: it was cut, or entries were removed or added"
    )]
    Count {
        /// In the file, those before its first one included.
        found: u64,
        /// As signed.
        signed: u64,
    },
    /// The signature is not to be believed.
    #[error("the checkpoint {name}: {error}")]
    Signature {
        /// Which checkpoint.
        name: String,
        /// Why not.
        error: NoteError,
    },
    /// A checkpoint that was given besides does not belong to this log.
    #[error("the checkpoint {name} is of the log `{other}`, and the file of `{own}`")]
    OtherLog {
        /// Which checkpoint.
        name: String,
        /// Its log.
        other: String,
        /// The file's.
        own: String,
    },
    /// A checkpoint that was given besides says that there were more entries.
    #[error(
        "the checkpoint {name} has {there} entries, and the file ends at {own}: entries were cut off, or the file is older"
    )]
    Cut {
        /// Which checkpoint.
        name: String,
        /// Its size.
        there: u64,
        /// The file's.
        own: u64,
    },
    /// A checkpoint that was given besides says something else of the same entries.
    #[error(
        "the checkpoint {name} says that the root over the first {size} entries was {said}, and in the file it is {computed}: the log was rewritten"
    )]
    Rewritten {
        /// Which checkpoint.
        name: String,
        /// Over how many entries.
        size: u64,
        /// What it says.
        said: Hash,
        /// As computed.
        computed: Hash,
    },
    /// A checkpoint that was given besides is of before the first entry in the file.
    #[error(
        "the checkpoint {name} has {there} entries, and the file begins at {first}: take an export from there on"
    )]
    Before {
        /// Which checkpoint.
        name: String,
        /// Its size.
        there: u64,
        /// The file's first.
        first: u64,
    },
    /// The log itself says that rows were missing when it was sealed, or numbers of a writer do not follow each other.
    #[error("entry {index}: rows of writer {writer} are missing: {what}")]
    Missing {
        /// Which entry says or shows it.
        index: u64,
        /// Whose.
        writer: u64,
        /// Which.
        what: String,
    },
    /// Entries in the file are hashes only: their rows were changed or removed in the database.
    #[error(
        "{count} entries, the first of them {first}, are in the file as hashes only: their rows were changed or removed in the database, or are past their retention"
    )]
    Hidden {
        /// How many.
        count: u64,
        /// The first.
        first: u64,
    },
}

/// Verifies an export: what it says of itself, and what each of `others` (with its name, for messages) says of it.
///
/// Errors: those of reading.
pub fn verify(
    file: impl BufRead,
    keys: &[VerifyingKey],
    others: &[(String, String)],
) -> io::Result<Verified> {
    let mut reading = Reading { lines: Lines { file, number: 0 }, troubles: Vec::new() };
    let verified = reading.run(keys, others)?;
    Ok(verified)
}

struct Lines<R> {
    file: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its end; None at the end of the file, or at a line that is too long or has no end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.file).take(LINE_MAX).read_until(b'\n', &mut line)?;
        self.number += 1;
        Ok((line.pop() == Some(b'\n')).then_some(line))
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        (&mut self.file).take(LINE_MAX).read_to_end(&mut rest)?;
        Ok(rest)
    }
}

struct Reading<R> {
    lines: Lines<R>,
    troubles: Vec<Doubt>,
}

impl<R: BufRead> Reading<R> {
    fn run(&mut self, keys: &[VerifyingKey], others: &[(String, String)]) -> io::Result<Verified> {
        let mut verified = Verified {
            origin: String::new(),
            first: 0,
            size: 0,
            root: Hash::empty(),
            signed_by: None,
            hidden: 0,
            troubles: Vec::new(),
        };
        let Some((head, mut tree)) = self.head()? else {
            verified.troubles = std::mem::take(&mut self.troubles);
            return Ok(verified);
        };
        (verified.origin, verified.first, verified.size) =
            (head.origin.clone(), head.first, head.size);
        let others = self.others(&head, keys, others);
        let sizes: BTreeSet<u64> = others.iter().map(|(_, checkpoint)| checkpoint.size).collect();
        let mut roots = BTreeMap::from([(head.first, tree.root())]);
        let mut seen = Seen::default();
        let mut ended = false;
        while let Some(line) = self.lines.next()? {
            if line.is_empty() {
                ended = true;
                break;
            }
            seen.take(tree.size(), &line, &mut tree);
            if sizes.contains(&tree.size()) {
                roots.insert(tree.size(), tree.root());
            }
        }
        verified.root = tree.root();
        verified.hidden = seen.hidden;
        if ended {
            verified.signed_by = self.checkpoint(&head, keys, &tree)?;
        } else {
            self.form("the file ends before its checkpoint: it was cut");
        }
        for (name, checkpoint) in &others {
            self.compare(name, checkpoint, &head, &tree, &roots);
        }
        seen.tell(&mut self.troubles);
        verified.troubles = std::mem::take(&mut self.troubles);
        Ok(verified)
    }

    fn form(&mut self, why: impl Into<String>) {
        self.troubles.push(Doubt::Form { line: self.lines.number, why: why.into() });
    }

    fn head(&mut self) -> io::Result<Option<(ExportHead, Frontier)>> {
        let line = self.lines.next()?.unwrap_or_default();
        let head: ExportHead = match serde_json::from_slice(&line) {
            Ok(head) => head,
            Err(error) => {
                self.form(format!("the file does not begin as an export: {error}"));
                return Ok(None);
            }
        };
        if head.format != ExportHead::FORMAT || head.v != 1 {
            self.form(format!("its format is `{}` {}, which is not known", head.format, head.v));
            return Ok(None);
        }
        let peaks: Option<Vec<Hash>> = head.peaks.iter().map(|text| Hash::parse(text)).collect();
        let tree = peaks.and_then(|peaks| Frontier::new(head.first, peaks));
        let Some(tree) = tree else {
            self.form(format!("`peaks` are not those of a tree of {} leaves", head.first));
            return Ok(None);
        };
        Ok(Some((head, tree)))
    }

    /// The checkpoints that were given besides and are to be believed.
    fn others(
        &mut self,
        head: &ExportHead,
        keys: &[VerifyingKey],
        others: &[(String, String)],
    ) -> Vec<(String, Checkpoint)> {
        let mut believed = Vec::new();
        for (name, note) in others {
            match Checkpoint::open(note, keys) {
                Err(error) => {
                    self.troubles.push(Doubt::Signature { name: name.clone(), error });
                }
                Ok((checkpoint, _)) if checkpoint.origin != head.origin => {
                    self.troubles.push(Doubt::OtherLog {
                        name: name.clone(),
                        other: checkpoint.origin,
                        own: head.origin.clone(),
                    });
                }
                Ok((checkpoint, _)) => believed.push((name.clone(), checkpoint)),
            }
        }
        believed
    }

    /// Compares with the file's own checkpoint; who has signed it.
    fn checkpoint(
        &mut self,
        head: &ExportHead,
        keys: &[VerifyingKey],
        tree: &Frontier,
    ) -> io::Result<Option<String>> {
        let name = "at the end of the file".to_owned();
        let Ok(note) = String::from_utf8(self.lines.rest()?) else {
            self.form("the checkpoint is no text");
            return Ok(None);
        };
        let (signed, key) = match Checkpoint::open(&note, keys) {
            Ok(opened) => opened,
            Err(error) => {
                self.troubles.push(Doubt::Signature { name, error });
                return Ok(None);
            }
        };
        if signed.origin != head.origin {
            let (other, own) = (signed.origin, head.origin.clone());
            self.troubles.push(Doubt::OtherLog { name, other, own });
        }
        if signed.size != tree.size() || signed.size != head.size {
            self.troubles.push(Doubt::Count { found: tree.size(), signed: signed.size });
        } else if signed.root != tree.root() {
            self.troubles.push(Doubt::Root { computed: tree.root(), signed: signed.root });
        }
        Ok(Some(key.to_string()))
    }

    fn compare(
        &mut self,
        name: &str,
        checkpoint: &Checkpoint,
        head: &ExportHead,
        tree: &Frontier,
        roots: &BTreeMap<u64, Hash>,
    ) {
        let (name, there) = (name.to_owned(), checkpoint.size);
        let doubt = if there < head.first {
            Doubt::Before { name, there, first: head.first }
        } else if there > tree.size() {
            Doubt::Cut { name, there, own: tree.size() }
        } else {
            match roots.get(&there) {
                Some(computed) if *computed != checkpoint.root => Doubt::Rewritten {
                    name,
                    size: there,
                    said: checkpoint.root,
                    computed: *computed,
                },
                _ => return,
            }
        };
        self.troubles.push(doubt);
    }
}

/// What entries say of themselves.
#[derive(Default)]
struct Seen {
    hidden: u64,
    first_hidden: u64,
    numbers: BTreeMap<u64, u64>,
    missing: Vec<Doubt>,
}

impl Seen {
    fn take(&mut self, index: u64, line: &[u8], tree: &mut Frontier) {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        if let Some(hash) = value.get("hash").and_then(Value::as_str).and_then(Hash::parse) {
            if self.hidden == 0 {
                self.first_hidden = index;
            }
            self.hidden += 1;
            // Who wrote it, and which number it had, is not known: the next one of each writer begins anew.
            self.numbers.clear();
            tree.push(hash);
            return;
        }
        tree.push(Hash::leaf(line));
        if let Some(gap) = value.get("gap") {
            let writer = gap["writer"].as_u64().unwrap_or_default();
            let what = match (gap["from"].as_u64(), gap["to"].as_u64()) {
                (Some(from), Some(to)) => {
                    self.numbers.insert(writer, to);
                    format!("numbers {from} to {to} were not there when the log was sealed")
                }
                _ => format!("number {} came again", gap["again"]),
            };
            self.told(Doubt::Missing { index, writer, what });
            return;
        }
        let (Some(writer), Some(no)) = (value["writer"].as_u64(), value["no"].as_u64()) else {
            return;
        };
        let last = self.numbers.insert(writer, no);
        if let Some(last) = last.filter(|last| last + 1 != no) {
            let what = format!("number {no} follows number {last}");
            self.told(Doubt::Missing { index, writer, what });
        }
    }

    fn told(&mut self, doubt: Doubt) {
        if self.missing.len() < TOLD_MAX {
            self.missing.push(doubt);
        }
    }

    fn tell(self, troubles: &mut Vec<Doubt>) {
        if self.hidden > 0 {
            troubles.push(Doubt::Hidden { count: self.hidden, first: self.first_hidden });
        }
        troubles.extend(self.missing);
    }
}
