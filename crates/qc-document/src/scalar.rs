//! What a bare scalar means: the YAML 1.2 core schema, and numbers that survive being read.

use serde_json::Number;

use crate::node::NodeValue;

pub(crate) const NUMBER_MESSAGE: &str =
    "this number is outside the range of 64-bit integers and floating point, and would be changed";
pub(crate) const NUMBER_HELP: &str = "put it in quotes, so that it is text";

/// A number from its JSON spelling. `None` when it is infinite as floating point, or an integer
/// beyond 64 bits that floating point would not give back digit for digit (an identifier, say).
pub(crate) fn number(written: &str, integer: bool) -> Option<Number> {
    if integer {
        if written.len() <= 18 && written != "-0" {
            return written.parse::<i64>().ok().map(Number::from);
        }
        if let Ok(value) = written.parse::<i64>()
            && written != "-0"
        {
            return Some(Number::from(value));
        }
        if let Ok(value) = written.parse::<u64>() {
            return Some(Number::from(value));
        }
    }
    let value: f64 = written.parse().ok()?;
    if integer && written != "-0" && value.to_string() != written {
        return None;
    }
    Number::from_f64(value)
}

/// Why a plain scalar has no meaning here.
pub(crate) struct Unrepresentable;

/// The value of a plain (unquoted) YAML scalar by the core schema; `yes`, `no`, `on` and `off` are text.
pub(crate) fn plain(text: &str) -> Result<NodeValue, Unrepresentable> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeValue::Null),
        "true" | "True" | "TRUE" => return Ok(NodeValue::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(NodeValue::Bool(false)),
        _ => {}
    }
    let first = text.as_bytes()[0];
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return Ok(NodeValue::String(text.into()));
    }
    match numeral(text) {
        Numeral::Number(number) => Ok(NodeValue::Number(number)),
        Numeral::No => Ok(NodeValue::String(text.into())),
        Numeral::Unrepresentable => Err(Unrepresentable),
    }
}

enum Numeral {
    Number(Number),
    No,
    Unrepresentable,
}

fn numeral(text: &str) -> Numeral {
    let from = |number: Option<Number>| number.map_or(Numeral::Unrepresentable, Numeral::Number);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Numeral::Unrepresentable;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
            let value = u64::from_str_radix(digits, radix).ok();
            return if all { from(value.map(Number::from)) } else { Numeral::No };
        }
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let some_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let bare = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !bare.is_empty() && digits(bare)
    });
    if !(some_digits && digits(whole) && fraction.is_none_or(digits) && exponent_fits) {
        return Numeral::No;
    }
    let integer = fraction.is_none() && exponent.is_none();
    let sign = if text.starts_with('-') { "-" } else { "" };
    if integer {
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            rest => rest,
        };
        let sign = if whole == "0" { "" } else { sign };
        return from(number(&format!("{sign}{whole}"), true));
    }
    from(number(&format!("{sign}{unsigned}"), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> serde_json::Value {
        match plain(text) {
            Ok(value) => crate::Node { span: crate::Span::default(), value }.to_value(),
            Err(Unrepresentable) => json!("UNREPRESENTABLE"),
        }
    }

    #[test]
    fn the_core_schema() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "1.2.3",
            "2018-05-16",
            "0b1",
            "1_000",
            "-",
            "+",
            ".",
            "e3",
            ".e3",
            "1e",
            "0x",
            "0xg",
            "1:30",
            "--1",
            "nullish",
            "+.nan",
        ] {
            assert_eq!(value(text), json!(text), "{text} is text");
        }
        assert_eq!(value("~"), json!(null));
        assert_eq!(value("True"), json!(true));
        assert_eq!(value("0x1F"), json!(31));
        assert_eq!(value("0o17"), json!(15));
        assert_eq!(value("007"), json!(7));
        assert_eq!(value("-0"), json!(0));
        assert_eq!(value("+12"), json!(12));
        assert_eq!(value("-12"), json!(-12));
        assert_eq!(value("1."), json!(1.0));
        assert_eq!(value(".5"), json!(0.5));
        assert_eq!(value("-1.5e3"), json!(-1500.0));
        assert_eq!(value("18446744073709551615"), json!(u64::MAX));
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        for text in [".inf", "-.INF", ".nan", "1e999", "123456789012345678901234567890"] {
            assert_eq!(value(text), json!("UNREPRESENTABLE"), "{text}");
        }
        assert_eq!(value("100000000000000000000"), json!(1e20), "kept digit for digit");
    }
}
