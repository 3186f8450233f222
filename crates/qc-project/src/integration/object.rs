//! Data objects.

pub use qc_data::DataClass;
use qc_document::{Node, Reader};
use qc_model::Name;
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
    /// The field that says which person it is about.
    pub subject: Option<Spanned<String>>,
    /// The tasks whose answers are such objects.
    pub received_by: Vec<Spanned<String>>,
    /// The tasks, and operations `<connector>.<operation>`, whose requests are such objects.
    pub sent_by: Vec<Spanned<String>>,
    /// The publications whose events have such data.
    pub published_as: Vec<Spanned<Name>>,
    /// The triggers whose senders get such an object as the answer when they wait for the end.
    pub answered_to: Vec<Spanned<Name>>,
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
        let subject = f.optional(
            "subject",
            "The field by which the person is known whom it is about, by dotted path; see `qc subject`.",
        );
        let received_by = f.several(
            "received_by",
            "The tasks whose answers are such objects. Events whose trigger has this schema as its contract are, too.",
        );
        let sent_by = f.several(
            "sent_by",
            "The tasks, by name or pointer, and operations (`<connector>.<operation>`) whose requests are such objects.",
        );
        let published_as =
            f.several("published_as", "The publications whose events have such data.");
        let answered_to = f.several(
            "answered_to",
            "The triggers whose senders get such an object when they wait for the end.",
        );
        Some(Self {
            schema: schema?,
            fields,
            default,
            subject,
            received_by,
            sent_by,
            published_as,
            answered_to,
        })
    }
}
