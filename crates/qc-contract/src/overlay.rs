//! OpenAPI Overlay 1.0 and 1.1: changes to a description that is not ours, kept beside it.

use std::collections::BTreeMap;

use qc_document::{
    Document, Key, Node, NodeValue, ObjectReader, Reader, Source, Span, pointer_segments,
    push_pointer,
};
use qc_model::Finding;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::codes;

/// Most actions of one overlay.
const ACTION_LIMIT: usize = 10_000;
/// Most places that one action may change.
const MATCH_LIMIT: usize = 100_000;

struct Action<'n> {
    target: JsonPath,
    span: Span,
    written: &'n str,
    deed: Deed<'n>,
}

enum Deed<'n> {
    Remove,
    Update(&'n Node),
    Copy(JsonPath),
}

/// Applies an overlay to the tree of a description. `overlaid` learns which places now come from the overlay.
pub(crate) fn apply(
    overlay: &Document,
    root: &mut Node,
    overlaid: &mut BTreeMap<String, Source>,
    findings: &mut Vec<Finding>,
) {
    let reader = Reader::new(&overlay.source);
    let (actions, replaces_scalars) = read(&reader, &overlay.root);
    // Paths are looked up in a plain value, which follows every change of the tree: later actions see what earlier ones
    // did.
    let mut value = root.to_value();
    for action in &actions {
        let pointers = matches(&action.target, &value);
        if pointers.is_empty() {
            let message = format!("the target `{}` matches nothing", action.written);
            let finding = reader.error(codes::OVERLAY_NO_MATCH, action.span, message);
            reader.push(
                finding.help("the description may have changed; correct or drop this action"),
            );
            continue;
        }
        if pointers.len() > MATCH_LIMIT {
            let message = format!("the target matches more than {MATCH_LIMIT} places");
            reader.report(codes::OVERLAY, action.span, message);
            continue;
        }
        let report = |problem: String| reader.report(codes::OVERLAY, action.span, problem);
        match &action.deed {
            Deed::Remove => remove(root, &mut value, pointers),
            Deed::Update(update) => {
                let change = Change { source: &overlay.source, overlaid, replaces_scalars };
                change.update_all(root, &mut value, &pointers, update, &report);
            }
            Deed::Copy(from) => {
                let sources = matches(from, &value);
                let [from] = &sources[..] else {
                    let message =
                        format!("`copy` must name exactly one place, but names {}", sources.len());
                    reader.report(codes::OVERLAY, action.span, message);
                    continue;
                };
                let Some(copied) = root.at(from).cloned() else { continue };
                let change = Change { source: &overlay.source, overlaid, replaces_scalars };
                change.update_all(root, &mut value, &pointers, &copied, &report);
            }
        }
    }
    findings.extend(reader.finish());
}

fn read<'n>(reader: &'n Reader<'_>, root: &'n Node) -> (Vec<Action<'n>>, bool) {
    let Some(mut top) = reader.object(root, "the overlay") else { return (Vec::new(), false) };
    let version = top.string("overlay").unwrap_or_default();
    let is_known = version.starts_with("1.0") || version.starts_with("1.1");
    if !is_known && let Some(node) = root.get("overlay") {
        let message = format!("version `{version}` of overlays is not known");
        reader.push(
            reader.error(codes::OVERLAY, node.span, message).help("known are 1.0.0 and 1.1.0"),
        );
    }
    if let Some(mut info) = top.object("info") {
        info.string("title");
        info.string("version");
        info.optional_string("description");
        info.with_prefix("x-");
        info.finish();
    }
    top.optional_string("extends");
    let objects = top.objects("actions");
    if objects.len() > ACTION_LIMIT {
        reader.report(
            codes::OVERLAY,
            root.span,
            format!("there are more than {ACTION_LIMIT} actions"),
        );
    }
    let actions = objects.into_iter().take(ACTION_LIMIT).filter_map(|one| action(reader, one));
    let actions = actions.collect();
    top.with_prefix("x-");
    top.finish();
    (actions, version.starts_with("1.1"))
}

fn action<'n>(reader: &'n Reader<'_>, mut object: ObjectReader<'n, 'n>) -> Option<Action<'n>> {
    let span = object.node().get("target").map_or(object.span(), |target| target.span);
    let written = object.string("target");
    object.optional_string("description");
    let update = object.entry("update").map(|(_, node)| node);
    let remove = object.optional_bool("remove").unwrap_or(false);
    let copy = object.optional_string("copy");
    object.with_prefix("x-");
    object.finish();
    let written = written?;
    let target = path(reader, written, span)?;
    let deed = match (remove, update, copy) {
        (true, _, _) => Deed::Remove,
        (false, Some(update), None) => Deed::Update(update),
        (false, None, Some(from)) => Deed::Copy(path(reader, from, span)?),
        _ => {
            let message = "an action needs one of `update`, `remove: true` and `copy`";
            reader.report(codes::OVERLAY, span, message);
            return None;
        }
    };
    Some(Action { target, span, written, deed })
}

fn path(reader: &Reader<'_>, written: &str, span: Span) -> Option<JsonPath> {
    match JsonPath::parse(written) {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("`{written}` is no JSONPath: {error}");
            let help = "paths follow RFC 9535; names with `-` or `/` need brackets: `$['x-a']`";
            reader.push(reader.error(codes::OVERLAY, span, message).help(help));
            None
        }
    }
}

fn matches(path: &JsonPath, value: &Value) -> Vec<String> {
    let located = path.query_located(value).dedup();
    located.locations().map(serde_json_path::NormalizedPath::to_json_pointer).collect()
}

/// Removes places; of a list the last first, so that the indexes before stay right.
fn remove(root: &mut Node, value: &mut Value, mut pointers: Vec<String>) {
    let order = |pointer: &String| {
        pointer_segments(pointer)
            .map(|segment| (segment.parse::<usize>().unwrap_or(0), segment.into_owned()))
            .collect::<Vec<_>>()
    };
    pointers.sort_by_cached_key(order);
    for pointer in pointers.iter().rev() {
        let Some((parent, _)) = pointer.rsplit_once('/') else { continue };
        let Some(name) = pointer_segments(pointer).last() else { continue };
        match node_mut(root, parent).map(|parent| &mut parent.value) {
            Some(NodeValue::Mapping(entries)) => entries.retain(|(key, _)| *key.name != *name),
            Some(NodeValue::Sequence(items)) => {
                if let Some(index) = index(&name).filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
        match value.pointer_mut(parent) {
            Some(Value::Object(map)) => {
                map.remove(&*name);
            }
            Some(Value::Array(items)) => {
                if let Some(index) = index(&name).filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
    }
}

fn index(segment: &str) -> Option<usize> {
    segment.parse().ok()
}

fn node_mut<'n>(root: &'n mut Node, pointer: &str) -> Option<&'n mut Node> {
    let mut node = root;
    for segment in pointer_segments(pointer) {
        node = match &mut node.value {
            NodeValue::Mapping(entries) => {
                &mut entries.iter_mut().find(|(key, _)| *key.name == *segment)?.1
            }
            NodeValue::Sequence(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(node)
}

struct Change<'c> {
    source: &'c Source,
    overlaid: &'c mut BTreeMap<String, Source>,
    replaces_scalars: bool,
}

impl Change<'_> {
    fn update_all(
        mut self,
        root: &mut Node,
        value: &mut Value,
        pointers: &[String],
        update: &Node,
        report: &dyn Fn(String),
    ) {
        for pointer in pointers {
            if let Err(problem) = self.update(root, pointer, update) {
                report(problem);
            }
            if let (Some(node), Some(place)) = (root.at(pointer), value.pointer_mut(pointer)) {
                *place = node.to_value();
            }
        }
    }

    fn update(&mut self, root: &mut Node, pointer: &str, update: &Node) -> Result<(), String> {
        let Some(target) = node_mut(root, pointer) else { return Ok(()) };
        match (&mut target.value, &update.value) {
            (NodeValue::Mapping(entries), NodeValue::Mapping(changes)) => {
                self.merge(entries, changes, pointer);
            }
            (NodeValue::Mapping(_), _) => {
                return Err(format!("the target is an object, but `update` is {}", update.kind()));
            }
            (NodeValue::Sequence(items), _) => {
                self.note(pointer, &items.len().to_string());
                items.push(update.clone());
            }
            _ if self.replaces_scalars => {
                self.overlaid.insert(pointer.to_owned(), self.source.clone());
                *target = update.clone();
            }
            _ => {
                return Err(format!(
                    "the target is {}; only objects and lists can be updated",
                    target.kind()
                ));
            }
        }
        Ok(())
    }

    /// Objects merge, lists are joined, anything else is replaced.
    fn merge(&mut self, entries: &mut Vec<(Key, Node)>, changes: &[(Key, Node)], pointer: &str) {
        for (key, change) in changes {
            let existing = entries.iter_mut().find(|(name, _)| name.name == key.name);
            let Some((_, existing)) = existing else {
                self.note(pointer, &key.name);
                entries.push((key.clone(), change.clone()));
                continue;
            };
            match (&mut existing.value, &change.value) {
                (NodeValue::Mapping(inner), NodeValue::Mapping(changes)) => {
                    let mut below = pointer.to_owned();
                    push_pointer(&mut below, &key.name);
                    self.merge(inner, changes, &below);
                }
                (NodeValue::Sequence(items), NodeValue::Sequence(more)) => {
                    items.extend(more.iter().cloned());
                }
                _ => {
                    self.note(pointer, &key.name);
                    *existing = change.clone();
                }
            }
        }
    }

    fn note(&mut self, pointer: &str, segment: &str) {
        let mut own = pointer.to_owned();
        push_pointer(&mut own, segment);
        self.overlaid.insert(own, self.source.clone());
    }
}

#[cfg(test)]
mod tests;
