//! A sender's own documents, rewritten to another version of a contract, and verified.

use qc_document::{ParseLimits, parse_json_value};
use qc_version::{Versions, laws::Link};
use serde_json::{Value, json};

/// From one version to another one, which may be the older one.
#[derive(Debug, Clone, Copy)]
pub struct Migration<'a> {
    /// The versions of the contract.
    pub versions: &'a Versions,
    /// From which, counted from the oldest.
    pub from: usize,
    /// To which.
    pub to: usize,
}

/// How documents stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One document.
    Json,
    /// One on each line.
    Lines,
}

impl Form {
    /// By the end of a file's name: `.ndjson` and `.jsonl` have a document on each line.
    pub fn of(name: &str) -> Self {
        let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
        match end.as_deref() {
            Some("ndjson" | "jsonl") => Self::Lines,
            _ => Self::Json,
        }
    }
}

/// Why a document is not rewritten. Names fields and steps, and no values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its line, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// A file's text, rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// How many documents became others.
    pub changed: usize,
    /// How many were in the version already.
    pub already: usize,
}

/// Whether a document is what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong, and nothing when it passes.
    pub failed: Option<String>,
}

impl Verdict {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let word = if self.failed.is_some() { "failed" } else { "passed" };
        json!({ "line": self.line, "verdict": word, "reason": self.failed })
    }
}

impl Migration<'_> {
    /// Rewrites a text. A document that the target admits and the origin does not is there already: doing it twice does
    /// no harm.
    ///
    /// Errors: each document that cannot be rewritten; then nothing is.
    pub fn rewrite(&self, text: &str, form: Form) -> Result<Rewritten, Vec<Refusal>> {
        let (mut rewritten, mut refused) =
            (Rewritten { text: String::new(), changed: 0, already: 0 }, Vec::new());
        for Piece { line, text: piece, document } in pieces(text, form) {
            let document = match document {
                Some(Ok(document)) => document,
                Some(Err(why)) => {
                    refused.push(Refusal { line, why });
                    continue;
                }
                None => {
                    rewritten.text.push_str(piece);
                    continue;
                }
            };
            if self.is_there(&document) {
                rewritten.already += 1;
                rewritten.text.push_str(piece);
                continue;
            }
            match self.take(&document) {
                Ok(taken) => {
                    rewritten.changed += usize::from(taken != document);
                    rewritten.text.push_str(&written(&taken, piece));
                }
                Err(why) => refused.push(Refusal { line, why }),
            }
        }
        if refused.is_empty() { Ok(rewritten) } else { Err(refused) }
    }

    /// Says of each document whether the target admits it, and whether what goes to the origin and returns is what it
    /// was, but for what the steps say they lose.
    pub fn verify(&self, text: &str, form: Form) -> Vec<Verdict> {
        let with = pieces(text, form).filter_map(|piece| Some((piece.line, piece.document?)));
        with.map(|(line, document)| {
            let failed = document.and_then(|document| self.passes(document)).err();
            Verdict { line, failed }
        })
        .collect()
    }

    fn is_there(&self, document: &Value) -> bool {
        let entries = self.versions.entries();
        self.from != self.to
            && entries[self.to].contract.admits(document)
            && !entries[self.from].contract.admits(document)
    }

    fn take(&self, document: &Value) -> Result<Value, String> {
        self.held(self.from, document)?;
        let chain = self.versions.events();
        let taken = chain
            .convert(document.clone(), self.from, self.to)
            .map_err(|error| error.to_string())?;
        self.held(self.to, &taken)?;
        Ok(taken)
    }

    fn held(&self, at: usize, document: &Value) -> Result<(), String> {
        let entry = &self.versions.entries()[at];
        match entry.contract.check(document).first() {
            None => Ok(()),
            Some(mismatch) => Err(format!("version {} does not admit it: {mismatch}", entry.name)),
        }
    }

    fn passes(&self, mut document: Value) -> Result<(), String> {
        self.held(self.to, &document)?;
        let (entries, chain) = (self.versions.entries(), self.versions.events());
        let is_up = self.from <= self.to;
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        for at in 0..high - low {
            // From the target towards the origin, neighbour by neighbour.
            let older = if is_up { high - at - 1 } else { low + at };
            let link = Link {
                older: &entries[older].contract,
                newer: &entries[older + 1].contract,
                steps: chain.link(older),
            };
            let given = std::slice::from_ref(&document);
            let broken = if is_up { link.check(&[], given) } else { link.check(given, &[]) };
            if let Some(broken) = broken.first() {
                return Err(format!(
                    "between {} and {}, {} is broken: {}",
                    entries[older].name,
                    entries[older + 1].name,
                    broken.law,
                    broken.detail
                ));
            }
            let (here, there) = if is_up { (older + 1, older) } else { (older, older + 1) };
            document = chain.convert(document, here, there).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// A part of a text: a document, or what is empty.
struct Piece<'a> {
    line: usize,
    text: &'a str,
    document: Option<Result<Value, String>>,
}

fn pieces(text: &str, form: Form) -> impl Iterator<Item = Piece<'_>> {
    let parts: Vec<&str> = match form {
        Form::Json => vec![text],
        Form::Lines => text.split_inclusive('\n').collect(),
    };
    parts.into_iter().enumerate().map(move |(at, text)| {
        // An empty file of one document is a mistake; an empty line is none.
        let document = (form == Form::Json || !text.trim().is_empty()).then(|| {
            parse_json_value(text.trim().as_bytes(), &ParseLimits::default())
                .map_err(|error| error.to_string())
        });
        Piece { line: at + 1, text, document }
    })
}

/// As the piece was written: over several lines or on one, and with its end.
fn written(document: &Value, piece: &str) -> String {
    let inner = piece.trim();
    let text = if inner.contains('\n') {
        serde_json::to_string_pretty(document).unwrap_or_default()
    } else {
        document.to_string()
    };
    let end = &piece[piece.trim_end().len()..];
    format!("{text}{end}")
}
