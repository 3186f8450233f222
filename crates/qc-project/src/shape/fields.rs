//! The fields of one object: read from a file, or described without one.

use qc_document::{ObjectReader, Reader, Span};
use qc_model::Code;
use serde_json::{Map, Value, json};

use super::{Definitions, Shape};

/// What a [`super::Record`] asks for its fields.
pub(crate) struct Fields<'r, 'n>(Mode<'r, 'n>);

enum Mode<'r, 'n> {
    Reading(ObjectReader<'r, 'n>),
    Describing {
        properties: Map<String, Value>,
        required: Vec<&'static str>,
        definitions: Definitions,
    },
}

impl<'r, 'n> Fields<'r, 'n> {
    pub(super) fn reading(object: ObjectReader<'r, 'n>) -> Self {
        Self(Mode::Reading(object))
    }

    pub(super) fn describing(definitions: Definitions) -> Self {
        Self(Mode::Describing { properties: Map::new(), required: Vec::new(), definitions })
    }

    /// A key that must be there.
    pub(crate) fn required<T: Shape>(&mut self, key: &'static str, doc: &str) -> Option<T> {
        match &mut self.0 {
            Mode::Reading(object) => {
                let node = object.required(key)?;
                T::read(node, &format!("`{key}`"), object.reader())
            }
            Mode::Describing { required, .. } => {
                required.push(key);
                self.describe::<T>(key, doc);
                None
            }
        }
    }

    /// A key that may be left out.
    pub(crate) fn optional<T: Shape>(&mut self, key: &'static str, doc: &str) -> Option<T> {
        match &mut self.0 {
            Mode::Reading(object) => {
                let node = object.optional(key)?;
                T::read(node, &format!("`{key}`"), object.reader())
            }
            Mode::Describing { .. } => {
                self.describe::<T>(key, doc);
                None
            }
        }
    }

    /// A list or map that may be left out and is empty then.
    pub(crate) fn several<T: Shape + Default>(&mut self, key: &'static str, doc: &str) -> T {
        self.optional(key, doc).unwrap_or_default()
    }

    fn describe<T: Shape>(&mut self, key: &'static str, doc: &str) {
        let Mode::Describing { properties, definitions, .. } = &mut self.0 else { return };
        let mut schema = T::schema(definitions);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".into(), json!(doc));
        }
        properties.insert(key.to_owned(), schema);
    }

    /// Where the object stands; its first key, not its whole body.
    pub(crate) fn span(&self) -> Span {
        match &self.0 {
            Mode::Reading(object) => {
                let node = object.node();
                let first = node.as_mapping().and_then(|entries| entries.first());
                first.map_or(node.span, |(key, _)| Span {
                    start: node.span.start.min(key.span.start),
                    end: key.span.end,
                })
            }
            Mode::Describing { .. } => Span::default(),
        }
    }

    /// Whether the key stands in the file with a value, right or wrong. `null` is absent, as for [`Fields::optional`].
    pub(crate) fn has(&self, key: &str) -> bool {
        matches!(&self.0, Mode::Reading(object) if object.has_value(key))
    }

    /// The reader, when a file is read.
    pub(crate) fn reader(&self) -> Option<&Reader<'r>> {
        match &self.0 {
            Mode::Reading(object) => Some(object.reader()),
            Mode::Describing { .. } => None,
        }
    }

    /// Reports an error about the object, when a file is read.
    pub(crate) fn report(&self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        if let Some(reader) = self.reader() {
            reader.push(reader.error(code, span, message).help(help));
        }
    }

    /// Ends the reading: unknown keys are reported.
    pub(super) fn finish(self) {
        if let Mode::Reading(object) = self.0 {
            object.finish();
        }
    }

    /// Ends the description.
    pub(super) fn described(self, doc: &str) -> (Value, Definitions) {
        match self.0 {
            Mode::Reading(_) => (Value::Null, Definitions::new()),
            Mode::Describing { properties, required, definitions } => {
                let mut schema = json!({
                    "description": doc,
                    "type": "object",
                    "additionalProperties": false,
                    "properties": properties,
                });
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                (schema, definitions)
            }
        }
    }
}
