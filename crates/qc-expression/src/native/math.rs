//! Numbers.

use serde_json::Number;

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, fail};
use crate::number::{float, from_real, real, whole};
use crate::value::Val;

pub(super) const TABLE: Table = &[
    ("floor", 0, |_, input, _| rounded(input, f64::floor)),
    ("ceil", 0, |_, input, _| rounded(input, f64::ceil)),
    ("round", 0, |_, input, _| rounded(input, f64::round)),
    ("trunc", 0, |_, input, _| rounded(input, f64::trunc)),
    ("abs", 0, |_, input, _| abs(input)),
    ("fabs", 0, |_, input, _| unary(&input, f64::abs)),
    ("sqrt", 0, |_, input, _| unary(&input, f64::sqrt)),
    ("cbrt", 0, |_, input, _| unary(&input, f64::cbrt)),
    ("exp", 0, |_, input, _| unary(&input, f64::exp)),
    ("exp2", 0, |_, input, _| unary(&input, f64::exp2)),
    ("exp10", 0, |_, input, _| unary(&input, |x| 10f64.powf(x))),
    ("log", 0, |_, input, _| unary(&input, f64::ln)),
    ("log2", 0, |_, input, _| unary(&input, f64::log2)),
    ("log10", 0, |_, input, _| unary(&input, f64::log10)),
    ("sin", 0, |_, input, _| unary(&input, f64::sin)),
    ("cos", 0, |_, input, _| unary(&input, f64::cos)),
    ("tan", 0, |_, input, _| unary(&input, f64::tan)),
    ("asin", 0, |_, input, _| unary(&input, f64::asin)),
    ("acos", 0, |_, input, _| unary(&input, f64::acos)),
    ("atan", 0, |_, input, _| unary(&input, f64::atan)),
    ("pow", 2, |_, _, args| binary(args, f64::powf)),
    ("atan2", 2, |_, _, args| binary(args, f64::atan2)),
    ("fmod", 2, |_, _, args| binary(args, |x, y| x % y)),
    ("fmin", 2, |_, _, args| binary(args, f64::min)),
    ("fmax", 2, |_, _, args| binary(args, f64::max)),
    ("now", 0, now),
];

fn number_of<'v, 'a>(value: &'v Val<'a>) -> Flow<'a, &'v Number> {
    match value {
        Val::Num(number) => Ok(number),
        other => fail(format!("{} number required", shown(other))),
    }
}

fn unary<'a>(input: &Val<'a>, deed: fn(f64) -> f64) -> Flow<'a, Val<'a>> {
    float(deed(real(number_of(input)?)))
}

fn binary<'a>(args: &[Val<'a>], deed: fn(f64, f64) -> f64) -> Flow<'a, Val<'a>> {
    let [left, right] = args else { return fail("two numbers are needed") };
    float(deed(real(number_of(left)?), real(number_of(right)?)))
}

/// An integer stays exactly what it is.
fn rounded(input: Val<'_>, deed: fn(f64) -> f64) -> Flow<'_, Val<'_>> {
    let number = number_of(&input)?;
    if whole(number).is_some() {
        return Ok(input);
    }
    float(deed(real(number)))
}

fn abs(input: Val<'_>) -> Flow<'_, Val<'_>> {
    let number = number_of(&input)?;
    if real(number) < 0.0 { super::arithmetic::negate(&input) } else { Ok(input) }
}

/// The time that the caller journalled for this evaluation, in seconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of any calendar date fit 53 bits")]
fn now<'a>(machine: &mut Machine<'a>, _: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match from_real(machine.now_ms as f64 / 1000.0) {
        Some(number) => Ok(Val::Num(number)),
        None => fail("the time is not a number"),
    }
}
