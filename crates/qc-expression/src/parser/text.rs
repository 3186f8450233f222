//! Strings, with their escapes and the expressions inside them.

use super::{Parsed, Parser};
use crate::codes;
use crate::fault::ParseError;
use crate::lexer::Tok;
use crate::syntax::{Expr, Kind, TextPiece};
use crate::tree::Format;

impl Parser<'_> {
    /// A string; the next token is its opening quote.
    pub(super) fn quoted(&mut self, format: Option<Format>) -> Parsed<Expr> {
        if self.next.tok != Tok::Quote {
            return Err(self.unexpected("a string"));
        }
        let start = self.next.at.start;
        let mut at = start + 1;
        let mut pieces = Vec::new();
        let mut literal = String::new();
        loop {
            let rest = &self.source[at..];
            let plain = rest.find(['"', '\\']).ok_or_else(|| {
                ParseError::new(
                    codes::SYNTAX,
                    "this string is not closed",
                    start..self.source.len(),
                )
            })?;
            literal.push_str(&rest[..plain]);
            at += plain;
            if self.source[at..].starts_with('"') {
                break;
            }
            if self.source[at..].starts_with("\\(") {
                if !literal.is_empty() {
                    pieces.push(TextPiece::Literal(std::mem::take(&mut literal)));
                }
                self.seek(at + 2);
                pieces.push(TextPiece::Value(self.pipe()?));
                if !self.is(")") {
                    return Err(self.unexpected("`)` after the expression in the string"));
                }
                at = self.next.at.end;
            } else {
                let (character, length) = self.escape(at)?;
                literal.push(character);
                at += length;
            }
        }
        if !literal.is_empty() || pieces.is_empty() {
            pieces.push(TextPiece::Literal(literal));
        }
        self.seek(at + 1);
        Ok(Expr { kind: Kind::Text { format, pieces }, at: start..at + 1 })
    }

    /// The character that the escape at `at` stands for, and the length of the escape.
    fn escape(&self, at: usize) -> Parsed<(char, usize)> {
        let character = match self.source.as_bytes().get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(at),
            _ => {
                let end = self.source[at + 1..].chars().next().map_or(1, |c| 1 + c.len_utf8());
                return Err(ParseError::new(
                    codes::SYNTAX,
                    "this escape is not one that JSON strings have",
                    at..at + end,
                )
                .with_help("write a backslash itself as `\\\\`"));
            }
        };
        Ok((character, 2))
    }

    fn unicode(&self, at: usize) -> Parsed<(char, usize)> {
        let unit = |at: usize| {
            let digits = self.source.get(at + 2..at + 6)?;
            (self.source[at..].starts_with("\\u")
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
        };
        let bad = || {
            let end =
                self.source[at..].char_indices().nth(6).map_or(self.source.len(), |c| at + c.0);
            ParseError::new(codes::SYNTAX, "this \\u escape is not a character", at..end)
        };
        let first = unit(at).ok_or_else(bad)?;
        if (0xd800..0xdc00).contains(&first) {
            let second = unit(at + 6).filter(|unit| (0xdc00..0xe000).contains(unit));
            let second = second.ok_or_else(bad)?;
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).map(|character| (character, 12)).ok_or_else(bad);
        }
        char::from_u32(first).map(|character| (character, 6)).ok_or_else(bad)
    }
}
