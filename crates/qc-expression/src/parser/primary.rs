//! Terms: paths, literals, brackets, keywords and calls.

use super::{Parsed, Parser};
use crate::codes;
use crate::fault::ParseError;
use crate::lexer::Tok;
use crate::number;
use crate::syntax::{BindKey, BindPattern, Expr, Kind, PathDeed, PathStep, TextPiece};
use crate::tree::Format;

impl Parser<'_> {
    /// A term, or `term as $x | body`, whose body takes all that follows.
    pub(super) fn postfix_or_binding(&mut self) -> Parsed<Expr> {
        let source = self.postfix()?;
        if self.is_word("as") { self.binding(source) } else { Ok(source) }
    }

    fn binding(&mut self, source: Expr) -> Parsed<Expr> {
        let start = source.at.start;
        self.advance();
        let patterns = self.patterns()?;
        self.expect("|")?;
        let (source, body) = (Box::new(source), Box::new(self.pipe()?));
        Ok(self.expr(start, Kind::Bind { source, patterns, body }))
    }

    pub(super) fn patterns(&mut self) -> Parsed<Vec<BindPattern>> {
        let mut patterns = vec![self.pattern()?];
        while self.is("?") {
            self.advance();
            self.expect("//")?;
            patterns.push(self.pattern()?);
        }
        Ok(patterns)
    }

    fn pattern(&mut self) -> Parsed<BindPattern> {
        self.nested(|parser| {
            if parser.next.tok == Tok::Variable {
                return Ok(BindPattern::Variable(parser.variable()));
            }
            if parser.take("[") {
                let mut items = vec![parser.pattern()?];
                while parser.take(",") {
                    items.push(parser.pattern()?);
                }
                parser.expect("]")?;
                return Ok(BindPattern::Array(items));
            }
            if parser.take("{") {
                let mut entries = vec![parser.pattern_entry()?];
                while parser.take(",") {
                    entries.push(parser.pattern_entry()?);
                }
                parser.expect("}")?;
                return Ok(BindPattern::Object(entries));
            }
            Err(parser.unexpected("a variable, `[` or `{` to bind"))
        })
    }

    fn pattern_entry(&mut self) -> Parsed<(BindKey, Option<BindPattern>)> {
        if self.next.tok == Tok::Variable {
            let key = BindKey::Variable(self.variable());
            let pattern = if self.take(":") { Some(self.pattern()?) } else { None };
            return Ok((key, pattern));
        }
        let key = self.object_key()?;
        self.expect(":")?;
        Ok((BindKey::Value(key), Some(self.pattern()?)))
    }

    /// Takes `$name` and gives its name.
    pub(super) fn variable(&mut self) -> String {
        let name = self.text()[1..].to_owned();
        self.advance();
        name
    }

    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let mut head = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if let Some(deed) = self.path_step(&head, &steps)? {
                let mut optional = false;
                while self.take("?") {
                    optional = true;
                }
                steps.push(PathStep { deed, optional });
            } else if steps.is_empty() && self.is("?") {
                while self.take("?") {}
                let body = Box::new(head);
                head = self.expr(start, Kind::Try { body, handler: None });
            } else if steps.is_empty() {
                return Ok(head);
            } else {
                return Ok(self.expr(start, Kind::Path { head: Box::new(head), steps }));
            }
        }
    }

    /// `.name`, `."name"`, `[…]`, `.[…]`; after a lone `.` also the name without a further dot.
    fn path_step(&mut self, head: &Expr, steps: &[PathStep]) -> Parsed<Option<PathDeed>> {
        match self.next.tok {
            Tok::Field => {
                let at = self.next.at.clone();
                let name = self.text()[1..].to_owned();
                self.advance();
                let pieces = vec![TextPiece::Literal(name)];
                Ok(Some(PathDeed::Index(Expr { kind: Kind::Text { format: None, pieces }, at })))
            }
            Tok::Sym("[") => self.bracket().map(Some),
            Tok::Sym(".") => {
                self.advance();
                match self.next.tok {
                    Tok::Sym("[") => self.bracket().map(Some),
                    Tok::Quote => self.quoted(None).map(|key| Some(PathDeed::Index(key))),
                    _ => Err(self.unexpected("a key after `.`")),
                }
            }
            // `."name"`, where the dot is the head itself.
            Tok::Quote
                if steps.is_empty()
                    && matches!(head.kind, Kind::Identity)
                    && head.at.end == self.next.at.start =>
            {
                self.quoted(None).map(|key| Some(PathDeed::Index(key)))
            }
            _ => Ok(None),
        }
    }

    fn bracket(&mut self) -> Parsed<PathDeed> {
        self.expect("[")?;
        if self.take("]") {
            return Ok(PathDeed::Each);
        }
        if self.take(":") {
            let to = self.pipe()?;
            self.expect("]")?;
            return Ok(PathDeed::Slice(None, Some(to)));
        }
        let key = self.pipe()?;
        let deed = if self.take(":") {
            let to = if self.is("]") { None } else { Some(self.pipe()?) };
            PathDeed::Slice(Some(key), to)
        } else {
            PathDeed::Index(key)
        };
        self.expect("]")?;
        Ok(deed)
    }

    /// Each branch is a function of its own, so that the frame of this one, which stands on the
    /// stack once for every level of nesting, stays small.
    fn primary(&mut self) -> Parsed<Expr> {
        match self.next.tok {
            Tok::Number => self.number(),
            Tok::Quote => self.quoted(None),
            Tok::Format => self.formatted(),
            Tok::Variable | Tok::Sym("..") => Ok(self.atom()),
            Tok::Field | Tok::Sym(".") => Ok(self.dot()),
            Tok::Sym("(") => self.parenthesised(),
            Tok::Sym("[") => self.array(),
            Tok::Sym("{") => self.object(),
            Tok::Word => self.keyword_or_call(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn number(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let Some(number) = number::parse(self.text()) else {
            let message = format!("{} is not a number that JSON can say", self.text());
            return Err(ParseError::new(codes::SYNTAX, message, self.next.at.clone()));
        };
        self.advance();
        Ok(self.expr(start, Kind::Number(number)))
    }

    fn formatted(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let format = self.format()?;
        if self.next.tok == Tok::Quote {
            return self.quoted(Some(format));
        }
        Ok(self.expr(start, Kind::Format(format)))
    }

    fn atom(&mut self) -> Expr {
        let start = self.next.at.start;
        if self.take("..") {
            return self.expr(start, Kind::Recurse);
        }
        let name = self.variable();
        self.expr(start, Kind::Variable(name))
    }

    fn parenthesised(&mut self) -> Parsed<Expr> {
        self.advance();
        let inner = self.pipe()?;
        self.expect(")")?;
        Ok(inner)
    }

    fn array(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        self.advance();
        if self.take("]") {
            return Ok(self.expr(start, Kind::Array(None)));
        }
        let inner = Box::new(self.pipe()?);
        self.expect("]")?;
        Ok(self.expr(start, Kind::Array(Some(inner))))
    }

    /// The `.` before a path. A field keeps its token for the first step.
    fn dot(&mut self) -> Expr {
        let start = self.next.at.start;
        if self.next.tok == Tok::Field {
            return Expr { kind: Kind::Identity, at: start..start };
        }
        self.advance();
        Expr { kind: Kind::Identity, at: start..start + 1 }
    }

    fn format(&mut self) -> Parsed<Format> {
        let format = match &self.text()[1..] {
            "text" => Format::Text,
            "json" => Format::Json,
            "html" => Format::Html,
            "uri" => Format::Uri,
            "urid" => Format::Urid,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "sh" => Format::Sh,
            "base64" => Format::Base64,
            "base64d" => Format::Base64d,
            other => {
                let message = format!("there is no format @{other}");
                let help = "the formats are @text @json @html @uri @urid @csv @tsv @sh @base64 \
                            @base64d";
                return Err(ParseError::new(
                    codes::UNKNOWN_FUNCTION,
                    message,
                    self.next.at.clone(),
                )
                .with_help(help));
            }
        };
        self.advance();
        Ok(format)
    }

    fn object(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        self.advance();
        let mut entries = Vec::new();
        while !self.is("}") {
            entries.push(self.object_entry()?);
            if !self.take(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(self.expr(start, Kind::Object(entries)))
    }

    fn object_entry(&mut self) -> Parsed<(Expr, Expr)> {
        let at = self.next.at.clone();
        if self.next.tok == Tok::Variable {
            let name = self.variable();
            let key = literal(name.clone(), at.clone());
            return Ok((key, Expr { kind: Kind::Variable(name), at }));
        }
        let bracketed = self.is("(");
        let key = self.object_key()?;
        if self.take(":") {
            return Ok((key, self.entry_value()?));
        }
        if bracketed {
            return Err(self.unexpected("`:` and the value of this key"));
        }
        // `{name}` and `{"name"}` take the value from the input.
        let Kind::Text { format: None, pieces } = &key.kind else {
            return Err(self.unexpected("`:` and the value of this key"));
        };
        let [TextPiece::Literal(name)] = pieces.as_slice() else {
            return Err(self.unexpected("`:` and the value of this key"));
        };
        let again = literal(name.clone(), at.clone());
        let head = Box::new(Expr { kind: Kind::Identity, at: at.clone() });
        let steps = vec![PathStep { deed: PathDeed::Index(again), optional: false }];
        Ok((key, Expr { kind: Kind::Path { head, steps }, at }))
    }

    fn object_key(&mut self) -> Parsed<Expr> {
        let at = self.next.at.clone();
        match self.next.tok {
            Tok::Word | Tok::Number => {
                let name = self.text().to_owned();
                self.advance();
                Ok(literal(name, at))
            }
            Tok::Quote => self.quoted(None),
            Tok::Format => {
                let format = self.format()?;
                self.quoted(Some(format))
            }
            Tok::Sym("(") => {
                self.advance();
                let key = self.pipe()?;
                self.expect(")")?;
                Ok(key)
            }
            _ => Err(self.unexpected("a key")),
        }
    }
}

pub(super) fn literal(text: String, at: std::ops::Range<usize>) -> Expr {
    Expr { kind: Kind::Text { format: None, pieces: vec![TextPiece::Literal(text)] }, at }
}
