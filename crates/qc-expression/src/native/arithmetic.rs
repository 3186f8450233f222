//! `+ - * / %` on every kind of value that has them.

use crate::machine::{Machine, shown};
use crate::meter::{Flow, Meter, fail};
use crate::number;
use crate::order::equal;
use crate::tree::MathOp;
use crate::value::{List, Obj, Val};

pub(crate) fn apply<'a>(
    machine: &Machine<'a>,
    op: MathOp,
    left: Val<'a>,
    right: Val<'a>,
) -> Flow<'a, Val<'a>> {
    let meter = machine.meter;
    match op {
        MathOp::Add => add(meter, left, right),
        MathOp::Subtract => subtract(meter, left, right),
        MathOp::Multiply => multiply(meter, left, right),
        MathOp::Divide => divide(meter, left, right),
        MathOp::Remainder => match (&left, &right) {
            (Val::Num(left), Val::Num(right)) => number::remainder(left, right),
            _ => refused(&left, &right, "divided"),
        },
    }
}

fn refused<'a>(left: &Val<'a>, right: &Val<'a>, deed: &str) -> Flow<'a, Val<'a>> {
    fail(format!("{} and {} cannot be {deed}", shown(left), shown(right)))
}

pub(crate) fn negate<'a>(value: &Val<'a>) -> Flow<'a, Val<'a>> {
    match value {
        Val::Num(number) => number::negate(number),
        other => fail(format!("{} cannot be negated", shown(other))),
    }
}

pub(crate) fn add<'a>(meter: &'a Meter, left: Val<'a>, right: Val<'a>) -> Flow<'a, Val<'a>> {
    match (left, right) {
        (Val::Null, other) | (other, Val::Null) => Ok(other),
        (Val::Num(left), Val::Num(right)) => number::add(&left, &right),
        (Val::Str(left), Val::Str(right)) => Ok(Val::Str(left.append(meter, right.as_str())?)),
        (Val::Arr(left), Val::Arr(right)) => {
            if right.len() == 0 {
                return Ok(Val::Arr(left));
            }
            let mut list = left.into_list(meter)?;
            for item in right.iter() {
                meter.tick(1)?;
                list.push(item)?;
            }
            Ok(list.into_val())
        }
        (Val::Obj(left), Val::Obj(right)) => {
            let mut dict = left.into_dict(meter)?;
            for (key, value) in right.entries() {
                meter.tick(1)?;
                dict.insert(key, value)?;
            }
            Ok(dict.into_val())
        }
        (left, right) => refused(&left, &right, "added"),
    }
}

fn subtract<'a>(meter: &'a Meter, left: Val<'a>, right: Val<'a>) -> Flow<'a, Val<'a>> {
    match (&left, &right) {
        (Val::Num(left), Val::Num(right)) => number::subtract(left, right),
        (Val::Arr(items), Val::Arr(gone)) => {
            let mut list = List::new(meter)?;
            for item in items.iter() {
                let mut keep = true;
                for other in gone.iter() {
                    meter.tick(1)?;
                    if equal(meter, &item, &other)? {
                        keep = false;
                        break;
                    }
                }
                if keep {
                    list.push(item)?;
                }
            }
            Ok(list.into_val())
        }
        _ => refused(&left, &right, "subtracted"),
    }
}

fn multiply<'a>(meter: &'a Meter, left: Val<'a>, right: Val<'a>) -> Flow<'a, Val<'a>> {
    match (left, right) {
        (Val::Num(left), Val::Num(right)) => number::multiply(&left, &right),
        (Val::Str(text), Val::Num(times)) | (Val::Num(times), Val::Str(text)) => {
            if number::real(&times) <= 0.0 {
                return Ok(Val::Null);
            }
            let times = usize::try_from(number::floor(&times).max(1)).unwrap_or(usize::MAX);
            let bytes = text.len().saturating_mul(times);
            meter.afford(bytes)?;
            meter.scan(bytes)?;
            Ok(Val::text(meter, text.as_str().repeat(if text.len() == 0 { 0 } else { times }))?)
        }
        (Val::Obj(left), Val::Obj(right)) => merge(meter, left, &right, 0),
        (left, right) => refused(&left, &right, "multiplied"),
    }
}

fn merge<'a>(meter: &'a Meter, left: Obj<'a>, right: &Obj<'a>, depth: u32) -> Flow<'a, Val<'a>> {
    Machine::shallow(depth)?;
    let mut dict = left.into_dict(meter)?;
    for (key, new) in right.entries() {
        meter.tick(1)?;
        let old = dict.take(key.as_str());
        let merged = match (old, new) {
            (Val::Obj(old), Val::Obj(new)) => merge(meter, old, &new, depth + 1)?,
            (_, new) => new,
        };
        dict.insert(key, merged)?;
    }
    Ok(dict.into_val())
}

fn divide<'a>(meter: &'a Meter, left: Val<'a>, right: Val<'a>) -> Flow<'a, Val<'a>> {
    match (&left, &right) {
        (Val::Num(left), Val::Num(right)) => number::divide(left, right),
        (Val::Str(text), Val::Str(separator)) => {
            super::strings::pieces(meter, text, separator.as_str())
        }
        _ => refused(&left, &right, "divided"),
    }
}
