//! Reads jq. Only a term can be read: there is no way to write `import` or `include`.
//!
//! Precedence, loosest first: `|`, `,`, assignments, `//`, `or`, `and`, comparisons, `+ -`,
//! `* / %`. As in jaq, an assignment takes a whole `a // b` on its right.

mod primary;
mod text;

use std::ops::Range;

use crate::codes;
use crate::fault::ParseError;
use crate::lexer::{Tok, Token, token};
use crate::syntax::{Assignment, Expr, Kind};
use crate::tree::{CompareOp, MathOp};

/// How deeply a source may nest brackets, bindings and the like.
const NESTING: u32 = 80;

/// The words that cannot begin a function call.
pub(crate) const KEYWORDS: [&str; 18] = [
    "as", "and", "or", "def", "if", "then", "elif", "else", "end", "reduce", "foreach",
    "try", "catch", "label", "import", "include", "module", "__loc__",
];

pub(crate) struct Parser<'s> {
    source: &'s str,
    /// The next token, not yet taken.
    next: Token,
    depth: u32,
}

type Parsed<T> = Result<T, ParseError>;

/// Reads the whole source as one expression.
pub(crate) fn parse(source: &str) -> Parsed<Expr> {
    let mut parser = Parser { source, next: token(source, 0), depth: 0 };
    let expr = parser.pipe()?;
    match parser.next.tok {
        Tok::End => Ok(expr),
        _ => Err(parser.unexpected("the end of the expression")),
    }
}

impl<'s> Parser<'s> {
    fn text(&self) -> &'s str {
        &self.source[self.next.at.clone()]
    }

    fn advance(&mut self) -> Token {
        let next = token(self.source, self.next.at.end);
        std::mem::replace(&mut self.next, next)
    }

    /// Continues reading at this byte.
    fn seek(&mut self, at: usize) {
        self.next = token(self.source, at);
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.next.tok, Tok::Sym(found) if found == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        self.next.tok == Tok::Word && self.text() == word
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        let found = match self.next.tok {
            Tok::End => "the expression ends".to_owned(),
            Tok::Quote => "there is a string".to_owned(),
            _ => format!("there is `{}`", self.text()),
        };
        let message = format!("expected {wanted}, but {found}");
        ParseError::new(codes::SYNTAX, message, self.next.at.clone())
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= NESTING {
            let message = format!("the expression nests more than {NESTING} levels deep");
            return Err(ParseError::new(codes::TOO_COMPLEX, message, self.next.at.clone()));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// From `start` to what was read last.
    fn since(&self, start: usize) -> Range<usize> {
        let before = self.source[..self.next.at.start].trim_end().len();
        start..before.max(start)
    }

    fn expr(&self, start: usize, kind: Kind) -> Expr {
        Expr { kind, at: self.since(start) }
    }

    /// `a | b | c`
    pub(crate) fn pipe(&mut self) -> Parsed<Expr> {
        self.nested(|parser| parser.separated("|", Self::comma, Kind::Pipe))
    }

    /// The value of an object entry: everything but a comma.
    fn entry_value(&mut self) -> Parsed<Expr> {
        self.nested(|parser| parser.separated("|", Self::assignment, Kind::Pipe))
    }

    fn comma(&mut self) -> Parsed<Expr> {
        self.separated(",", Self::assignment, Kind::Comma)
    }

    fn separated(
        &mut self,
        symbol: &str,
        mut part: impl FnMut(&mut Self) -> Parsed<Expr>,
        join: impl FnOnce(Vec<Expr>) -> Kind,
    ) -> Parsed<Expr> {
        let start = self.next.at.start;
        let first = part(self)?;
        if !self.is(symbol) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(symbol) {
            parts.push(part(self)?);
        }
        Ok(self.expr(start, join(parts)))
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let target = self.alternative()?;
        let Tok::Sym(symbol) = self.next.tok else { return Ok(target) };
        let how = match symbol {
            "=" => Assignment::Set,
            "|=" => Assignment::Update,
            "+=" => Assignment::Math(MathOp::Add),
            "-=" => Assignment::Math(MathOp::Subtract),
            "*=" => Assignment::Math(MathOp::Multiply),
            "/=" => Assignment::Math(MathOp::Divide),
            "%=" => Assignment::Math(MathOp::Remainder),
            "//=" => Assignment::Alternative,
            _ => return Ok(target),
        };
        self.advance();
        let value = self.nested(Self::assignment)?;
        let (target, value) = (Box::new(target), Box::new(value));
        Ok(self.expr(start, Kind::Assign { how, target, value }))
    }

    fn alternative(&mut self) -> Parsed<Expr> {
        self.separated("//", Self::or, Kind::Alternative)
    }

    fn or(&mut self) -> Parsed<Expr> {
        self.words("or", Self::and, Kind::Or)
    }

    fn and(&mut self) -> Parsed<Expr> {
        self.words("and", Self::comparison, Kind::And)
    }

    fn words(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed<Expr>,
        join: fn(Vec<Expr>) -> Kind,
    ) -> Parsed<Expr> {
        let start = self.next.at.start;
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(self.expr(start, join(parts)))
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let left = self.sum()?;
        let Some(op) = self.compare_op() else { return Ok(left) };
        self.advance();
        let right = self.sum()?;
        if self.compare_op().is_some() {
            return Err(self
                .unexpected("`and`, `or`, or the end of the comparison")
                .with_help("comparisons do not chain: write `a < b and b < c`"));
        }
        let (left, right) = (Box::new(left), Box::new(right));
        Ok(self.expr(start, Kind::Compare { op, left, right }))
    }

    fn compare_op(&self) -> Option<CompareOp> {
        let Tok::Sym(symbol) = self.next.tok else { return None };
        Some(match symbol {
            "==" => CompareOp::Equal,
            "!=" => CompareOp::NotEqual,
            "<" => CompareOp::Less,
            "<=" => CompareOp::LessEqual,
            ">" => CompareOp::Greater,
            ">=" => CompareOp::GreaterEqual,
            _ => return None,
        })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.chain(Self::product, |symbol| match symbol {
            "+" => Some(MathOp::Add),
            "-" => Some(MathOp::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.chain(Self::unary, |symbol| match symbol {
            "*" => Some(MathOp::Multiply),
            "/" => Some(MathOp::Divide),
            "%" => Some(MathOp::Remainder),
            _ => None,
        })
    }

    fn chain(
        &mut self,
        part: fn(&mut Self) -> Parsed<Expr>,
        op: fn(&str) -> Option<MathOp>,
    ) -> Parsed<Expr> {
        let start = self.next.at.start;
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Tok::Sym(symbol) = self.next.tok
            && let Some(op) = op(symbol)
        {
            self.advance();
            rest.push((op, part(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(self.expr(start, Kind::Math { first: Box::new(first), rest }))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        if self.take("-") {
            let inner = self.nested(Self::unary)?;
            return Ok(self.expr(start, Kind::Negate(Box::new(inner))));
        }
        self.postfix_or_binding()
    }
}

/// Reads a text that holds only definitions.
pub(crate) fn definitions(source: &str) -> Parsed<Vec<crate::syntax::Function>> {
    let mut parser = Parser { source, next: token(source, 0), depth: 0 };
    let mut functions = Vec::new();
    while parser.next.tok != Tok::End {
        functions.push(parser.definition()?);
    }
    Ok(functions)
}
