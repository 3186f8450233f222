//! The files that belong to one description, and the references between them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use qc_document::{
    Document, Node, NodeValue, ParseLimits, Source, Span, parse, pointer_segments, push_pointer,
};
use qc_model::{Finding, Place};

use crate::codes;
use crate::files::{Files, Outside, resolve_path};

/// Most files that one description may consist of.
const FILE_LIMIT: usize = 256;
/// Most findings about references that one description yields.
const FINDING_LIMIT: usize = 200;
/// Longest chain of references from one reference to a value.
const CHAIN_LIMIT: usize = 32;

/// A place in one of the files.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) file: usize,
    pub(crate) pointer: String,
}

impl At {
    pub(crate) fn child(&self, segment: &str) -> Self {
        let mut pointer = self.pointer.clone();
        push_pointer(&mut pointer, segment);
        Self { file: self.file, pointer }
    }
}

/// Why a reference leads nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    Outside(Outside),
    NoFile(String),
    Nothing,
    Circular,
}

/// All files, parsed. File 0 is the entry.
#[derive(Debug)]
pub(crate) struct Documents {
    files: Vec<Document>,
    by_path: HashMap<Arc<str>, usize>,
    /// `$anchor` names, by file.
    anchors: HashMap<(usize, String), String>,
    /// Places of the entry file that an overlay wrote, and the overlay they came from.
    overlaid: BTreeMap<String, Source>,
}

impl Documents {
    /// Parses the entry; the files that it refers to follow with [`Documents::gather`].
    pub(crate) fn open(files: &dyn Files, entry: &str) -> Result<Self, Box<Finding>> {
        let document = read(files, entry, None)?;
        let path = Arc::clone(&document.source.path);
        Ok(Self {
            files: vec![document],
            by_path: HashMap::from([(path, 0)]),
            anchors: HashMap::new(),
            overlaid: BTreeMap::new(),
        })
    }

    /// Replaces the entry's tree by one that overlays have changed.
    pub(crate) fn replace_root(&mut self, root: Node, overlaid: BTreeMap<String, Source>) {
        self.files[0].root = root;
        self.overlaid = overlaid;
    }

    pub(crate) fn root(&self) -> &Node {
        &self.files[0].root
    }

    pub(crate) fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn source(&self, file: usize) -> &Source {
        &self.files[file].source
    }

    /// Loads every file that references name, and reports every reference that leads nowhere.
    pub(crate) fn gather(&mut self, files: &dyn Files, findings: &mut Vec<Finding>) {
        let mut next = 0;
        let mut references: Vec<(At, Arc<str>)> = Vec::new();
        while next < self.files.len() {
            let mut walk = ReferenceWalk { file: next, found: Vec::new(), anchors: Vec::new() };
            walk.node(&self.files[next].root, &mut String::new());
            for (name, pointer) in walk.anchors {
                self.anchors.insert((next, name), pointer);
            }
            for (at, reference) in walk.found {
                self.load_target(files, &at, &reference, findings);
                references.push((at, reference));
            }
            next += 1;
        }
        let mut reported = 0;
        for (at, reference) in references {
            let Err(broken) = self.target(at.file, &reference) else { continue };
            reported += 1;
            if reported <= FINDING_LIMIT {
                findings.push(self.broken(&at, &reference, &broken));
            }
        }
        if reported > FINDING_LIMIT {
            let message =
                format!("{} further broken references are not shown", reported - FINDING_LIMIT);
            findings.push(Finding::error(codes::TOO_MANY, message));
        }
    }

    fn load_target(
        &mut self,
        files: &dyn Files,
        at: &At,
        reference: &str,
        findings: &mut Vec<Finding>,
    ) {
        let (path, _) = split(reference);
        let Ok(path) = resolve_path(&self.files[at.file].source.path, path) else { return };
        if self.by_path.contains_key(&*path) {
            return;
        }
        if self.files.len() >= FILE_LIMIT {
            let message = format!("the description consists of more than {FILE_LIMIT} files");
            findings.push(Finding::error(codes::TOO_MANY, message).at(self.place(at)));
            return;
        }
        if files.text(&path).is_none() {
            return;
        }
        match read(files, &path, Some(self.place(at))) {
            Ok(document) => {
                self.by_path.insert(Arc::clone(&document.source.path), self.files.len());
                self.files.push(document);
            }
            Err(finding) => findings.push(*finding),
        }
    }

    /// Where a reference that stands in `file` leads; there is a value there.
    pub(crate) fn target(&self, file: usize, reference: &str) -> Result<At, Broken> {
        let (path, fragment) = split(reference);
        let path = resolve_path(&self.files[file].source.path, path).map_err(Broken::Outside)?;
        let Some(&file) = self.by_path.get(&*path) else { return Err(Broken::NoFile(path)) };
        let decoded = percent_decode_str(fragment).decode_utf8_lossy();
        let pointer = if decoded.is_empty() || decoded.starts_with('/') {
            decoded.into_owned()
        } else {
            let anchor = self.anchors.get(&(file, decoded.into_owned()));
            anchor.ok_or(Broken::Nothing)?.clone()
        };
        if self.files[file].root.at(&pointer).is_none() {
            return Err(Broken::Nothing);
        }
        Ok(At { file, pointer })
    }

    /// The value at a place.
    pub(crate) fn node(&self, file: usize, pointer: &str) -> Option<&Node> {
        self.files[file].root.at(pointer)
    }

    /// Follows `$ref` until there is a value that is none.
    pub(crate) fn follow<'d>(&'d self, at: At, node: &'d Node) -> Result<(At, &'d Node), Broken> {
        let (mut at, mut node) = (at, node);
        for _ in 0..CHAIN_LIMIT {
            let Some(reference) = node.get("$ref").and_then(Node::as_str) else {
                return Ok((at, node));
            };
            at = self.target(at.file, reference)?;
            node = self.node(at.file, &at.pointer).ok_or(Broken::Nothing)?;
        }
        Err(Broken::Circular)
    }

    /// The place of a value, in the file that really has it (which may be an overlay).
    pub(crate) fn place(&self, at: &At) -> Place {
        let document = &self.files[at.file];
        let node = document.root.nearest(&at.pointer);
        if at.file == 0 {
            let above = self.overlaid.range(..=at.pointer.clone()).rev();
            for (pointer, source) in above.take(64) {
                let rest = at.pointer.strip_prefix(pointer.as_str());
                if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                    return source.place(node.span);
                }
            }
        }
        let span = match node.value {
            // Not the whole body of an object: its key says where it is.
            NodeValue::Mapping(_) | NodeValue::Sequence(_) => {
                document.root.key_span_at(&at.pointer).unwrap_or(Span {
                    start: node.span.start,
                    end: node.span.start.saturating_add(1).min(node.span.end),
                })
            }
            _ => node.span,
        };
        document.source.place(span)
    }

    fn broken(&self, at: &At, reference: &str, broken: &Broken) -> Finding {
        let finding = match broken {
            Broken::Outside(Outside::Remote) => {
                let message = format!("the reference `{reference}` is remote");
                Finding::error(codes::REMOTE, message)
                    .help("save the file beside this one and refer to it by its name")
            }
            Broken::Outside(Outside::Escapes) => {
                let message = format!("the reference `{reference}` leaves the folder");
                Finding::error(codes::REMOTE, message)
                    .help("put the file into the folder of the description")
            }
            Broken::NoFile(path) => {
                let message = format!("the reference `{reference}` names a file that is not there");
                Finding::error(codes::UNRESOLVED, message).cause(format!("no file `{path}`"))
            }
            Broken::Nothing => {
                let message = format!("the reference `{reference}` leads to nothing");
                Finding::error(codes::UNRESOLVED, message)
            }
            Broken::Circular => {
                let message = format!("the reference `{reference}` goes round in a circle");
                Finding::error(codes::CIRCULAR, message)
            }
        };
        finding.at(self.place(at))
    }

    /// The finding for a reference at `at` that cannot be followed.
    pub(crate) fn broken_at(&self, at: &At, broken: &Broken) -> Finding {
        let reference = self.node(at.file, &at.pointer).and_then(|node| node.get("$ref"));
        let reference = reference.and_then(Node::as_str).unwrap_or_default().to_owned();
        self.broken(&at.child("$ref"), &reference, broken)
    }
}

fn read(files: &dyn Files, path: &str, named_at: Option<Place>) -> Result<Document, Box<Finding>> {
    let Some(text) = files.text(path) else {
        let mut finding = Finding::error(codes::NO_FILE, format!("there is no file `{path}`"));
        finding.place = named_at;
        return Err(Box::new(finding));
    };
    parse(Source::new(path, text), &ParseLimits::default())
}

fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// Finds all references in a tree, except where `$ref` would be data.
struct ReferenceWalk {
    file: usize,
    found: Vec<(At, Arc<str>)>,
    anchors: Vec<(String, String)>,
}

impl ReferenceWalk {
    fn node(&mut self, node: &Node, pointer: &mut String) {
        match &node.value {
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    self.entry(&key.name, value, pointer);
                }
            }
            NodeValue::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(&index.to_string(), item, pointer);
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, name: &str, value: &Node, pointer: &mut String) {
        match (name, &value.value) {
            ("$ref", NodeValue::String(reference)) => {
                let mut own = pointer.clone();
                push_pointer(&mut own, name);
                self.found.push((At { file: self.file, pointer: own }, Arc::clone(reference)));
            }
            ("$anchor" | "$dynamicAnchor", NodeValue::String(anchor)) => {
                self.anchors.push((anchor.to_string(), pointer.clone()));
            }
            ("example" | "default" | "const" | "enum", _) if !is_name_map(pointer) => {}
            ("examples", _) if !is_name_map(pointer) => {
                // `components/examples` and a media type's `examples` may refer; their values are data.
                for (key, example) in value.as_mapping().unwrap_or_default() {
                    if let Some(reference) = example.get("$ref") {
                        let mut own = pointer.clone();
                        for segment in [name, &key.name, "$ref"] {
                            push_pointer(&mut own, segment);
                        }
                        if let NodeValue::String(reference) = &reference.value {
                            let at = At { file: self.file, pointer: own };
                            self.found.push((at, Arc::clone(reference)));
                        }
                    }
                }
            }
            _ if name.starts_with("x-") && name != "x-bundled" && !is_name_map(pointer) => {}
            _ => self.below(name, value, pointer),
        }
    }

    fn below(&mut self, segment: &str, value: &Node, pointer: &mut String) {
        let length = pointer.len();
        push_pointer(pointer, segment);
        self.node(value, pointer);
        pointer.truncate(length);
    }
}

/// Whether the keys at this pointer are names of the author's choosing, so that `default` or `x-…` there is a name.
fn is_name_map(pointer: &str) -> bool {
    let mut from_end = pointer.rsplit('/');
    let last = from_end.next().unwrap_or_default();
    let above = from_end.next().unwrap_or_default();
    let named = matches!(
        last,
        "properties"
            | "patternProperties"
            | "definitions"
            | "$defs"
            | "schemas"
            | "responses"
            | "parameters"
            | "headers"
            | "dependentSchemas"
            | "requestBodies"
            | "pathItems"
            | "x-bundled"
    );
    // Of AsyncAPI. A schema may well be called so, and its keys are keywords.
    let is_exchanged = matches!(last, "channels" | "operations" | "messages")
        && !matches!(above, "schemas" | "definitions" | "$defs");
    // `properties: {properties: {default: …}}`: the inner one is a schema.
    (named || is_exchanged) && !matches!(above, "properties" | "patternProperties")
}

/// The last segment of a pointer, unescaped.
pub(crate) fn last_segment(pointer: &str) -> String {
    pointer_segments(pointer).last().map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// A pointer as a URI fragment.
pub(crate) fn fragment(pointer: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'`')
        .add(b'%')
        .add(b'^')
        .add(b'{')
        .add(b'}')
        .add(b'|')
        .add(b'\\')
        .add(b'[')
        .add(b']')
        .add(b'#');
    percent_encoding::utf8_percent_encode(pointer, KEEP).to_string()
}
