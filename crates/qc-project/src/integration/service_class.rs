//! How much depends on an integration when there is too much for all.

use qc_document::{Node, Reader};
use serde_json::Value;

use crate::shape::{Definitions, Shape, read_word, word_schema};

/// The classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceClass {
    /// It has a share that is kept for it, and a way to go on when a limit is used up.
    Critical,
    /// As usual.
    #[default]
    Standard,
    /// It may wait, and goes behind the others.
    Deferrable,
}

const CLASSES: &[(&str, ServiceClass)] = &[
    ("critical", ServiceClass::Critical),
    ("standard", ServiceClass::Standard),
    ("deferrable", ServiceClass::Deferrable),
];

impl Shape for ServiceClass {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(CLASSES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(CLASSES)
    }
}
