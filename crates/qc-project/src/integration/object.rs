//! Data objects.

use qc_document::{Node, Reader};
use serde_json::Value;

use crate::shape::{
    Definitions, Fields, Named, ProjectPath, Record, Shape, Spanned, read_word, word_schema,
};

/// Data that the integration moves.
#[derive(Debug, Clone)]
pub struct DataObject {
    /// Its JSON Schema.
    pub schema: ProjectPath,
    /// The class of each field, by dotted path (`customer.email`).
    pub fields: Named<String, Spanned<DataClass>>,
    /// The class of the fields that are not named.
    pub default: Option<DataClass>,
}

/// How sensitive data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataClass {
    /// Anybody may see it.
    Public,
    /// Anybody in the organisation may.
    Internal,
    /// Only who needs it.
    Confidential,
    /// It is about a person.
    Personal,
    /// It is regulated: health, payment, and the like.
    Regulated,
}

const CLASSES: &[(&str, DataClass)] = &[
    ("public", DataClass::Public),
    ("internal", DataClass::Internal),
    ("confidential", DataClass::Confidential),
    ("personal", DataClass::Personal),
    ("regulated", DataClass::Regulated),
];

impl Shape for DataClass {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(CLASSES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(CLASSES)
    }
}

impl Record for DataObject {
    const NAME: &'static str = "object";
    const DOC: &'static str = "Data that the integration moves.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let schema = f.required("schema", "The object's JSON Schema, a file of this folder.");
        let fields =
            f.several("fields", "The data class of each field, by dotted path (`customer.email`).");
        let default = f.optional("default", "The class of fields that are not named.");
        Some(Self { schema: schema?, fields, default })
    }
}
