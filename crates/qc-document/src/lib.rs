//! YAML and JSON text made into a tree that remembers where everything stood.
//!
//! Here: [`parse_yaml`], [`parse_json`] and [`parse`] (text to [`Document`]), [`parse_json_value`] (bytes to a plain
//! `serde_json::Value`, for payloads on the hot path), and [`Reader`], with which every schema of the platform is read:
//! one line a field, all problems at once, each with its place.
//!
//! Not here: any schema (those live in the crates that own them), file access, JSON Schema validation
//! (`qc-contract`), and writing YAML.

pub mod codes;
mod duration;
mod fault;
mod json;
mod limits;
mod node;
mod pointer;
mod reader;
mod scalar;
mod source;
mod suggest;
mod yaml;

pub use duration::{DurationError, parse_duration};
pub use json::{JsonError, parse_json, parse_json_bytes, parse_json_value};
pub use limits::ParseLimits;
pub use node::{Document, Key, Node, NodeValue};
pub use pointer::{pointer_segments, push_pointer};
pub use reader::{ObjectReader, Reader};
pub use source::{Source, Span};
pub use suggest::closest;
pub use yaml::parse_yaml;

use qc_model::Finding;

/// Parses by the extension of the path: `.json` is JSON, everything else is YAML (which JSON text also is).
pub fn parse(source: Source, limits: &ParseLimits) -> Result<Document, Box<Finding>> {
    let is_json = std::path::Path::new(&*source.path)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json { parse_json(source, limits) } else { parse_yaml(source, limits) }
}
