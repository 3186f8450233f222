//! jq's total order of values (null, false, true, numbers, strings, arrays, objects), metered.

use std::cmp::Ordering;

use serde_json::Number;

use crate::meter::{Limit, Meter, VALUE_DEPTH};
use crate::number;
use crate::value::{Obj, Val};

/// Compares two values, paying a step for every pair that is looked at.
pub(crate) fn compare(meter: &Meter, left: &Val<'_>, right: &Val<'_>) -> Result<Ordering, Limit> {
    compare_at(meter, left, right, 0)
}

pub(crate) fn equal(meter: &Meter, left: &Val<'_>, right: &Val<'_>) -> Result<bool, Limit> {
    compare(meter, left, right).map(Ordering::is_eq)
}

fn rank(value: &Val<'_>) -> u8 {
    match value {
        Val::Null => 0,
        Val::Bool(false) => 1,
        Val::Bool(true) => 2,
        Val::Num(_) => 3,
        Val::Str(_) => 4,
        Val::Arr(_) => 5,
        Val::Obj(_) => 6,
    }
}

fn compare_at(
    meter: &Meter,
    left: &Val<'_>,
    right: &Val<'_>,
    depth: u32,
) -> Result<Ordering, Limit> {
    if depth > VALUE_DEPTH {
        return Err(Limit::Depth);
    }
    Ok(match (left, right) {
        (Val::Num(left), Val::Num(right)) => numbers(left, right),
        (Val::Str(left), Val::Str(right)) => {
            meter.scan(left.len().min(right.len()))?;
            left.cmp(right)
        }
        (Val::Arr(left), Val::Arr(right)) => {
            for (left, right) in left.iter().zip(right.iter()) {
                meter.tick(1)?;
                let order = compare_at(meter, &left, &right, depth + 1)?;
                if order.is_ne() {
                    return Ok(order);
                }
            }
            left.len().cmp(&right.len())
        }
        (Val::Obj(left), Val::Obj(right)) => objects(meter, left, right, depth)?,
        _ => rank(left).cmp(&rank(right)),
    })
}

fn objects(meter: &Meter, left: &Obj<'_>, right: &Obj<'_>, depth: u32) -> Result<Ordering, Limit> {
    meter.tick(left.len() + right.len())?;
    let (left, right) = (left.entries(), right.entries());
    let keys = left.iter().map(|entry| &entry.0).cmp(right.iter().map(|entry| &entry.0));
    if keys.is_ne() {
        return Ok(keys);
    }
    for (left, right) in left.iter().zip(&right) {
        let order = compare_at(meter, &left.1, &right.1, depth + 1)?;
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

/// Exact: a float is never rounded to an integer, nor an integer to a float.
fn numbers(left: &Number, right: &Number) -> Ordering {
    match (number::whole(left), number::whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => whole_to_real(left, number::real(right)),
        (None, Some(right)) => whole_to_real(right, number::real(left)).reverse(),
        (None, None) => number::real(left).partial_cmp(&number::real(right)).unwrap_or(
            // JSON has no NaN, and no operation of ours lets one through.
            Ordering::Equal,
        ),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only floats within i128 are cast")]
fn whole_to_real(whole: i128, real: f64) -> Ordering {
    if real >= 1e30 {
        return Ordering::Less;
    }
    if real <= -1e30 {
        return Ordering::Greater;
    }
    let floor = real.floor();
    whole.cmp(&(floor as i128)).then(if real > floor { Ordering::Less } else { Ordering::Equal })
}

/// The order of the indices of `keys` that sorts them; equal keys stay as they were.
///
/// A merge sort of our own, because a comparison can fail, and the library's sort may panic when
/// a comparison stops being an order.
pub(crate) fn sorted(meter: &Meter, keys: &[Val<'_>]) -> Result<Vec<usize>, Limit> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    meter.afford(keys.len().saturating_mul(16))?;
    let mut merged = Vec::with_capacity(keys.len());
    let mut width = 1;
    while width < order.len() {
        merged.clear();
        for pair in order.chunks(width * 2) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            merge(meter, keys, left, right, &mut merged)?;
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    Ok(order)
}

fn merge(
    meter: &Meter,
    keys: &[Val<'_>],
    mut left: &[usize],
    mut right: &[usize],
    merged: &mut Vec<usize>,
) -> Result<(), Limit> {
    while let (Some((first, left_rest)), Some((second, right_rest))) =
        (left.split_first(), right.split_first())
    {
        meter.tick(1)?;
        if compare(meter, &keys[*second], &keys[*first])?.is_lt() {
            merged.push(*second);
            right = right_rest;
        } else {
            merged.push(*first);
            left = left_rest;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    Ok(())
}
