//! YAML 1.2: the events of `saphyr-parser` composed into a tree, bounded.

use std::collections::HashMap;
use std::sync::Arc;

use qc_model::Finding;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as Marks, StrInput, Tag};

use crate::codes;
use crate::fault::Fault;
use crate::limits::ParseLimits;
use crate::node::{Document, Key, Members, Node, NodeValue};
use crate::scalar;
use crate::source::{Source, Span};

/// Parses one YAML document into a tree with spans. The schema is YAML 1.2 core (`yes` is text); keys that are
/// numbers, booleans or null become their text (`200:`); merge keys, custom tags and further documents are refused.
pub fn parse_yaml(source: Source, limits: &ParseLimits) -> Result<Document, Box<Finding>> {
    // JSON text is YAML text, and the JSON parser is much the faster one.
    if source.text.trim_start().starts_with('{')
        && let Ok(document) = crate::json::parse_json(source.clone(), limits)
    {
        return Ok(document);
    }
    let text = Arc::clone(&source.text);
    match compose(&text, limits) {
        Ok(root) => Ok(Document { source, root }),
        Err(fault) => Err(fault.into_finding(&source)),
    }
}

fn compose(text: &str, limits: &ParseLimits) -> Result<Node, Fault> {
    if text.len() > limits.bytes {
        let message = format!("the text is longer than the limit of {} bytes", limits.bytes);
        return Err(Fault::new(codes::TOO_LARGE, Span::default(), message));
    }
    if text.starts_with('\u{feff}') {
        let message = "the text begins with a byte order mark";
        let fault = Fault::new(codes::ENCODING, Span::new(0, 3), message);
        return Err(fault.help("save the file as UTF-8 without BOM"));
    }
    let mut limits = *limits;
    limits.depth = limits.depth.min(ParseLimits::DEEPEST);
    let mut composer = Composer {
        parser: Parser::new_from_str(text),
        offsets: Offsets::new(text),
        limits,
        nodes: 0,
        alias_nodes: 0,
        anchored_nodes: 0,
        anchors: HashMap::new(),
    };
    composer.document()
}

/// Turns the parser's character indexes into byte offsets.
struct Offsets<'a> {
    text: &'a str,
    /// The byte offset of every `STEP`th character; empty when the text is ASCII.
    marks: Vec<u32>,
}

impl<'a> Offsets<'a> {
    const STEP: usize = 64;

    fn new(text: &'a str) -> Self {
        let mut marks = Vec::new();
        if !text.is_ascii() {
            let starts = text.char_indices().map(|(offset, _)| offset);
            marks
                .extend(starts.step_by(Self::STEP).map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
        }
        Self { text, marks }
    }

    fn byte(&self, mark: Marker) -> usize {
        let character = mark.index();
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(&from) = self.marks.get(character / Self::STEP) else {
            return self.text.len();
        };
        let rest = &self.text[from as usize..];
        let after = rest.char_indices().nth(character % Self::STEP);
        from as usize + after.map_or(rest.len(), |(offset, _)| offset)
    }

    fn span(&self, marks: Marks) -> Span {
        Span::new(self.byte(marks.start), self.byte(marks.end))
    }
}

/// A finished anchored node, with what expanding it costs. The node itself is kept only while an alias to it could
/// stay within the limit: nested anchors would otherwise keep the same text many times.
struct Anchored {
    node: Option<Node>,
    nodes: usize,
    depth: usize,
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    offsets: Offsets<'a>,
    limits: ParseLimits,
    nodes: usize,
    alias_nodes: usize,
    anchored_nodes: usize,
    anchors: HashMap<usize, Anchored>,
}

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, marks))) => {
                let span = self.offsets.span(marks);
                Ok((event, span))
            }
            Some(Err(error)) => {
                let at = self.offsets.byte(*error.marker());
                let message = format!("this is not YAML: {}", error.info());
                Err(Fault::new(codes::SYNTAX, Span::new(at, at), message))
            }
            None => {
                let end = self.offsets.text.len();
                Err(Fault::new(codes::SYNTAX, Span::new(end, end), "the text ends too early"))
            }
        }
    }

    fn document(&mut self) -> Result<Node, Fault> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let message = "a second YAML document begins here";
                    let fault = Fault::new(codes::SEVERAL_DOCUMENTS, span, message);
                    return Err(fault.help("put it in a file of its own"));
                }
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        let empty = Node { span: Span::default(), value: NodeValue::Null };
        Ok(root.unwrap_or(empty))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fault> {
        self.count(1, span)?;
        let (node, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&text, style, tag.as_deref(), span)?;
                (Node { span, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_collection_tag(tag.as_deref(), "seq", span)?;
                (self.sequence(span, self.deeper(depth, span)?)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                check_collection_tag(tag.as_deref(), "map", span)?;
                (self.mapping(span, self.deeper(depth, span)?)?, anchor)
            }
            _ => return Err(Fault::new(codes::SYNTAX, span, "expected a value")),
        };
        if anchor != 0 {
            self.anchor(anchor, &node)?;
        }
        Ok(node)
    }

    fn anchor(&mut self, anchor: usize, node: &Node) -> Result<(), Fault> {
        let (nodes, depth) = node.size();
        let is_usable = nodes <= self.limits.alias_nodes;
        if is_usable {
            self.anchored_nodes += nodes;
            if self.anchored_nodes > 4 * self.limits.alias_nodes {
                let message = "anchors hold more values than can be kept for aliases";
                return Err(
                    Fault::new(codes::ALIAS, node.span, message).help("drop unused anchors")
                );
            }
        }
        let node = is_usable.then(|| node.clone());
        self.anchors.insert(anchor, Anchored { node, nodes, depth });
        Ok(())
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Fault> {
        self.nodes += more;
        if self.nodes > self.limits.nodes {
            let message = format!("there are more than {} values", self.limits.nodes);
            return Err(Fault::new(codes::TOO_LARGE, span, message));
        }
        Ok(())
    }

    fn deeper(&self, depth: usize, span: Span) -> Result<usize, Fault> {
        if depth >= self.limits.depth {
            let message = format!("the nesting is deeper than {} levels", self.limits.depth);
            return Err(Fault::new(codes::TOO_DEEP, span, message));
        }
        Ok(depth + 1)
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, Fault> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it names";
            return Err(Fault::new(codes::ALIAS, span, message));
        };
        let (nodes, below) = (anchored.nodes, anchored.depth);
        self.alias_nodes += nodes;
        if self.alias_nodes > self.limits.alias_nodes {
            let message = format!("aliases expand to more than {} values", self.limits.alias_nodes);
            return Err(Fault::new(codes::ALIAS, span, message).help("write the values out"));
        }
        if depth + below > self.limits.depth {
            let message = format!("the nesting is deeper than {} levels", self.limits.depth);
            return Err(Fault::new(codes::TOO_DEEP, span, message));
        }
        self.count(nodes, span)?;
        let kept = self.anchors.get(&anchor).and_then(|anchored| anchored.node.clone());
        Ok(kept.expect("what is within the limit was kept"))
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Result<Node, Fault> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map(|item| item.span);
                let span = container_span(start, last, span);
                return Ok(Node { span, value: NodeValue::Sequence(items) });
            }
            match self.node(event, span, depth) {
                Ok(item) => items.push(item),
                Err(fault) => return Err(fault.inside(&items.len().to_string())),
            }
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Node, Fault> {
        let mut members = Members::default();
        let mut last = None;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let span = container_span(start, last, span);
                return Ok(Node { span, value: members.finish() });
            }
            let key = self.key(event, span)?;
            let name = Arc::clone(&key.name);
            let (event, span) = self.next().map_err(|fault| fault.inside(&name))?;
            let value = self.node(event, span, depth).map_err(|fault| fault.inside(&name))?;
            // A value from an alias keeps the span of its anchor, which is elsewhere.
            last = Some(span.to(value.span));
            let key_span = key.span;
            if let Err(earlier) = members.insert(key, value) {
                let message = format!("the key `{name}` stands twice in this object");
                let fault = Fault::new(codes::DUPLICATE_KEY, key_span, message);
                return Err(fault.earlier(earlier, "first here").help("keep one of the two"));
            }
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Key, Fault> {
        self.count(1, span)?;
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                let message = "merge keys (`<<`) are not part of YAML 1.2 and are not supported";
                let fault = Fault::new(codes::MERGE_KEY, span, message);
                Err(fault.help("write the entries out"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                scalar_value(&text, style, tag.as_deref(), span).or_else(|fault| {
                    // `1e999:` and `.inf:` are fine as names.
                    if fault.code == codes::NUMBER { Ok(NodeValue::Null) } else { Err(fault) }
                })?;
                let name: Arc<str> = Arc::from(text);
                if anchor != 0 {
                    let node = Node { span, value: NodeValue::String(Arc::clone(&name)) };
                    self.anchor(anchor, &node)?;
                }
                Ok(Key { span, name })
            }
            Event::Alias(anchor) => {
                match self.anchors.get(&anchor).and_then(|a| a.node.as_ref()).map(|n| &n.value) {
                    Some(NodeValue::String(name)) => Ok(Key { span, name: Arc::clone(name) }),
                    _ => Err(bad_key(span)),
                }
            }
            _ => Err(bad_key(span)),
        }
    }
}

fn bad_key(span: Span) -> Fault {
    let message = "a key must be text, a number, a boolean or null";
    Fault::new(codes::KEY_KIND, span, message).help("put the key in quotes")
}

/// Flow collections end at their bracket, block collections with their last value.
fn container_span(start: Span, last: Option<Span>, end: Span) -> Span {
    if end.end > end.start {
        return start.to(end);
    }
    last.map_or(start, |last| start.to(last))
}

fn check_collection_tag(tag: Option<&Tag>, name: &str, span: Span) -> Result<(), Fault> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == name => Ok(()),
        Some(tag) => Err(bad_tag(tag, span)),
    }
}

fn bad_tag(tag: &Tag, span: Span) -> Fault {
    let known = tag.is_yaml_core_schema()
        && matches!(&*tag.suffix, "str" | "int" | "float" | "bool" | "null" | "seq" | "map");
    let name =
        if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    let message = if known {
        format!("the value does not fit its tag `{name}`")
    } else {
        format!("the tag `{name}` is not supported")
    };
    Fault::new(codes::TAG, span, message).help("leave the tag out")
}

fn scalar_value(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: Span,
) -> Result<NodeValue, Fault> {
    let as_text = || NodeValue::String(text.into());
    let as_plain = || {
        scalar::plain(text).map_err(|scalar::Unrepresentable| {
            Fault::new(codes::NUMBER, span, scalar::NUMBER_MESSAGE).help(scalar::NUMBER_HELP)
        })
    };
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { as_plain() } else { Ok(as_text()) };
    };
    if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(as_text());
    }
    if !tag.is_yaml_core_schema() {
        return Err(bad_tag(tag, span));
    }
    if tag.suffix == "str" {
        return Ok(as_text());
    }
    let value = as_plain()?;
    let fits = match (&*tag.suffix, &value) {
        ("int", NodeValue::Number(number)) => number.is_i64() || number.is_u64(),
        ("float", NodeValue::Number(_))
        | ("bool", NodeValue::Bool(_))
        | ("null", NodeValue::Null) => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(bad_tag(tag, span)) }
}

#[cfg(test)]
mod tests;
