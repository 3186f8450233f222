//! A parser's complaint before it knows the file: becomes a [`Finding`] or a [`crate::JsonError`].

use qc_model::{Code, Finding};

use crate::pointer::push_pointer;
use crate::source::{Source, Span};

/// Longest piece of a key in a pointer of a fault: keys may be payload and as long as the body.
const SEGMENT_LIMIT: usize = 128;

/// One syntax problem, behind one pointer so that the parsers' results stay small.
#[derive(Debug)]
pub(crate) struct Fault(Box<Details>);

/// What a fault says. The segments are collected innermost first, while the parser unwinds.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) code: Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
    pub(crate) earlier: Option<(Span, &'static str)>,
    segments: Vec<String>,
}

impl std::ops::Deref for Fault {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

impl Fault {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Details {
            code,
            span,
            message,
            help: None,
            earlier: None,
            segments: Vec::new(),
        }))
    }

    pub(crate) fn help(mut self, help: &'static str) -> Self {
        self.0.help = Some(help);
        self
    }

    pub(crate) fn earlier(mut self, span: Span, text: &'static str) -> Self {
        self.0.earlier = Some((span, text));
        self
    }

    /// Says that the fault lies under this key or index.
    pub(crate) fn inside(mut self, segment: &str) -> Self {
        let cut = segment.char_indices().nth(SEGMENT_LIMIT).map_or(segment.len(), |(at, _)| at);
        self.0.segments.push(segment[..cut].to_owned());
        self
    }

    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for segment in self.segments.iter().rev() {
            push_pointer(&mut pointer, segment);
        }
        pointer
    }

    pub(crate) fn into_finding(self, source: &Source) -> Box<Finding> {
        let pointer = self.pointer();
        let details = *self.0;
        let message = if pointer.is_empty() {
            details.message
        } else {
            format!("{} (in `{pointer}`)", details.message)
        };
        let mut finding = Finding::error(details.code, message).at(source.place(details.span));
        if let Some((span, text)) = details.earlier {
            finding = finding.label(source.place(span), text);
        }
        if let Some(help) = details.help {
            finding = finding.help(help);
        }
        Box::new(finding)
    }
}
