//! Arithmetic on JSON numbers: exact on integers of 64 bits, floating beyond them, never NaN or
//! infinite, because JSON cannot say either.

use serde_json::Number;

use crate::meter::{Flow, fail};
use crate::value::Val;

/// The number as an integer, if it is written as one.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

pub(crate) fn real(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

/// The largest float below which every integer is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A float as a JSON number: an integer where it is one, as jq prints it.
#[expect(clippy::cast_possible_truncation, reason = "only integers below 2^53 are cast")]
pub(crate) fn from_real(real: f64) -> Option<Number> {
    if real.fract() == 0.0 && real.abs() < EXACT {
        return Some((real as i64).into());
    }
    Number::from_f64(real)
}

/// A float as a value, or the error that it has none.
pub(crate) fn float<'a>(real: f64) -> Flow<'a, Val<'a>> {
    match from_real(real) {
        Some(number) => Ok(Val::Num(number)),
        None => fail("the result is not a finite number, which JSON cannot say"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 64 bits a number is a float by rule")]
fn integer<'a>(number: i128) -> Flow<'a, Val<'a>> {
    if let Ok(number) = i64::try_from(number) {
        return Ok(Val::Num(number.into()));
    }
    if let Ok(number) = u64::try_from(number) {
        return Ok(Val::Num(number.into()));
    }
    float(number as f64)
}

pub(crate) fn add<'a>(left: &Number, right: &Number) -> Flow<'a, Val<'a>> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => integer(left + right),
        _ => float(real(left) + real(right)),
    }
}

pub(crate) fn subtract<'a>(left: &Number, right: &Number) -> Flow<'a, Val<'a>> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => integer(left - right),
        _ => float(real(left) - real(right)),
    }
}

pub(crate) fn multiply<'a>(left: &Number, right: &Number) -> Flow<'a, Val<'a>> {
    match (whole(left), whole(right)) {
        // Both are below 2^64 in size, but their product can pass i128.
        (Some(left), Some(right)) => match left.checked_mul(right) {
            Some(product) => integer(product),
            None => float(real_of(left) * real_of(right)),
        },
        _ => float(real(left) * real(right)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 64 bits a number is a float by rule")]
fn real_of(whole: i128) -> f64 {
    whole as f64
}

pub(crate) fn divide<'a>(left: &Number, right: &Number) -> Flow<'a, Val<'a>> {
    if real(right) == 0.0 {
        return fail(format!(
            "number ({left}) and number ({right}) cannot be divided because the divisor is zero"
        ));
    }
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) if left % right == 0 => integer(left / right),
        _ => float(real(left) / real(right)),
    }
}

/// Both sides cut to integers; the sign is that of the dividend.
pub(crate) fn remainder<'a>(left: &Number, right: &Number) -> Flow<'a, Val<'a>> {
    let (dividend, divisor) = (cut(left), cut(right));
    if divisor == 0 {
        return fail(format!(
            "number ({left}) and number ({right}) cannot be divided because the divisor is zero"
        ));
    }
    integer(dividend % divisor)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is meant")]
fn cut(number: &Number) -> i128 {
    whole(number).unwrap_or_else(|| real(number) as i128)
}

pub(crate) fn negate<'a>(number: &Number) -> Flow<'a, Val<'a>> {
    match whole(number) {
        Some(number) => integer(-number),
        None => float(-real(number)),
    }
}

/// A number as an index or a count, cut towards minus infinity and kept within i64.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is meant")]
pub(crate) fn floor(number: &Number) -> i64 {
    number.as_i64().unwrap_or_else(|| real(number).floor() as i64)
}

/// The same, cut towards plus infinity.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is meant")]
pub(crate) fn ceil(number: &Number) -> i64 {
    number.as_i64().unwrap_or_else(|| real(number).ceil() as i64)
}

/// A number written in a source text or a string, in JSON's form or with a bare point.
pub(crate) fn parse(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    text.parse::<f64>().ok().filter(|real| real.is_finite()).and_then(from_real)
}
