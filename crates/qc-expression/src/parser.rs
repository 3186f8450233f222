//! Reads jq. Only a term can be read: there is no way to write `import` or `include`.
//!
//! Precedence, loosest first: `|`, `,`, assignments, `//`, `or`, `and`, comparisons, `+ -`,
//! `* / %`. As in jaq, an assignment takes a whole `a // b` on its right.

mod keywords;
mod primary;
mod text;

use std::ops::Range;

use crate::codes;
use crate::fault::ParseError;
use crate::lexer::{Tok, Token, token};
use crate::syntax::{Assignment, Expr, Kind};
use crate::tree::{CompareOp, MathOp};

/// How deeply a source may nest brackets, bindings and the like.
const NESTING: u32 = 48;

/// The words that cannot begin a function call.
pub(crate) const KEYWORDS: [&str; 18] = [
    "as", "and", "or", "def", "if", "then", "elif", "else", "end", "reduce", "foreach", "try",
    "catch", "label", "import", "include", "module", "__loc__",
];

pub(crate) struct Parser<'s> {
    source: &'s str,
    /// The next token, not yet taken.
    next: Token,
    depth: u32,
}

/// A binary operator that both sides of are evaluated for their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Alternative,
    Or,
    And,
    Compare(CompareOp),
    Math(MathOp),
}

/// Operands of one level, the last of which is not read yet.
struct Open {
    level: u8,
    start: usize,
    first: Expr,
    pending: Operator,
    operands: Vec<(Operator, Expr)>,
}

impl Operator {
    /// How tightly it binds.
    fn level(self) -> u8 {
        match self {
            Self::Alternative => 0,
            Self::Or => 1,
            Self::And => 2,
            Self::Compare(_) => 3,
            Self::Math(MathOp::Add | MathOp::Subtract) => 4,
            Self::Math(_) => 5,
        }
    }
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
        let target = self.operators()?;
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

    /// Everything from `//` to `%`, without recursion: an operator that binds looser closes those
    /// that bind tighter.
    fn operators(&mut self) -> Parsed<Expr> {
        let mut open: Vec<Open> = Vec::new();
        let mut operand = self.unary()?;
        loop {
            let next = self.operator();
            let level = next.map(Operator::level);
            while let Some(last) = open.pop_if(|last| level.is_none_or(|level| last.level > level))
            {
                operand = self.closed(last, operand);
            }
            let Some(operator) = next else { return Ok(operand) };
            let level = operator.level();
            match open.last_mut() {
                Some(last) if last.level == level => {
                    if matches!(operator, Operator::Compare(_)) {
                        return Err(self
                            .unexpected("`and`, `or`, or the end of the comparison")
                            .with_help("comparisons do not chain: write `a < b and b < c`"));
                    }
                    last.operands.push((last.pending, operand));
                    last.pending = operator;
                }
                _ => {
                    let start = operand.at.start;
                    let first = operand;
                    open.push(Open { level, start, first, pending: operator, operands: vec![] });
                }
            }
            self.advance();
            operand = self.unary()?;
        }
    }

    fn closed(&self, open: Open, last: Expr) -> Expr {
        let Open { start, first, pending, mut operands, .. } = open;
        operands.push((pending, last));
        let list = |operands: Vec<(Operator, Expr)>, first| {
            std::iter::once(first).chain(operands.into_iter().map(|(_, expr)| expr)).collect()
        };
        let kind = match pending {
            Operator::Alternative => Kind::Alternative(list(operands, first)),
            Operator::Or => Kind::Or(list(operands, first)),
            Operator::And => Kind::And(list(operands, first)),
            Operator::Compare(op) => {
                // Comparisons do not chain, so there is exactly this one.
                match operands.pop() {
                    Some((_, right)) => {
                        Kind::Compare { op, left: Box::new(first), right: Box::new(right) }
                    }
                    None => return first,
                }
            }
            Operator::Math(_) => {
                let rest = operands.into_iter().filter_map(|(operator, expr)| match operator {
                    Operator::Math(op) => Some((op, expr)),
                    _ => None,
                });
                Kind::Math { first: Box::new(first), rest: rest.collect() }
            }
        };
        self.expr(start, kind)
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.next.tok {
            Tok::Word => match self.text() {
                "or" => Operator::Or,
                "and" => Operator::And,
                _ => return None,
            },
            Tok::Sym(symbol) => match symbol {
                "//" => Operator::Alternative,
                "==" => Operator::Compare(CompareOp::Equal),
                "!=" => Operator::Compare(CompareOp::NotEqual),
                "<" => Operator::Compare(CompareOp::Less),
                "<=" => Operator::Compare(CompareOp::LessEqual),
                ">" => Operator::Compare(CompareOp::Greater),
                ">=" => Operator::Compare(CompareOp::GreaterEqual),
                "+" => Operator::Math(MathOp::Add),
                "-" => Operator::Math(MathOp::Subtract),
                "*" => Operator::Math(MathOp::Multiply),
                "/" => Operator::Math(MathOp::Divide),
                "%" => Operator::Math(MathOp::Remainder),
                _ => return None,
            },
            _ => return None,
        })
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
