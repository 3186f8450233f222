//! The outside ledger: what reached a provider and what it did about it, in order. Kept apart from
//! the platform, so that a test can judge the platform by joining the two.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use qc_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Most entries kept in memory; a ledger file keeps all.
const ENTRY_LIMIT: usize = 100_000;
/// Most bytes of bodies kept in memory.
const BODY_LIMIT: usize = 64 << 20;

/// One request and its fate. A line of the ledger's file is this, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// When the request was received.
    pub at: Timestamp,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The document's operation; `token` for a token endpoint that the document does not list;
    /// absent when the request fits no operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Arc<str>>,
    /// The method.
    pub method: String,
    /// Path and query; credentials in the query are cut out.
    pub target: String,
    /// Header fields but for credentials; bytes that are no text are replaced.
    pub headers: Vec<(String, String)>,
    /// The idempotency key, where the provider takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The business reference, found as the simulator's file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// SHA-256 of the raw body, in hexadecimal.
    pub body_sha256: String,
    /// The raw body.
    pub body: LedgerBody,
    /// Whether the request took effect: something was made, changed or removed by it.
    pub applied: bool,
    /// Whether it got the remembered answer of an earlier request with the same key.
    pub replayed: bool,
    /// The fault that struck it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What came back.
    pub answered: Answered,
    /// The answer's content, while the entry is in memory; files do not have it.
    #[serde(skip)]
    pub content: Option<AnsweredContent>,
}

/// What an answer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredContent {
    /// Its media type; empty when it had none.
    pub media_type: String,
    /// Its body.
    pub body: Bytes,
}

/// A body as the ledger writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerBody {
    /// UTF-8 text.
    Text(String),
    /// Base64 of other bytes.
    Base64(String),
    /// Left out because it holds credentials.
    Withheld,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// With this status.
    Status(u16),
    /// Not at all: the connection was broken.
    Dropped,
    /// Not at all: the connection was left open.
    Hung,
}

/// Entries in memory, and in a file when there is one.
pub(crate) struct Ledger {
    entries: VecDeque<Arc<LedgerEntry>>,
    body_bytes: usize,
    written: u64,
    file: Option<File>,
    line: Vec<u8>,
}

impl Ledger {
    /// A ledger that appends to a file, if one is given. An existing file is continued; its
    /// numbering starts anew with each provider.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = match path {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Self { entries: VecDeque::new(), body_bytes: 0, written: 0, file, line: Vec::new() })
    }

    /// The number that the next entry gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.written + 1
    }

    /// Appends an entry. When this returns, the line is with the operating system: it survives the
    /// death of this process, though not of the machine.
    pub(crate) fn append(&mut self, entry: LedgerEntry) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            self.line.clear();
            serde_json::to_writer(&mut self.line, &entry)?;
            self.line.push(b'\n');
            file.write_all(&self.line)?;
        }
        self.written = entry.seq;
        self.body_bytes += entry.bytes();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > ENTRY_LIMIT || self.body_bytes > BODY_LIMIT {
            let Some(gone) = self.entries.pop_front() else { break };
            self.body_bytes -= gone.bytes();
        }
        Ok(())
    }

    /// Entries in memory with a greater number, oldest first.
    pub(crate) fn after(&self, seq: u64, limit: usize) -> Vec<Arc<LedgerEntry>> {
        let start = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.iter().skip(start).take(limit).cloned().collect()
    }

    /// How many entries were ever written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

impl LedgerEntry {
    /// What it keeps in memory of bodies.
    fn bytes(&self) -> usize {
        self.body.len() + self.content.as_ref().map_or(0, |content| content.body.len())
    }
}

impl LedgerBody {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Base64(text) => text.len(),
            Self::Withheld => 0,
        }
    }
}

/// Reads a ledger's file. A last line that was cut off by a crash is left out.
pub fn read_ledger(path: &Path) -> io::Result<Vec<LedgerEntry>> {
    let mut entries = Vec::new();
    let mut lines = BufReader::new(File::open(path)?).split(b'\n').peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_slice(&line?) {
            Ok(entry) => entries.push(entry),
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    Ok(entries)
}
