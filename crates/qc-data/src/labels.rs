use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use crate::DataClass;

/// Stands for every item of a list in a path.
const EACH: &str = "*";
/// Ends the search in a document; what is deeper has the class of what holds it. The readers of JSON stop sooner.
const DEEPEST: usize = 200;

/// The class of each field of a document, by dotted path (`customer.email`, `items.*.sku`). A class holds for all that
/// is below its field, unless something there has its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    root: Node,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    class: Option<DataClass>,
    below: BTreeMap<String, Node>,
}

impl Labels {
    /// Of these fields; `rest` is the class of all that is not named.
    pub fn new<'p>(
        fields: impl IntoIterator<Item = (&'p str, DataClass)>,
        rest: Option<DataClass>,
    ) -> Self {
        let mut root = Node { class: rest, below: BTreeMap::new() };
        for (path, class) in fields {
            let leaf = path
                .split('.')
                .fold(&mut root, |node, step| node.below.entry(step.to_owned()).or_default());
            leaf.class = Some(class);
        }
        Self { root }
    }

    /// The same, of a document that stands below a field of a larger one. What is beside it has the class of what is not
    /// named.
    #[must_use]
    pub fn below(self, field: &str) -> Self {
        let (class, below) = (self.root.class, BTreeMap::from([(field.to_owned(), self.root)]));
        Self { root: Node { class, below } }
    }

    /// The highest class that is named.
    pub fn highest(&self) -> Option<DataClass> {
        fn of(node: &Node) -> Option<DataClass> {
            node.below.values().filter_map(of).chain(node.class).max()
        }
        of(&self.root)
    }
}

/// Visits what holds no further parts: texts, numbers, truths, and markers of blobs. With each its JSON Pointer and the
/// highest class that any of the labels gives it; None when none does. Nothing holds nothing: it is passed over.
pub(crate) fn visit(
    document: &mut Value,
    labels: &[&Labels],
    on: &mut dyn FnMut(&str, &mut Value, Option<DataClass>),
) {
    let nodes = labels.iter().map(|labels| (Some(&labels.root), labels.root.class)).collect();
    step(document, nodes, &mut String::new(), DEEPEST, on);
}

/// Each value that holds no further parts, by JSON Pointer, with the highest class that any of the labels gives it; None
/// when none does.
pub fn classes(document: &Value, labels: &[&Labels]) -> Vec<(String, Option<DataClass>)> {
    let mut found = Vec::new();
    visit(&mut document.clone(), labels, &mut |pointer, _, class| {
        found.push((pointer.to_owned(), class));
    });
    found
}

/// A place in labels, and the class that holds there.
type At<'l> = (Option<&'l Node>, Option<DataClass>);

/// The same one level further down.
fn below<'l>((node, class): At<'l>, name: &str) -> At<'l> {
    let node = node.and_then(|node| node.below.get(name).or_else(|| node.below.get(EACH)));
    (node, node.and_then(|node| node.class).or(class))
}

fn step(
    value: &mut Value,
    nodes: Vec<At<'_>>,
    pointer: &mut String,
    left: usize,
    on: &mut dyn FnMut(&str, &mut Value, Option<DataClass>),
) {
    let down = |name: &str| nodes.iter().map(|at| below(*at, name)).collect();
    match value {
        Value::Null => {}
        Value::Object(fields) if left > 0 && !is_blob(fields) => {
            for (name, field) in fields {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                step(field, down(name), pointer, left - 1, on);
                pointer.truncate(length);
            }
        }
        Value::Array(items) if left > 0 => {
            for (index, item) in items.iter_mut().enumerate() {
                let length = pointer.len();
                write!(pointer, "/{index}").expect("a text takes everything");
                step(item, down(EACH), pointer, left - 1, on);
                pointer.truncate(length);
            }
        }
        leaf => on(pointer, leaf, nodes.iter().filter_map(|(_, class)| *class).max()),
    }
}

/// A marker of a large body, whose bytes are elsewhere.
fn is_blob(fields: &serde_json::Map<String, Value>) -> bool {
    fields.len() == 3 && ["blob", "size", "mediaType"].iter().all(|key| fields.contains_key(*key))
}
