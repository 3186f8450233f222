//! Path expressions of matching rules, and how well one fits a place.
//!
//! The published rule: the root, a name and an index that fit weigh 2, a wildcard weighs 1, and the weights are
//! multiplied. The heaviest expression wins, of equal ones the longest. An expression for a place also holds for what
//! is below it, unless something fits better.

/// A part of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Name(String),
    Index(usize),
    AnyIndex,
    Any,
}

/// A part of a place in a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Name(String),
    Index(usize),
    /// An XML element: the names it goes by, and which of its name it is among its siblings.
    Element(Vec<String>, usize),
}

/// A path expression without its root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Expression {
    pub(super) tokens: Vec<Token>,
}

impl Expression {
    /// Reads `$.a['b'][0][*].*`; names may also stand alone. The error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('$') else {
            return Ok(Self { tokens: vec![Token::Name(text.to_owned())] });
        };
        let mut tokens = Vec::new();
        let mut rest = rest;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            match first {
                '.' => {
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    let (name, after) = rest.split_at(end);
                    if name.is_empty() {
                        return Err(format!("a name is missing before `{after}`"));
                    }
                    tokens.push(named(name));
                    rest = after;
                }
                '[' => {
                    let (token, after) = bracketed(rest)?;
                    tokens.push(token);
                    rest = after;
                }
                _ => return Err(format!("`{first}` is not expected; after `$` comes `.` or `[`")),
            }
        }
        Ok(Self { tokens })
    }

    /// How well it fits a place or something above it, and how many parts of it do; `None` when it does not.
    pub(super) fn weight(&self, place: &[Step]) -> Option<(u64, usize)> {
        weigh(&self.tokens, place).map(|weight| (weight.saturating_mul(2), self.tokens.len()))
    }

    /// Whether it speaks of the place itself, not only of something above.
    pub(super) fn reaches(&self, place: &[Step]) -> bool {
        self.tokens.len() >= place.len()
    }

    /// Whether it ends in a wildcard for the fields right below a place.
    pub(super) fn is_wildcard_below(&self, place: &[Step]) -> bool {
        match self.tokens.split_last() {
            Some((Token::Any, above)) => {
                above.len() == place.len() && weigh(above, place).is_some()
            }
            _ => false,
        }
    }
}

fn named(name: &str) -> Token {
    match name {
        "*" => Token::Any,
        // A number as a name is how older files write an index.
        other => other.parse().map_or_else(|_| Token::Name(other.to_owned()), Token::Index),
    }
}

fn bracketed(rest: &str) -> Result<(Token, &str), String> {
    let open = "the bracket is not closed";
    let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'));
    if let Some(quote) = quote {
        let inner = &rest[1..];
        let end = inner.find(quote).ok_or("the name in quotes is not closed")?;
        let after = inner[end + 1..].strip_prefix(']').ok_or(open)?;
        return Ok((Token::Name(inner[..end].to_owned()), after));
    }
    let end = rest.find(']').ok_or(open)?;
    let (inner, after) = (&rest[..end], &rest[end + 1..]);
    let token = match inner {
        "*" => Token::AnyIndex,
        index => Token::Index(index.parse().map_err(|_| format!("`{index}` is no index"))?),
    };
    Ok((token, after))
}

/// The best product of weights by which the tokens fit the beginning of a place.
fn weigh(tokens: &[Token], place: &[Step]) -> Option<u64> {
    let Some((token, rest)) = tokens.split_first() else { return Some(1) };
    let (step, below) = place.split_first()?;
    let own = match (token, step) {
        (Token::Any, _) | (Token::AnyIndex, Step::Index(_) | Step::Element(..)) => 1,
        (Token::Name(name), Step::Name(other)) if name == other => 2,
        (Token::Index(index), Step::Index(other)) if index == other => 2,
        // A field whose name is a number.
        (Token::Index(index), Step::Name(name)) if *name == index.to_string() => 2,
        (Token::Name(name), Step::Element(names, _)) if names.contains(name) => 2,
        _ => return None,
    };
    let straight = weigh(rest, below);
    let indexed = match (step, rest.split_first()) {
        // The index of an element may stand after its name.
        (Step::Element(_, at), Some((Token::Index(index), rest))) if at == index => {
            weigh(rest, below).map(|weight| weight.saturating_mul(2))
        }
        (Step::Element(..), Some((Token::AnyIndex, rest))) => weigh(rest, below),
        _ => None,
    };
    straight.max(indexed).map(|weight| weight.saturating_mul(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(names: &[&str]) -> Vec<Step> {
        let step =
            |name: &&str| name.parse().map_or_else(|_| Step::Name((*name).to_owned()), Step::Index);
        names.iter().map(step).collect()
    }

    fn weight(expression: &str, names: &[&str]) -> Option<u64> {
        let expression = Expression::parse(expression).expect("is one");
        expression.weight(&place(names)).map(|(weight, _)| weight)
    }

    #[test]
    fn expressions_weigh_as_published() {
        assert_eq!(weight("$", &["a"]), Some(2));
        assert_eq!(weight("$.a", &["a", "0"]), Some(4));
        assert_eq!(weight("$.a[*]", &["a", "0"]), Some(4));
        assert_eq!(weight("$.a[0]", &["a", "0"]), Some(8));
        assert_eq!(weight("$['a'].*.c", &["a", "b", "c"]), Some(8));
        assert_eq!(weight("$.a.b", &["a", "c"]), None);
        assert_eq!(weight("$.a.b.c", &["a", "b"]), None);
        assert_eq!(weight("$.a[*]", &["a", "b"]), None, "a name is no index");
    }

    #[test]
    fn broken_expressions_say_what_is_wrong() {
        for (text, says) in [
            ("$.a[", "not closed"),
            ("$.a['b]", "not closed"),
            ("$.a[x]", "no index"),
            ("$..a", "missing"),
            ("$a", "not expected"),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
