//! The text that was read, and places in it.

use std::sync::Arc;

use qc_model::Place;

/// A range of bytes in a source: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// From offsets; what lies beyond 4 GiB is clamped (a source is bounded far below).
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// The span from the start of this one to the end of the other.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end.max(self.start) }
    }
}

/// A file's text under its path relative to the project's root.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path as findings show it.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// A source from its path and text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Line (1-based) and column (1-based, in characters) of a byte offset; an offset past the end is the end.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let lines = before.matches('\n').count();
        (lines + 1, before[line_start..].chars().count() + 1)
    }

    /// The place of a span, as findings carry it.
    pub fn place(&self, span: Span) -> Place {
        let (start, end) = (span.start as usize, span.end.max(span.start) as usize);
        let (line, column) = self.line_column(start);
        let (end_line, end_column) = self.line_column(end);
        Place { file: Arc::clone(&self.path), start, end, line, column, end_line, end_column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_newlines() {
        let source = Source::new("a.yaml", "ä: 1\nbß: x\n");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(2), (1, 2));
        assert_eq!(source.line_column(1), (1, 1), "inside a character is its start");
        assert_eq!(source.line_column(6), (2, 1));
        assert_eq!(source.line_column(9), (2, 3));
        assert_eq!(source.line_column(9999), (3, 1));
        let place = source.place(Span::new(6, 9));
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 1, 2, 3));
    }
}
