//! Regex calls: which argument is what, and the pattern compiled ahead when it is a constant.

use serde_json::Value;

use crate::pattern::{Flags, Regex};
use crate::tree::{Ast, Node, RegexCall, RegexDeed};

pub(super) fn regex(deed: RegexDeed, args: Vec<Node>) -> Result<Ast, String> {
    let mut args = args.into_iter();
    let regex = args.next().ok_or("a regex is missing")?;
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
            Some(Regex::compile(text, Flags::parse(flags)?)?)
        }
        _ => None,
    };
    Ok(Ast::Regex(Box::new(RegexCall { deed, ready, regex, flags, replacement })))
}
