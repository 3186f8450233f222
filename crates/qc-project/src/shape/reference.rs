//! Texts that refer to something: files, versions, expressions.

use std::cmp::Ordering;
use std::fmt;

use qc_document::{Node, Reader, Span};
use serde_json::{Value, json};

use super::{Definitions, Shape, scalar::parse};

/// A path inside the folder of the file that names it; never out of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectPath {
    /// The path with `/`.
    pub path: String,
    /// Where it is named.
    pub span: Span,
}

impl Shape for ProjectPath {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let path = parse(node, what, reader, |text| {
            let legal =
                |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\\');
            if text.split('/').all(legal) {
                Ok(text.to_owned())
            } else {
                Err("not a path inside this folder; write `contracts/event.schema.json`")
            }
        })?;
        Some(Self { path, span: node.span })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^(?!/)(?!.*(^|/)\.\.?(/|$)).+$" })
    }
}

/// A version by Semantic Versioning 2.0.0, without build metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    /// The pre-release part after `-`.
    pub pre: Option<String>,
}

impl Version {
    /// Reads `1.2.3` or `1.2.3-rc.1`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not a version; write `1.0.0` (semver.org)");
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let padded = part.len() > 1 && part.starts_with('0');
            if plain && !padded { part.parse::<u64>().ok() } else { None }
        };
        let numbers: Option<Vec<u64>> = core.split('.').map(number).collect();
        let numbers: [u64; 3] = numbers.and_then(|parts| parts.try_into().ok()).ok_or_else(form)?;
        let legal = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if pre.is_some_and(|pre| !pre.split('.').all(legal)) {
            return Err(form());
        }
        Ok(Self { numbers, pre: pre.map(str::to_owned) })
    }

    /// The order of releases: a pre-release comes before its release.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => pre_order(left, right),
        })
    }
}

fn pre_order(left: &str, right: &str) -> Ordering {
    let mut left = left.split('.');
    let mut right = right.split('.');
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.pre.as_ref().map_or(Ok(()), |pre| write!(f, "-{pre}"))
    }
}

impl Shape for Version {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, Self::parse)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$" })
    }
}

/// A jq expression, as text; compiled when the project is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jq {
    /// Its text, without the `${ }` that a workflow puts around it.
    pub source: String,
    /// Where it stood.
    pub span: Span,
}

impl Shape for Jq {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?.trim();
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let source = inner.unwrap_or(text).trim();
        if source.is_empty() {
            reader.invalid(node, format!("{what} must be a jq expression, but is empty"));
            return None;
        }
        Some(Self { source: source.to_owned(), span: node.span })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "examples": [".data.case_id"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_as_semver_says() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "2.0.0",
        ];
        for pair in order.windows(2) {
            let [low, high] = [pair[0], pair[1]].map(|text| Version::parse(text).unwrap());
            assert_eq!(low.precedence(&high), Ordering::Less, "{low} < {high}");
            assert_eq!(low.to_string(), pair[0]);
        }
        for bad in ["", "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "v1.0.0", "1.0.0.0"] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
    }
}
