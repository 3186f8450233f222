//! What the scanner makes of what it reads: two builders, one grammar.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::node::{Key, Members, Node, NodeValue};
use crate::source::Span;

/// Makes values out of the scanner's events.
pub(super) trait Build {
    /// A finished value.
    type Out;
    /// An object under construction.
    type Members: Default;
    /// A key, once read.
    type Key: AsRef<str>;

    fn null(&mut self, at: Span) -> Self::Out;
    fn bool(&mut self, at: Span, value: bool) -> Self::Out;
    fn number(&mut self, at: Span, value: Number) -> Self::Out;
    fn string(&mut self, at: Span, text: Cow<'_, str>) -> Self::Out;
    fn sequence(&mut self, at: Span, items: Vec<Self::Out>) -> Self::Out;
    fn key(&mut self, at: Span, text: Cow<'_, str>) -> Self::Key;
    /// Adds an entry; for a key that is there already, answers where (if it knows).
    fn insert(members: &mut Self::Members, key: Self::Key, value: Self::Out)
    -> Result<(), Earlier>;
    fn mapping(&mut self, at: Span, members: Self::Members) -> Self::Out;
}

/// A key stood there before: where, if the builder keeps places.
pub(super) struct Earlier(pub(super) Option<Span>);

/// Builds nodes. Keys repeat a great deal in documents, so equal short keys share their memory.
#[derive(Default)]
pub(super) struct Tree {
    names: HashSet<Arc<str>>,
}

/// Longer keys are rarely repeated.
const SHARED_KEY_LIMIT: usize = 40;

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

impl Build for Tree {
    type Out = Node;
    type Members = Members;
    type Key = Key;

    fn null(&mut self, span: Span) -> Node {
        Node { span, value: NodeValue::Null }
    }

    fn bool(&mut self, span: Span, value: bool) -> Node {
        Node { span, value: NodeValue::Bool(value) }
    }

    fn number(&mut self, span: Span, value: Number) -> Node {
        Node { span, value: NodeValue::Number(value) }
    }

    fn string(&mut self, span: Span, text: Cow<'_, str>) -> Node {
        Node { span, value: NodeValue::String(Arc::from(text)) }
    }

    fn sequence(&mut self, span: Span, mut items: Vec<Node>) -> Node {
        items.shrink_to_fit();
        Node { span, value: NodeValue::Sequence(items) }
    }

    fn key(&mut self, span: Span, text: Cow<'_, str>) -> Key {
        if text.len() > SHARED_KEY_LIMIT {
            return Key { span, name: Arc::from(text) };
        }
        if let Some(name) = self.names.get(&*text) {
            return Key { span, name: Arc::clone(name) };
        }
        let name: Arc<str> = Arc::from(text);
        self.names.insert(Arc::clone(&name));
        Key { span, name }
    }

    fn insert(members: &mut Members, key: Key, node: Node) -> Result<(), Earlier> {
        members.insert(key, node).map_err(|earlier| Earlier(Some(earlier)))
    }

    fn mapping(&mut self, span: Span, members: Members) -> Node {
        Node { span, value: members.finish() }
    }
}

/// Builds plain values.
pub(super) struct Plain;

impl Build for Plain {
    type Out = Value;
    type Members = Map<String, Value>;
    type Key = String;

    fn null(&mut self, _: Span) -> Value {
        Value::Null
    }

    fn bool(&mut self, _: Span, value: bool) -> Value {
        Value::Bool(value)
    }

    fn number(&mut self, _: Span, value: Number) -> Value {
        Value::Number(value)
    }

    fn string(&mut self, _: Span, text: Cow<'_, str>) -> Value {
        Value::String(text.into_owned())
    }

    fn sequence(&mut self, _: Span, items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn key(&mut self, _: Span, text: Cow<'_, str>) -> String {
        text.into_owned()
    }

    fn insert(members: &mut Self::Members, key: String, value: Value) -> Result<(), Earlier> {
        match members.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(Earlier(None)),
        }
    }

    fn mapping(&mut self, _: Span, members: Self::Members) -> Value {
        Value::Object(members)
    }
}
