//! A description with only what a release uses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qc_document::{Node, NodeValue, pointer_segments};
use serde_json::{Map, Value, json};

use super::OpenApi;
use super::reading::ADDITIONAL;
use crate::documents::{At, fragment};
use crate::model::Method;

/// Where parts of other files go, by their reference.
const BUNDLED: &str = "x-bundled";

impl OpenApi {
    /// The description with only these operations and what they refer to. It is one JSON value whatever the number of
    /// files, deterministic, and loads again with [`OpenApi::from_text`].
    pub fn keep_only(&self, operation_ids: &[&str]) -> Value {
        let mut keeping = Keeping {
            api: self,
            kept: BTreeSet::new(),
            bundled: HashMap::new(),
            bundle: BTreeMap::new(),
            queue: Vec::new(),
        };
        let mut made = keeping.head();
        let wanted: BTreeSet<&str> = operation_ids.iter().copied().collect();
        made.insert("paths".to_owned(), keeping.paths(&wanted));
        keeping.schemes(&mut made);
        while let Some(at) = keeping.queue.pop() {
            if Keeping::keeps_place(&at) {
                keeping.keep(&at, &mut made);
            } else {
                keeping.take_along(&at);
            }
        }
        if !keeping.bundle.is_empty() {
            let bundle: Map<String, Value> =
                std::mem::take(&mut keeping.bundle).into_iter().collect();
            made.insert(BUNDLED.to_owned(), Value::Object(bundle));
        }
        let mut value = Value::Object(made);
        sort(&mut value);
        value
    }
}

struct Keeping<'a> {
    api: &'a OpenApi,
    /// Pointers of the entry file that are in the result.
    kept: BTreeSet<String>,
    bundled: HashMap<At, String>,
    bundle: BTreeMap<String, Value>,
    queue: Vec<At>,
}

impl Keeping<'_> {
    /// What belongs to the description as a whole.
    fn head(&mut self) -> Map<String, Value> {
        const HEAD: [&str; 11] = [
            "openapi",
            "swagger",
            "info",
            "servers",
            "host",
            "basePath",
            "schemes",
            "consumes",
            "produces",
            "security",
            "jsonSchemaDialect",
        ];
        let root = self.api.documents.root();
        let mut made = Map::new();
        for key in HEAD {
            if let Some(node) = root.get(key) {
                made.insert(key.to_owned(), node.to_value());
            }
        }
        made
    }

    fn paths(&mut self, wanted: &BTreeSet<&str>) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        for operation in &self.api.operations {
            if !wanted.contains(&*operation.id) {
                continue;
            }
            let (mut item_at, method) = parent(&operation.at());
            let is_additional = matches!(operation.method, Method::Other(_));
            if is_additional {
                item_at = parent(&item_at).0;
            }
            let item = self.api.documents.node(item_at.file, &item_at.pointer);
            let Some(item) = item else { continue };
            let mut made = match paths.remove(&*operation.path) {
                Some(Value::Object(made)) => made,
                _ => self.shared(&item_at, item),
            };
            let at = operation.at();
            if let Some(node) = self.api.documents.node(at.file, &at.pointer) {
                let mut value = self.value(&at, node);
                if operation.derived_id {
                    // So that the id stays the same when the path is all that is left.
                    value["operationId"] = Value::from(&*operation.id);
                }
                if is_additional {
                    let others = made.entry(ADDITIONAL).or_insert_with(|| json!({}));
                    others[method] = value;
                } else {
                    made.insert(method, value);
                }
            }
            paths.insert(operation.path.to_string(), Value::Object(made));
        }
        Value::Object(paths)
    }

    /// The part of a path item that all its methods share.
    fn shared(&mut self, at: &At, item: &Node) -> Map<String, Value> {
        let mut made = Map::new();
        for key in ["parameters", "servers", "summary", "description"] {
            if let Some(node) = item.get(key) {
                made.insert(key.to_owned(), self.value(&at.child(key), node));
            }
        }
        made
    }

    fn schemes(&mut self, made: &mut Map<String, Value>) {
        for pointer in ["/components/securitySchemes", "/securityDefinitions"] {
            if self.api.documents.root().at(pointer).is_some() {
                self.keep(&At { file: 0, pointer: pointer.to_owned() }, made);
            }
        }
    }

    /// A value with its references rewritten to where their targets will be.
    fn value(&mut self, at: &At, node: &Node) -> Value {
        match &node.value {
            NodeValue::Mapping(entries) => {
                let mut made = Map::new();
                for (key, child) in entries {
                    let value = match (&*key.name, &child.value) {
                        ("$ref", NodeValue::String(reference)) => {
                            Value::String(self.reference(at, reference))
                        }
                        ("mapping", NodeValue::Mapping(names)) if last_is(at, "discriminator") => {
                            self.mapping(at, names)
                        }
                        _ => self.value(&at.child(&key.name), child),
                    };
                    made.insert(key.name.to_string(), value);
                }
                Value::Object(made)
            }
            NodeValue::Sequence(items) => {
                let numbered = items.iter().enumerate();
                let values = numbered.map(|(n, item)| self.value(&at.child(&n.to_string()), item));
                Value::Array(values.collect())
            }
            _ => node.to_value(),
        }
    }

    fn mapping(&mut self, at: &At, names: &[(qc_document::Key, Node)]) -> Value {
        let mut made = Map::new();
        for (name, target) in names {
            let reference = target.as_str().unwrap_or_default();
            let is_reference = reference.contains(['#', '/', '.']);
            let value =
                if is_reference { self.reference(at, reference) } else { reference.to_owned() };
            made.insert(name.name.to_string(), Value::String(value));
        }
        Value::Object(made)
    }

    fn reference(&mut self, at: &At, reference: &str) -> String {
        let Ok(target) = self.api.documents.target(at.file, reference) else {
            return reference.to_owned();
        };
        if Self::keeps_place(&target) {
            let written = format!("#{}", fragment(&target.pointer));
            self.queue.push(target);
            return written;
        }
        if let Some(name) = self.bundled.get(&target) {
            return format!("#/{BUNDLED}/{}", fragment(&escaped(name)));
        }
        let path = &self.api.documents.source(target.file).path;
        let name = format!("{path}#{}", target.pointer);
        let written = format!("#/{BUNDLED}/{}", fragment(&escaped(&name)));
        self.bundled.insert(target.clone(), name);
        self.queue.push(target);
        written
    }

    /// Parts of other files, and of paths (which would come back as paths), cannot stay where they are.
    fn keeps_place(at: &At) -> bool {
        at.file == 0 && !at.pointer.starts_with("/paths/")
    }

    /// Copies a value of the entry file to the same place in the result.
    fn keep(&mut self, at: &At, made: &mut Map<String, Value>) {
        let pointer = keepable(self.api.documents.root(), &at.pointer);
        let is_kept = |kept: &BTreeSet<String>| {
            let mut prefix = String::new();
            pointer_segments(&pointer).any(|segment| {
                qc_document::push_pointer(&mut prefix, &segment);
                kept.contains(&prefix)
            })
        };
        if is_kept(&self.kept) {
            return;
        }
        self.kept.insert(pointer.clone());
        let Some(node) = self.api.documents.node(0, &pointer) else { return };
        let value = self.value(&At { file: 0, pointer: pointer.clone() }, node);
        put(made, &pointer, value);
    }

    /// Copies a value of another file into the bundle.
    fn take_along(&mut self, at: &At) {
        let Some(name) = self.bundled.get(at).cloned() else { return };
        if self.bundle.contains_key(&name) {
            return;
        }
        let Some(node) = self.api.documents.node(at.file, &at.pointer) else { return };
        let value = self.value(at, node);
        self.bundle.insert(name, value);
    }
}

/// A pointer cut where it enters a list: a list is kept whole, so that indexes stay right.
fn keepable(root: &Node, pointer: &str) -> String {
    let mut kept = String::new();
    let mut node = root;
    for segment in pointer_segments(pointer) {
        let NodeValue::Mapping(_) = &node.value else { break };
        let Some(child) = node.get(&segment) else { break };
        qc_document::push_pointer(&mut kept, &segment);
        node = child;
    }
    kept
}

fn put(made: &mut Map<String, Value>, pointer: &str, value: Value) {
    let segments: Vec<String> =
        pointer_segments(pointer).map(std::borrow::Cow::into_owned).collect();
    let Some((last, above)) = segments.split_last() else { return };
    let mut map = made;
    for segment in above {
        let entry = map.entry(segment.clone()).or_insert_with(|| Value::Object(Map::new()));
        match entry {
            Value::Object(inner) => map = inner,
            _ => return,
        }
    }
    // What is there already is a part of this value that was kept before; the whole replaces it.
    map.insert(last.clone(), value);
}

fn parent(at: &At) -> (At, String) {
    let (above, _) = at.pointer.rsplit_once('/').unwrap_or_default();
    let last = crate::documents::last_segment(&at.pointer);
    (At { file: at.file, pointer: above.to_owned() }, last)
}

fn last_is(at: &At, name: &str) -> bool {
    at.pointer.rsplit('/').next() == Some(name)
}

fn escaped(name: &str) -> String {
    let mut pointer = String::new();
    qc_document::push_pointer(&mut pointer, name);
    pointer.split_off(1)
}

/// Keys in order, so that the same content is the same bytes whatever map `serde_json` was built with.
fn sort(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = std::mem::take(map).into_iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            for (_, inner) in &mut entries {
                sort(inner);
            }
            map.extend(entries);
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}
