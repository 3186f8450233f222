//! The shape of a file kind, told once: the code that reads a file also describes it, so that the reader and the
//! JSON Schema for editors cannot differ.
//!
//! A [`Shape`] is anything that can stand in a file. A [`Record`] is an object: its `fields` function names every
//! key once, with its documentation; run over a file it reads, run without one it describes.

mod fields;
mod quantity;
mod reference;
mod scalar;

pub(crate) use fields::Fields;
pub use quantity::{ByteSize, Rate};
pub use reference::{Jq, ProjectPath, Version};
pub use scalar::Integer;
pub(crate) use scalar::{parse, read_word, word_schema};

use std::collections::BTreeMap;
use std::ops::Deref;

use qc_document::{Node, Reader, Span};
use qc_model::Name;
use serde_json::{Map, Value, json};

/// Something that can stand in a file.
pub(crate) trait Shape: Sized {
    /// Reads it; whatever is wrong is reported to the reader. `what` names it in findings.
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self>;

    /// Its JSON Schema; records put theirs among the definitions and answer a reference.
    fn schema(definitions: &mut Definitions) -> Value;
}

/// An object with known keys.
pub(crate) trait Record: Sized {
    /// Its name among the schema's definitions.
    const NAME: &'static str;
    /// What it is, in one sentence, for editors.
    const DOC: &'static str;

    /// Names every key once. Must ask for all keys before it gives up on any of them: without a file at hand every
    /// answer is `None`, and what was asked for becomes the schema.
    fn fields(fields: &mut Fields<'_, '_>) -> Option<Self>;
}

/// The `$defs` of a schema.
pub(crate) type Definitions = BTreeMap<&'static str, Value>;

impl<T: Record> Shape for T {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let mut fields = Fields::reading(reader.object(node, what)?);
        let value = T::fields(&mut fields);
        fields.finish();
        value
    }

    fn schema(definitions: &mut Definitions) -> Value {
        if !definitions.contains_key(T::NAME) {
            definitions.insert(T::NAME, Value::Null);
            let mut fields = Fields::describing(std::mem::take(definitions));
            // Nothing can be read, so the answer is always nothing; what counts is what was asked for.
            drop(T::fields(&mut fields));
            let (schema, all) = fields.described(T::DOC);
            *definitions = all;
            definitions.insert(T::NAME, schema);
        }
        json!({ "$ref": format!("#/$defs/{}", T::NAME) })
    }
}

/// The JSON Schema (2020-12) of a file whose top is `T`.
pub(crate) fn file_schema<T: Shape>(title: &str, id: &str) -> Value {
    let mut definitions = Definitions::new();
    let top = T::schema(&mut definitions);
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$id".into(), json!(id));
    schema.insert("title".into(), json!(title));
    if let Value::Object(top) = top {
        schema.extend(top);
    }
    schema.insert("$defs".into(), json!(definitions));
    Value::Object(schema)
}

/// A value and where it stood.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stood.
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Shape> Shape for Spanned<T> {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        Some(Self { value: T::read(node, what, reader)?, span: node.span })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let items = reader.list(node, what)?.iter().enumerate();
        let bare = what.trim_matches('`');
        Some(
            items
                .filter_map(|(at, item)| T::read(item, &format!("`{bare}[{at}]`"), reader))
                .collect(),
        )
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": T::schema(definitions) })
    }
}

/// Entries whose keys are names of the user's choosing, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<K, T>(Vec<(Spanned<K>, T)>);

impl<K, T> Default for Named<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, T> Named<K, T> {
    /// The entry with this name.
    pub fn get<Q>(&self, name: &Q) -> Option<&T>
    where
        K: std::borrow::Borrow<Q>,
        Q: PartialEq + ?Sized,
    {
        self.entry(name).map(|(_, value)| value)
    }

    /// The name, with its place, and the entry.
    pub fn entry<Q>(&self, name: &Q) -> Option<(&Spanned<K>, &T)>
    where
        K: std::borrow::Borrow<Q>,
        Q: PartialEq + ?Sized,
    {
        self.0.iter().find(|(key, _)| key.value.borrow() == name).map(|(key, value)| (key, value))
    }

    /// All entries in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&Spanned<K>, &T)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// All names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| &key.value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a key chosen by the user must look like.
pub(crate) trait KeyShape: Sized {
    /// Reads the key.
    fn key(text: &str) -> Result<Self, String>;
    /// The JSON Schema of the key.
    fn key_schema() -> Value;
}

impl KeyShape for String {
    fn key(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn key_schema() -> Value {
        json!({ "type": "string" })
    }
}

impl KeyShape for Name {
    fn key(text: &str) -> Result<Self, String> {
        Self::new(text).map_err(|error| error.to_string())
    }
    fn key_schema() -> Value {
        json!({ "pattern": scalar::NAME_PATTERN })
    }
}

impl<K: KeyShape, T: Shape> Shape for Named<K, T> {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let bare = what.trim_matches('`');
        let mut entries = Vec::new();
        for (key, value) in reader.entries(node, what)? {
            let name = match K::key(&key.name) {
                Ok(name) => Some(Spanned { value: name, span: key.span }),
                Err(error) => {
                    reader.report(qc_document::codes::INVALID_VALUE, key.span, error);
                    None
                }
            };
            let value = T::read(value, &format!("`{bare}.{}`", key.name), reader);
            entries.extend(name.zip(value));
        }
        Some(Self(entries))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "propertyNames": K::key_schema(),
            "additionalProperties": T::schema(definitions),
        })
    }
}
