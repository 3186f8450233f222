//! What a word begins: a keyword's form, a definition, or a call.

use super::{KEYWORDS, Parsed, Parser};
use crate::codes;
use crate::fault::ParseError;
use crate::lexer::Tok;
use crate::syntax::{BindPattern, Expr, Function, Kind};

impl Parser<'_> {
    pub(super) fn keyword_or_call(&mut self) -> Parsed<Expr> {
        let start = self.next.at.start;
        let kind = match self.text() {
            "if" => self.condition(),
            "try" => self.attempt(),
            "reduce" => self.reduce(),
            "foreach" => self.foreach(),
            "label" => self.label(),
            "break" => {
                self.advance();
                self.named_variable().map(Kind::Break)
            }
            "def" => self.define(),
            "import" | "include" | "module" => {
                let message = format!("`{}` is not available in expressions", self.text());
                let at = self.next.at.clone();
                return Err(ParseError::new(codes::REFUSED_FUNCTION, message, at));
            }
            word if KEYWORDS.contains(&word) => return Err(self.unexpected("an expression")),
            _ => self.function_call(),
        };
        Ok(self.expr(start, kind?))
    }

    fn function_call(&mut self) -> Parsed<Kind> {
        let name = self.text().to_owned();
        self.advance();
        Ok(Kind::Call { name, args: self.arguments()? })
    }

    fn attempt(&mut self) -> Parsed<Kind> {
        self.advance();
        let body = Box::new(self.nested(Self::try_part)?);
        let handler = if self.take_word("catch") {
            Some(Box::new(self.nested(Self::try_part)?))
        } else {
            None
        };
        Ok(Kind::Try { body, handler })
    }

    fn reduce(&mut self) -> Parsed<Kind> {
        let (source, patterns, args) = self.fold(2..=2)?;
        Ok(Kind::Reduce { source, patterns, args })
    }

    fn foreach(&mut self) -> Parsed<Kind> {
        let (source, patterns, args) = self.fold(2..=3)?;
        Ok(Kind::Foreach { source, patterns, args })
    }

    fn label(&mut self) -> Parsed<Kind> {
        self.advance();
        let name = self.named_variable()?;
        self.expect("|")?;
        Ok(Kind::Label { name, body: Box::new(self.pipe()?) })
    }

    fn define(&mut self) -> Parsed<Kind> {
        let function = Box::new(self.definition()?);
        Ok(Kind::Define { function, rest: Box::new(self.pipe()?) })
    }

    fn try_part(&mut self) -> Parsed<Expr> {
        if self.is("-") { self.unary() } else { self.postfix() }
    }

    fn named_variable(&mut self) -> Parsed<String> {
        if self.next.tok == Tok::Variable {
            Ok(self.variable())
        } else {
            Err(self.unexpected("a label such as `$out`"))
        }
    }

    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        let mut args = Vec::new();
        if self.take("(") {
            args.push(self.pipe()?);
            while self.take(";") {
                args.push(self.pipe()?);
            }
            self.expect(")")?;
        }
        Ok(args)
    }

    fn condition(&mut self) -> Parsed<Kind> {
        self.advance();
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let test = self.pipe()?;
            self.expect_word("then")?;
            branches.push((test, self.pipe()?));
            if self.take_word("elif") {
                continue;
            }
            if self.take_word("else") {
                otherwise = Some(Box::new(self.pipe()?));
            }
            self.expect_word("end")?;
            return Ok(Kind::If { branches, otherwise });
        }
    }

    fn fold(
        &mut self,
        counts: std::ops::RangeInclusive<usize>,
    ) -> Parsed<(Box<Expr>, Vec<BindPattern>, Vec<Expr>)> {
        let word = self.text();
        self.advance();
        let source = Box::new(self.nested(Self::postfix)?);
        self.expect_word("as")?;
        let patterns = self.patterns()?;
        let at = self.next.at.clone();
        let args = self.arguments()?;
        if !counts.contains(&args.len()) {
            let message = format!("`{word}` takes (start; update), not {} parts", args.len());
            return Err(ParseError::new(codes::SYNTAX, message, at));
        }
        Ok((source, patterns, args))
    }

    pub(super) fn definition(&mut self) -> Parsed<Function> {
        self.advance();
        if self.next.tok != Tok::Word {
            return Err(self.unexpected("the name of a function"));
        }
        let name = self.text().to_owned();
        self.advance();
        let mut parameters = Vec::new();
        if self.take("(") {
            loop {
                match self.next.tok {
                    Tok::Word => {
                        parameters.push((self.text().to_owned(), false));
                        self.advance();
                    }
                    Tok::Variable => parameters.push((self.variable(), true)),
                    _ => return Err(self.unexpected("a parameter")),
                }
                if !self.take(";") {
                    break;
                }
            }
            self.expect(")")?;
        }
        self.expect(":")?;
        let body = self.pipe()?;
        self.expect(";")?;
        Ok(Function { name, parameters, body })
    }
}
