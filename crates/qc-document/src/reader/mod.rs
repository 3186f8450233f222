//! Reading a tree as a schema says: typed fields, every problem collected, each with its place.

mod object;

use std::cell::{Cell, RefCell};

use qc_model::{Code, Finding};

use crate::codes;
use crate::node::{Key, Node, NodeValue};
use crate::source::{Source, Span};

pub use object::ObjectReader;

/// Most findings that one file yields; further ones are counted only.
const FINDING_LIMIT: usize = 500;

/// Collects the findings of one file while its schema is read. Never stops at the first problem: a field that is
/// wrong reads as `None`, and the caller goes on.
///
/// ```
/// # use qc_document::{parse_yaml, ParseLimits, Reader, Source};
/// let source = Source::new("a.yaml", "name: demo\nretires: 3\n");
/// let document = parse_yaml(source, &ParseLimits::default()).unwrap();
/// let reader = Reader::new(&document.source);
/// let mut top = reader.object(&document.root, "the example").unwrap();
/// let name = top.string("name");
/// let retries = top.optional_integer("retries", 0..=10).unwrap_or(2);
/// top.finish();
/// assert_eq!((name, retries), (Some("demo"), 2));
/// let findings = reader.finish();
/// assert_eq!(findings.len(), 1);
/// assert_eq!(findings[0].help.as_deref(), Some("did you mean `retries`?"));
/// ```
#[derive(Debug)]
pub struct Reader<'s> {
    source: &'s Source,
    findings: RefCell<Vec<Finding>>,
    dropped: Cell<usize>,
}

impl<'s> Reader<'s> {
    /// A reader for a file.
    pub fn new(source: &'s Source) -> Self {
        Self { source, findings: RefCell::default(), dropped: Cell::new(0) }
    }

    /// The file.
    pub fn source(&self) -> &'s Source {
        self.source
    }

    /// Whether anything was reported so far.
    pub fn has_findings(&self) -> bool {
        !self.findings.borrow().is_empty()
    }

    /// Starts an error at a span, for [`Reader::push`] once cause, labels and help are added.
    pub fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Finding {
        Finding::error(code, message).at(self.source.place(span))
    }

    /// Starts a warning at a span, for [`Reader::push`].
    pub fn warning(&self, code: Code, span: Span, message: impl Into<String>) -> Finding {
        Finding::warning(code, message).at(self.source.place(span))
    }

    /// Adds a finding.
    pub fn push(&self, finding: Finding) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < FINDING_LIMIT {
            findings.push(finding);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// Reports an error at a span.
    pub fn report(&self, code: Code, span: Span, message: impl Into<String>) {
        self.push(self.error(code, span, message));
    }

    /// Reports that a node is not what it should be: `what` with its article, `expected` likewise.
    pub fn wrong_kind(&self, node: &Node, what: &str, expected: &str) {
        let message = format!("{what} must be {expected}, but is {}", node.kind());
        let mut finding = self.error(codes::WRONG_KIND, node.span, message);
        if expected == "a string" && matches!(node.value, NodeValue::Number(_) | NodeValue::Bool(_))
        {
            finding = finding.help("put it in quotes");
        }
        self.push(finding);
    }

    /// Reports a value of the right kind that is not allowed.
    pub fn invalid(&self, node: &Node, message: impl Into<String>) {
        self.report(codes::INVALID_VALUE, node.span, message);
    }

    /// Reads a node as an object. `what` names it in findings: "the workflow", "`retry`".
    pub fn object<'n>(&self, node: &'n Node, what: &str) -> Option<ObjectReader<'_, 'n>>
    where
        's: 'n,
    {
        let entries = self.entries(node, what)?;
        Some(ObjectReader::new(self, node, entries, what))
    }

    /// Reads a node as a list.
    pub fn list<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.as_sequence();
        if items.is_none() {
            self.wrong_kind(node, what, "a list");
        }
        items
    }

    /// Reads a node as an object whose keys are names of the user's choosing.
    pub fn entries<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        let entries = node.as_mapping();
        if entries.is_none() {
            self.wrong_kind(node, what, "an object");
        }
        entries
    }

    /// Reads a node as text.
    pub fn text<'n>(&self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_str();
        if text.is_none() {
            self.wrong_kind(node, what, "a string");
        }
        text
    }

    /// All findings, in order of place.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        findings.sort_by_key(|finding| finding.place.as_ref().map(|place| place.start));
        let dropped = self.dropped.get();
        if dropped > 0 {
            let message = format!("{dropped} further findings in this file are not shown");
            findings.push(
                Finding::note(codes::INVALID_VALUE, message).at(self.source.place(Span::default())),
            );
        }
        findings
    }
}

#[cfg(test)]
mod tests;
