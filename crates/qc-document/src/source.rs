//! The text that was read, and places in it.

use std::sync::{Arc, OnceLock};

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
    /// Made when the first place is asked for: a comparison asks for thousands in one large text.
    index: Arc<OnceLock<Index>>,
}

/// Bytes of a text that are counted at once; a place costs a look at no more than this.
const BLOCK: usize = 4_096;

/// What makes places quick to find.
#[derive(Debug)]
struct Index {
    /// Offset of the first byte of every line.
    lines: Vec<u32>,
    /// How many characters begin before each block.
    characters: Vec<u32>,
}

impl Index {
    fn of(text: &str) -> Self {
        let mut lines = vec![0];
        let mut characters = Vec::with_capacity(text.len() / BLOCK + 1);
        let mut count = 0_u32;
        for block in text.as_bytes().chunks(BLOCK) {
            let start = characters.len() * BLOCK;
            characters.push(count);
            count = count.saturating_add(begun(block));
            let newlines = block.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            lines.extend(newlines.map(|(at, _)| Span::new(start + at + 1, 0).start));
        }
        Self { lines, characters }
    }

    /// How many characters begin before an offset.
    fn characters_before(&self, text: &str, offset: usize) -> usize {
        // An offset at the end of a full last block has no block of its own.
        let block = (offset / BLOCK).min(self.characters.len().saturating_sub(1));
        let counted = self.characters.get(block).copied().unwrap_or_default();
        let rest = &text.as_bytes()[block * BLOCK..offset];
        counted.saturating_add(begun(rest)) as usize
    }
}

/// How many characters begin in these bytes of a text.
fn begun(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(byte & 0xC0 != 0x80)).sum()
}

impl Source {
    /// A source from its path and text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into(), index: Arc::default() }
    }

    /// Line (1-based) and column (1-based, in characters) of a byte offset; an offset past the end is the end.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let index = self.index.get_or_init(|| Index::of(&self.text));
        let line = index.lines.partition_point(|start| *start as usize <= offset);
        let start = index.lines.get(line.saturating_sub(1)).map_or(0, |start| *start as usize);
        let before = |offset: usize| index.characters_before(&self.text, offset);
        (line, before(offset) - before(start) + 1)
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

    #[test]
    fn places_in_long_texts_are_those_of_counting() {
        for (text, step) in [
            ("ä: 1\n\nbß: 😀x\n".repeat(1_500), 37),
            ("xä".repeat(9_000), 101),
            ("a".repeat(2 * BLOCK), 64),
            (format!("{}\n{}", "a".repeat(BLOCK - 1), "b".repeat(BLOCK)), 1),
            (String::new(), 1),
        ] {
            let source = Source::new("a.yaml", &*text);
            for offset in (0..=text.len()).step_by(step).chain([text.len()]) {
                let mut offset = offset;
                while !text.is_char_boundary(offset) {
                    offset -= 1;
                }
                let before = &text[..offset];
                let start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let counted =
                    (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
                assert_eq!(source.line_column(offset), counted, "at {offset}");
            }
        }
    }
}
