//! Regex calls: which argument is what, and the pattern compiled ahead when it is a constant.

use serde_json::Value;

use super::{Lowered, Lowering};
use crate::codes;
use crate::pattern::{Flags, Regex};
use crate::syntax::Expr;
use crate::tree::{Ast, Node, RegexCall, RegexDeed};

/// The bytes that all the patterns written in one expression may hold.
const PATTERNS: usize = 1024 * 1024;

impl Lowering<'_> {
    pub(super) fn regex(&mut self, deed: RegexDeed, args: Vec<Node>, expr: &Expr) -> Lowered<Ast> {
        let mut args = args.into_iter();
        let Some(regex) = args.next() else {
            return Err(self.error(codes::UNKNOWN_FUNCTION, "the regex is missing", expr));
        };
        let replacement =
            if matches!(deed, RegexDeed::Sub | RegexDeed::Gsub) { args.next() } else { None };
        let flags = args.next();
        let given = match flags.as_ref().map(|node| &node.ast) {
            None | Some(Ast::Const(Value::Null)) => Some(""),
            Some(Ast::Const(Value::String(flags))) => Some(flags.as_str()),
            Some(_) => None,
        };
        let ready = match (&regex.ast, given) {
            (Ast::Const(Value::String(text)), Some(flags)) => {
                Some(self.compiled(text, flags, expr)?)
            }
            _ => None,
        };
        Ok(Ast::Regex(Box::new(RegexCall { deed, ready, regex, flags, replacement })))
    }

    /// A pattern, compiled once however often it is written.
    fn compiled(&mut self, text: &str, flags: &str, expr: &Expr) -> Lowered<Regex> {
        let bad = |problem| self.error(codes::BAD_REGEX, problem, expr);
        let flags = Flags::parse(flags).map_err(bad)?;
        let known =
            self.regexes.iter().find(|(known, regex)| known == text && regex.flags == flags);
        if let Some((_, regex)) = known {
            return Ok(regex.clone());
        }
        let regex = Regex::compile(text, flags).map_err(bad)?;
        let held: usize = self.regexes.iter().map(|(_, regex)| regex.size()).sum();
        if held + regex.size() > PATTERNS {
            let message = "the regexes of this expression are too large together";
            return Err(self.error(codes::TOO_COMPLEX, message, expr));
        }
        self.regexes.push((text.to_owned(), regex.clone()));
        Ok(regex)
    }
}
