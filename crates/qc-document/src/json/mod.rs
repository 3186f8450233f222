//! JSON (RFC 8259), strictly, in one pass: into a tree with spans or straight into a `Value`.

mod build;
mod scan;
mod strings;

use std::sync::Arc;

use qc_model::{Code, Finding};
use serde_json::Value;

use crate::codes;
use crate::fault::Fault;
use crate::limits::ParseLimits;
use crate::node::Document;
use crate::source::{Source, Span};

/// Why bytes are not acceptable JSON. The message names kinds and places, never the payload's values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message} (byte {offset}{})", in_pointer(.pointer))]
pub struct JsonError {
    /// The stable code.
    pub code: Code,
    /// JSON Pointer of the innermost value that was being read.
    pub pointer: String,
    /// Byte offset.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

fn in_pointer(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(", in `{pointer}`") }
}

/// Parses a JSON file into a tree with spans.
pub fn parse_json(source: Source, limits: &ParseLimits) -> Result<Document, Box<Finding>> {
    let text = Arc::clone(&source.text);
    match scan::Scan::new(&text, limits, build::Tree::default()).document() {
        Ok(root) => Ok(Document { source, root }),
        Err(fault) => Err(fault.into_finding(&source)),
    }
}

/// Parses the bytes of a JSON file; what is not UTF-8 is a finding at the first wrong byte.
pub fn parse_json_bytes(
    path: &str,
    bytes: &[u8],
    limits: &ParseLimits,
) -> Result<Document, Box<Finding>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_json(Source::new(path, text), limits),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let source = Source::new(path, good);
            Err(not_utf8(error.valid_up_to()).into_finding(&source))
        }
    }
}

/// Parses bytes straight into a `Value`: same rules, no spans, made for the ingress path.
pub fn parse_json_value(bytes: &[u8], limits: &ParseLimits) -> Result<Value, JsonError> {
    let result = if bytes.len() > limits.bytes {
        Err(scan::too_long(limits))
    } else {
        match std::str::from_utf8(bytes) {
            Ok(text) => scan::Scan::new(text, limits, build::Plain).document(),
            Err(error) => Err(not_utf8(error.valid_up_to())),
        }
    };
    result.map_err(|fault| JsonError {
        pointer: fault.pointer(),
        offset: fault.span.start as usize,
        code: fault.code.clone(),
        message: fault.message.clone(),
    })
}

fn not_utf8(offset: usize) -> Fault {
    Fault::new(codes::ENCODING, Span::new(offset, offset), "the bytes are not UTF-8 text")
        .help("save or send the text as UTF-8")
}

#[cfg(test)]
mod tests;
