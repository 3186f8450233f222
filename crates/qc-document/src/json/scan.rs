//! The grammar: recursive descent, bounded in length, depth and number of values.

use std::borrow::Cow;

use super::build::{Build, Earlier};
use super::strings;
use crate::codes;
use crate::fault::Fault;
use crate::limits::ParseLimits;
use crate::source::Span;

pub(super) struct Scan<'a, B> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: usize,
    limits: ParseLimits,
    build: B,
}

pub(super) fn too_long(limits: &ParseLimits) -> Fault {
    let message = format!("the text is longer than the limit of {} bytes", limits.bytes);
    Fault::new(codes::TOO_LARGE, Span::default(), message)
}

impl<'a, B: Build> Scan<'a, B> {
    pub(super) fn new(text: &'a str, limits: &ParseLimits, build: B) -> Self {
        let mut limits = *limits;
        limits.depth = limits.depth.min(ParseLimits::DEEPEST);
        Self { text, bytes: text.as_bytes(), at: 0, nodes: 0, limits, build }
    }

    /// One value and nothing after it.
    pub(super) fn document(mut self) -> Result<B::Out, Fault> {
        if self.bytes.len() > self.limits.bytes {
            return Err(too_long(&self.limits));
        }
        if self.text.starts_with('\u{feff}') {
            let message = "the text begins with a byte order mark";
            let fault = Fault::new(codes::ENCODING, Span::new(0, 3), message);
            return Err(fault.help("save or send the text as UTF-8 without BOM"));
        }
        let value = self.value(0)?;
        self.space();
        if self.at < self.bytes.len() {
            return Err(self.wrong("there is text after the end of the JSON value"));
        }
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<B::Out, Fault> {
        self.space();
        let start = self.at;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let message = format!("there are more than {} values", self.limits.nodes);
            return Err(Fault::new(codes::TOO_LARGE, Span::new(start, start + 1), message));
        }
        match self.bytes.get(start) {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                Ok(self.build.string(Span::new(start, self.at), text))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') if self.word("true") => Ok(self.build.bool(Span::new(start, self.at), true)),
            Some(b'f') if self.word("false") => {
                Ok(self.build.bool(Span::new(start, self.at), false))
            }
            Some(b'n') if self.word("null") => Ok(self.build.null(Span::new(start, self.at))),
            None => Err(self.wrong("the text ends where a value should be")),
            Some(_) => Err(self.wrong("expected a JSON value")),
        }
    }

    fn enter(&self, depth: usize) -> Result<usize, Fault> {
        if depth >= self.limits.depth {
            let message = format!("the nesting is deeper than {} levels", self.limits.depth);
            return Err(Fault::new(codes::TOO_DEEP, Span::new(self.at, self.at + 1), message));
        }
        Ok(depth + 1)
    }

    fn array(&mut self, depth: usize) -> Result<B::Out, Fault> {
        let depth = self.enter(depth)?;
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.bytes.get(self.at) != Some(&b']') {
            loop {
                match self.value(depth) {
                    Ok(item) => items.push(item),
                    Err(fault) => return Err(fault.inside(&items.len().to_string())),
                }
                self.space();
                match self.bytes.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b']') => break,
                    None => return Err(unclosed(start, "list")),
                    Some(_) => return Err(self.wrong("expected `,` or `]`")),
                }
            }
        }
        self.at += 1;
        Ok(self.build.sequence(Span::new(start, self.at), items))
    }

    fn object(&mut self, depth: usize) -> Result<B::Out, Fault> {
        let depth = self.enter(depth)?;
        let start = self.at;
        self.at += 1;
        let mut members = B::Members::default();
        self.space();
        if self.bytes.get(self.at) != Some(&b'}') {
            loop {
                self.member(depth, &mut members)?;
                self.space();
                match self.bytes.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break,
                    None => return Err(unclosed(start, "object")),
                    Some(_) => return Err(self.wrong("expected `,` or `}`")),
                }
            }
        }
        self.at += 1;
        Ok(self.build.mapping(Span::new(start, self.at), members))
    }

    fn member(&mut self, depth: usize, members: &mut B::Members) -> Result<(), Fault> {
        self.space();
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.wrong("expected a key in double quotes"));
        }
        let start = self.at;
        let name = self.string()?;
        let span = Span::new(start, self.at);
        let key = self.build.key(span, name);
        self.space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.wrong("expected `:` after the key"));
        }
        self.at += 1;
        let value = match self.value(depth) {
            Ok(value) => value,
            Err(fault) => return Err(fault.inside(key.as_ref())),
        };
        if let Err(Earlier(earlier)) = B::insert(members, key, value) {
            let mut fault =
                Fault::new(codes::DUPLICATE_KEY, span, "this key stands twice in the object");
            if let Some(earlier) = earlier {
                fault = fault.earlier(earlier, "first here");
            }
            let text = &self.text[span.start as usize + 1..span.end as usize - 1];
            return Err(fault.help("keep one of the two").inside(text));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let (text, end) = strings::string(self.text, self.at)?;
        self.at = end;
        Ok(text)
    }

    fn number(&mut self) -> Result<B::Out, Fault> {
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        self.at += usize::from(negative);
        let whole = self.digits();
        if whole == 0 {
            return Err(self.wrong("expected a digit"));
        }
        if whole > 1 && self.bytes[self.at - whole] == b'0' {
            let span = Span::new(start, self.at);
            return Err(Fault::new(codes::SYNTAX, span, "a number may not begin with a zero"));
        }
        let mut integer = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            integer = false;
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.wrong("expected a digit after the decimal point"));
            }
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.wrong("expected a digit in the exponent"));
            }
        }
        let span = Span::new(start, self.at);
        let written = &self.text[start..self.at];
        match crate::scalar::number(written, integer) {
            Some(number) => Ok(self.build.number(span, number)),
            None => Err(Fault::new(codes::NUMBER, span, crate::scalar::NUMBER_MESSAGE)
                .help(crate::scalar::NUMBER_HELP)),
        }
    }

    /// Skips digits; answers how many.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &str) -> bool {
        let here = self.bytes[self.at..].starts_with(word.as_bytes());
        if here {
            self.at += word.len();
        }
        here
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn wrong(&self, message: &str) -> Fault {
        let mut end = (self.at + 1).min(self.bytes.len()).max(self.at);
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Fault::new(codes::SYNTAX, Span::new(self.at, end), message)
    }
}

fn unclosed(start: usize, what: &str) -> Fault {
    let message = format!("this {what} is never closed");
    Fault::new(codes::SYNTAX, Span::new(start, start + 1), message)
}
