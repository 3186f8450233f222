//! A parser's complaint before it knows the file: becomes a [`Finding`] or a [`crate::JsonError`].

use qc_model::{Code, Finding};

use crate::pointer::push_pointer;
use crate::source::{Source, Span};

/// Longest piece of a key in a pointer of a fault: keys may be payload and as long as the body.
const SEGMENT_LIMIT: usize = 128;

/// One syntax problem. The segments are collected innermost first, while the parser unwinds.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
    pub(crate) earlier: Option<(Span, &'static str)>,
    segments: Vec<String>,
}

impl Fault {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Box<Self> {
        let message = message.into();
        Box::new(Self { code, span, message, help: None, earlier: None, segments: Vec::new() })
    }

    pub(crate) fn help(mut self: Box<Self>, help: &'static str) -> Box<Self> {
        self.help = Some(help);
        self
    }

    pub(crate) fn earlier(mut self: Box<Self>, span: Span, text: &'static str) -> Box<Self> {
        self.earlier = Some((span, text));
        self
    }

    /// Says that the fault lies under this key or index.
    pub(crate) fn inside(mut self: Box<Self>, segment: &str) -> Box<Self> {
        let cut = segment.char_indices().nth(SEGMENT_LIMIT).map_or(segment.len(), |(at, _)| at);
        self.segments.push(segment[..cut].to_owned());
        self
    }

    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for segment in self.segments.iter().rev() {
            push_pointer(&mut pointer, segment);
        }
        pointer
    }

    pub(crate) fn into_finding(self: Box<Self>, source: &Source) -> Box<Finding> {
        let pointer = self.pointer();
        let message = if pointer.is_empty() {
            self.message
        } else {
            format!("{} (in `{pointer}`)", self.message)
        };
        let mut finding = Finding::error(self.code, message).at(source.place(self.span));
        if let Some((span, text)) = self.earlier {
            finding = finding.label(source.place(span), text);
        }
        if let Some(help) = self.help {
            finding = finding.help(help);
        }
        Box::new(finding)
    }
}
