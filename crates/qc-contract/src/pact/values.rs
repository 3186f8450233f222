//! What a single matcher says about a single value.

use serde_json::Value;

use super::rules::{Matcher, Matchers};
use crate::mismatch::kind;

/// Why a JSON value does not satisfy the matchers of its place. Inherited matchers speak about kinds, not about the
/// number of things.
pub(super) fn check(
    matchers: &Matchers,
    is_inherited: bool,
    expected: &Value,
    actual: &Value,
) -> Vec<String> {
    let mut failures = Vec::new();
    for matcher in &matchers.all {
        match check_one(matcher, is_inherited, expected, actual) {
            Err(why) => failures.push(why),
            Ok(()) if matchers.any => return Vec::new(),
            Ok(()) => {}
        }
    }
    failures
}

fn check_one(
    matcher: &Matcher,
    is_inherited: bool,
    expected: &Value,
    actual: &Value,
) -> Result<(), String> {
    let is = kind(actual);
    let fails = |is_good: bool, why: &dyn Fn() -> String| if is_good { Ok(()) } else { Err(why()) };
    match matcher {
        Matcher::Equality => fails(are_equal(expected, actual), &|| unequal(expected, actual)),
        Matcher::Type { min, max } => {
            if !are_alike(expected, actual) {
                return Err(format!("must be {}, but is {is}", kind(expected)));
            }
            let count = match actual {
                Value::Array(items) if !is_inherited => items.len(),
                _ => return Ok(()),
            };
            in_bounds(count, *min, *max)
        }
        Matcher::Number => fails(actual.is_number(), &|| format!("must be a number, but is {is}")),
        Matcher::Integer => {
            let is_whole = actual.is_i64() || actual.is_u64();
            fails(is_whole, &|| format!("must be an integer, but is {is}"))
        }
        Matcher::Decimal => {
            fails(actual.is_f64(), &|| format!("must be a number with decimal places, but is {is}"))
        }
        Matcher::Boolean => {
            let is_boolean =
                actual.is_boolean() || matches!(actual.as_str(), Some("true" | "false"));
            fails(is_boolean, &|| format!("must be a boolean, but is {is}"))
        }
        Matcher::Null => fails(actual.is_null(), &|| format!("must be null, but is {is}")),
        Matcher::NotEmpty => {
            let is_empty = match actual {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            if is_empty {
                return Err("must not be empty".to_owned());
            }
            fails(are_alike(expected, actual) || expected.is_null(), &|| {
                format!("must be {}, but is {is}", kind(expected))
            })
        }
        // They speak about what is inside.
        Matcher::Values
        | Matcher::EachKey(_)
        | Matcher::EachValue(_)
        | Matcher::ArrayContains(_) => fails(are_alike(expected, actual), &|| {
            format!("must be {}, but is {is}", kind(expected))
        }),
        Matcher::Status(class) => match actual.as_u64() {
            Some(status) if class.holds(status) => Ok(()),
            _ => Err("has another status than the expected ones".to_owned()),
        },
        Matcher::Regex(_)
        | Matcher::Include(_)
        | Matcher::Date(..)
        | Matcher::Semver
        | Matcher::ContentType(_) => match actual {
            Value::Null => Err(format!("must be {}, but is null", kind(expected))),
            // Inherited, it says nothing about a list or an object themselves.
            Value::Array(_) | Value::Object(_) if is_inherited => Ok(()),
            Value::Array(_) | Value::Object(_) => Err(format!("must be text, but is {is}")),
            Value::String(text) => check_text(matcher, text),
            other => check_text(matcher, &other.to_string()),
        },
    }
}

/// Why a text (a header, a parameter, XML) does not satisfy the matchers of its place.
pub(super) fn check_all_text(matchers: &Matchers, expected: &str, actual: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for matcher in &matchers.all {
        let result = match matcher {
            Matcher::Equality if expected != actual => Err(format!("must be `{expected}`")),
            other => check_text(other, actual),
        };
        match result {
            Err(why) => failures.push(why),
            Ok(()) if matchers.any => return Vec::new(),
            Ok(()) => {}
        }
    }
    failures
}

fn check_text(matcher: &Matcher, actual: &str) -> Result<(), String> {
    let is_good = match matcher {
        Matcher::Regex(pattern) => {
            if pattern.fits(actual) {
                return Ok(());
            }
            return Err(format!("does not match the expression `{}`", pattern.source));
        }
        Matcher::Include(part) => {
            if actual.contains(part.as_str()) {
                return Ok(());
            }
            return Err(format!("does not include `{part}`"));
        }
        Matcher::Number => is_number(actual),
        Matcher::Integer => {
            let digits = actual.strip_prefix('-').unwrap_or(actual);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        Matcher::Decimal => is_number(actual) && actual.contains('.'),
        Matcher::Boolean => matches!(actual, "true" | "false"),
        Matcher::Date(word, formats) => {
            if formats.iter().any(|format| format.fits(actual)) {
                return Ok(());
            }
            return Err(format!("is no {word} of the expected form"));
        }
        Matcher::NotEmpty => !actual.is_empty(),
        Matcher::Semver => is_semver(actual),
        Matcher::Null => actual.is_empty(),
        Matcher::Status(class) => actual.parse().is_ok_and(|status| class.holds(status)),
        Matcher::ContentType(wanted) => looks_like(wanted, actual),
        Matcher::Equality
        | Matcher::Type { .. }
        | Matcher::ArrayContains(_)
        | Matcher::Values
        | Matcher::EachKey(_)
        | Matcher::EachValue(_) => true,
    };
    let what = match matcher {
        Matcher::Number => "a number",
        Matcher::Integer => "an integer",
        Matcher::Decimal => "a number with decimal places",
        Matcher::Boolean => "`true` or `false`",
        Matcher::NotEmpty | Matcher::Null => "what is expected: it is empty, or should be",
        Matcher::Semver => "a semantic version",
        _ => "of the expected content",
    };
    if is_good { Ok(()) } else { Err(format!("is not {what}")) }
}

fn is_number(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    plain && text.parse::<f64>().is_ok()
}

/// Major, minor and patch without leading zeros, and what may follow `-` and `+`.
fn is_semver(text: &str) -> bool {
    let (rest, build) =
        text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (version, pre) = rest.split_once('-').map_or((rest, None), |(rest, pre)| (rest, Some(pre)));
    let is_numeric = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_pre = |part: &str| {
        is_word(part) && (!part.bytes().all(|byte| byte.is_ascii_digit()) || is_numeric(part))
    };
    let numbers: Vec<&str> = version.split('.').collect();
    numbers.len() == 3
        && numbers.into_iter().all(is_numeric)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

/// Whether content is of a media type, as far as it can be seen.
fn looks_like(wanted: &str, actual: &str) -> bool {
    let base = wanted.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if base.ends_with("json") {
        return serde_json::from_str::<Value>(actual).is_ok();
    }
    if base.ends_with("xml") {
        return roxmltree::Document::parse(actual).is_ok();
    }
    base.starts_with("text/") || content_signature(actual.as_bytes()).is_none_or(|own| own == base)
}

/// The media type of some binary contents, by how they begin.
pub(super) fn content_signature(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 7] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"BM", "image/bmp"),
    ];
    known.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind)
}

pub(super) fn in_bounds(
    count: usize,
    min: Option<usize>,
    max: Option<usize>,
) -> Result<(), String> {
    if let Some(min) = min.filter(|min| count < *min) {
        return Err(format!("must have at least {min} items, but has {count}"));
    }
    if let Some(max) = max.filter(|max| count > *max) {
        return Err(format!("must have at most {max} items, but has {count}"));
    }
    Ok(())
}

/// Of one kind; whole and other numbers are.
pub(super) fn are_alike(expected: &Value, actual: &Value) -> bool {
    std::mem::discriminant(expected) == std::mem::discriminant(actual)
}

pub(super) fn are_equal(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| are_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| are_equal(value, other))
                })
        }
        _ => expected == actual,
    }
}

/// Says what was expected; what is there instead is the provider's, and only its kind is told.
pub(super) fn unequal(expected: &Value, actual: &Value) -> String {
    match expected {
        Value::Array(_) | Value::Object(_) => {
            format!("must be the expected {}, but is {}", kind_word(expected), kind(actual))
        }
        plain if are_alike(expected, actual) => format!("must be `{}`", shortened(plain)),
        plain => format!("must be `{}`, but is {}", shortened(plain), kind(actual)),
    }
}

fn kind_word(value: &Value) -> &'static str {
    if value.is_array() { "list" } else { "object" }
}

fn shortened(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= 80 {
        text
    } else {
        text.chars().take(79).collect::<String>() + "…"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for good in ["1.0.0", "0.1.2-alpha.1", "1.2.3+build.5", "1.2.3-rc-1+x"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["1.0", "01.0.0", "1.0.0-", "1.0.0-01", "a.b.c", "1.0.0+"] {
            assert!(!is_semver(bad), "{bad}");
        }
    }

    #[test]
    fn numbers_in_text_are_recognised() {
        assert!(is_number("-1.5e3") && is_number("7"));
        assert!(!is_number("inf") && !is_number("") && !is_number("1x"));
    }
}
