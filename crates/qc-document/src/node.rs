//! The tree: values in the order in which they were written, each with its span.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::pointer::{index_of, pointer_segments};
use crate::source::{Source, Span};

/// A parsed file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text that it came from.
    pub source: Source,
    /// The top node; an empty YAML file has a `Null` here.
    pub root: Node,
}

/// A value and where it stood. Nodes that came from a YAML alias carry the span of the anchored text.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stood.
    pub span: Span,
    /// What it is.
    pub value: NodeValue,
}

/// The value of a node: the JSON data model, with mappings in source order.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any finite number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// `[…]`
    Sequence(Vec<Node>),
    /// `{…}`; keys are unique.
    Mapping(Vec<(Key, Node)>),
}

/// The name of a mapping's entry and where it stood. Equal names often share their memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where the key stood, quotes included.
    pub span: Span,
    /// The name.
    pub name: Arc<str>,
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key and value under a key of a mapping.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Self)> {
        let entries = self.as_mapping()?;
        entries.iter().find(|(name, _)| &*name.name == key).map(|(name, node)| (name, node))
    }

    /// The node at a JSON Pointer (`""` is this node).
    pub fn at(&self, json_pointer: &str) -> Option<&Self> {
        let mut node = self;
        for segment in pointer_segments(json_pointer) {
            node = match &node.value {
                NodeValue::Mapping(_) => node.get(&segment)?,
                NodeValue::Sequence(items) => items.get(index_of(&segment)?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// The span of the key that the last segment of a pointer names; in a sequence, the span of the item.
    pub fn key_span_at(&self, json_pointer: &str) -> Option<Span> {
        let (parent, _) = json_pointer.rsplit_once('/')?;
        let name = pointer_segments(json_pointer).last()?;
        let parent = self.at(parent)?;
        match &parent.value {
            NodeValue::Mapping(_) => parent.entry(&name).map(|(key, _)| key.span),
            NodeValue::Sequence(items) => items.get(index_of(&name)?).map(|item| item.span),
            _ => None,
        }
    }

    /// The deepest node that a pointer reaches: where to point when the full pointer leads to nothing.
    pub fn nearest(&self, json_pointer: &str) -> &Self {
        let mut node = self;
        for segment in pointer_segments(json_pointer) {
            let next = match &node.value {
                NodeValue::Mapping(_) => node.get(&segment),
                NodeValue::Sequence(items) => index_of(&segment).and_then(|at| items.get(at)),
                _ => None,
            };
            match next {
                Some(found) => node = found,
                None => break,
            }
        }
        node
    }

    /// The text, when it is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let NodeValue::String(text) = &self.value { Some(text) } else { None }
    }

    /// The truth value, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let NodeValue::Bool(value) = &self.value { Some(*value) } else { None }
    }

    /// The integer, when it is a number without a fraction that fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let NodeValue::Number(number) = &self.value { number.as_i64() } else { None }
    }

    /// The number.
    pub fn as_f64(&self) -> Option<f64> {
        if let NodeValue::Number(number) = &self.value { number.as_f64() } else { None }
    }

    /// The items, when it is a sequence.
    pub fn as_sequence(&self) -> Option<&[Self]> {
        if let NodeValue::Sequence(items) = &self.value { Some(items) } else { None }
    }

    /// The entries, when it is a mapping.
    pub fn as_mapping(&self) -> Option<&[(Key, Self)]> {
        if let NodeValue::Mapping(entries) = &self.value { Some(entries) } else { None }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// The kind, with its article, as findings say it: `a string`, `an object`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "null",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Number(_) => "a number",
            NodeValue::String(_) => "a string",
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "an object",
        }
    }

    /// The same data without spans.
    pub fn to_value(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value) => Value::Bool(*value),
            NodeValue::Number(number) => Value::Number(number.clone()),
            NodeValue::String(text) => Value::String(text.to_string()),
            NodeValue::Sequence(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            NodeValue::Mapping(entries) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    map.insert(key.name.to_string(), node.to_value());
                }
                Value::Object(map)
            }
        }
    }

    /// How many nodes this tree has and how deep it nests (a scalar: 1 node, depth 0).
    pub(crate) fn size(&self) -> (usize, usize) {
        let sum = |(nodes, depth): (usize, usize), child: &Self| {
            let (below, deeper) = child.size();
            (nodes + below, depth.max(deeper + 1))
        };
        match &self.value {
            NodeValue::Sequence(items) => items.iter().fold((1, 1), sum),
            NodeValue::Mapping(entries) => entries.iter().map(|(_, n)| n).fold((1, 1), sum),
            _ => (1, 0),
        }
    }
}

/// A mapping while it is being built: finds repeated keys in constant time once it is large.
#[derive(Default)]
pub(crate) struct Members {
    entries: Vec<(Key, Node)>,
    index: Option<HashMap<Arc<str>, Span>>,
}

impl Members {
    /// From this size on, an index replaces the linear look for a repeated key.
    const INDEX_FROM: usize = 24;

    /// Adds an entry, or answers where the same key stood before.
    pub(crate) fn insert(&mut self, key: Key, node: Node) -> Result<(), Span> {
        if let Some(earlier) = self.find(&key.name) {
            return Err(earlier);
        }
        if let Some(index) = &mut self.index {
            index.insert(Arc::clone(&key.name), key.span);
        }
        self.entries.push((key, node));
        if self.index.is_none() && self.entries.len() == Self::INDEX_FROM {
            let pairs = self.entries.iter().map(|(key, _)| (Arc::clone(&key.name), key.span));
            self.index = Some(pairs.collect());
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<Span> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => {
                self.entries.iter().find(|(key, _)| &*key.name == name).map(|(key, _)| key.span)
            }
        }
    }

    pub(crate) fn finish(mut self) -> NodeValue {
        self.entries.shrink_to_fit();
        NodeValue::Mapping(self.entries)
    }
}
