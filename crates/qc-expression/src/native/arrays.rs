//! Arrays, and what arrays, objects and text share.

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, Meter, fail};
use crate::number;
use crate::order::equal;
use crate::value::{Arr, List, Val};

pub(super) const TABLE: Table = &[
    ("length", 0, length),
    ("not", 0, |_, input, _| Ok(Val::Bool(!input.truthy()))),
    ("reverse", 0, reverse),
    ("add", 0, add),
    ("flatten", 0, |m, input, _| flatten(m, &input, i64::MAX)),
    ("flatten", 1, |m, input, args| match args {
        [Val::Num(depth)] => flatten(m, &input, number::floor(depth)),
        _ => fail("flatten depth must be a number"),
    }),
    ("contains", 1, |m, input, args| match args {
        [part] => contains(m.meter, &input, part, 0).map(Val::Bool),
        _ => fail("contains takes one argument"),
    }),
    ("indices", 1, |m, input, args| indices(m, &input, args)),
    ("index", 1, |m, input, args| {
        let found = indices(m, &input, args)?;
        crate::paths::index(m.meter, &found, &Val::int(0))
    }),
    ("rindex", 1, |m, input, args| {
        let found = indices(m, &input, args)?;
        crate::paths::index(m.meter, &found, &Val::int(-1))
    }),
    ("transpose", 0, transpose),
    ("toarray", 0, |m, input, _| match input {
        Val::Arr(_) => Ok(input),
        other => Ok(Val::list(m.meter, vec![other])?),
    }),
    ("type", 0, |_, input, _| Ok(Val::Str(crate::value::Text::Lent(input.kind())))),
];

fn length<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match &input {
        Val::Null => Ok(Val::int(0)),
        Val::Bool(_) => fail(format!("{} has no length", shown(&input))),
        Val::Num(number) if number::real(number) < 0.0 => number::negate(number),
        Val::Num(_) => Ok(input),
        Val::Str(text) => {
            machine.meter.scan(text.len())?;
            Ok(Val::count(text.as_str().chars().count()))
        }
        Val::Arr(items) => Ok(Val::count(items.len())),
        Val::Obj(object) => Ok(Val::count(object.len())),
    }
}

fn reverse<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match &input {
        Val::Null => Ok(Val::list(machine.meter, Vec::new())?),
        Val::Str(text) => {
            machine.meter.afford(text.len())?;
            Ok(Val::text(machine.meter, text.as_str().chars().rev().collect())?)
        }
        Val::Arr(items) => {
            let mut list = List::new(machine.meter)?;
            for at in (0..items.len()).rev() {
                machine.meter.tick(1)?;
                list.push(items.get(at).unwrap_or(Val::Null))?;
            }
            Ok(list.into_val())
        }
        other => fail(format!("Cannot reverse {}", shown(other))),
    }
}

fn add<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let items: Vec<Val<'a>> = match &input {
        Val::Arr(items) => {
            let mut sum = Val::Null;
            for item in items.iter() {
                machine.meter.tick(1)?;
                sum = super::arithmetic::add(machine.meter, sum, item)?;
            }
            return Ok(sum);
        }
        Val::Obj(object) => object.entries().into_iter().map(|(_, value)| value).collect(),
        other => return fail(format!("Cannot iterate over {}", shown(other))),
    };
    let mut sum = Val::Null;
    for item in items {
        machine.meter.tick(1)?;
        sum = super::arithmetic::add(machine.meter, sum, item)?;
    }
    Ok(sum)
}

fn flatten<'a>(machine: &Machine<'a>, input: &Val<'a>, levels: i64) -> Flow<'a, Val<'a>> {
    if levels < 0 {
        return fail("flatten depth must not be negative");
    }
    let Val::Arr(items) = input else {
        return fail(format!("Cannot iterate over {}", shown(input)));
    };
    let mut list = List::new(machine.meter)?;
    flatten_into(machine.meter, items, levels, &mut list, 0)?;
    Ok(list.into_val())
}

fn flatten_into<'a>(
    meter: &'a Meter,
    items: &Arr<'a>,
    levels: i64,
    list: &mut List<'a>,
    depth: u32,
) -> Flow<'a> {
    Machine::shallow(depth)?;
    for item in items.iter() {
        meter.tick(1)?;
        match item {
            Val::Arr(inner) if levels > 0 => {
                flatten_into(meter, &inner, levels - 1, list, depth + 1)?;
            }
            other => list.push(other)?,
        }
    }
    Ok(())
}

fn contains<'a>(meter: &'a Meter, whole: &Val<'a>, part: &Val<'a>, depth: u32) -> Flow<'a, bool> {
    Machine::shallow(depth)?;
    meter.tick(1)?;
    match (whole, part) {
        (Val::Str(whole), Val::Str(part)) => {
            meter.scan(whole.len() + part.len())?;
            Ok(whole.as_str().contains(part.as_str()))
        }
        (Val::Arr(whole), Val::Arr(parts)) => {
            for part in parts.iter() {
                let mut found = false;
                for item in whole.iter() {
                    if item.kind() == part.kind() && contains(meter, &item, &part, depth + 1)? {
                        found = true;
                        break;
                    }
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::Obj(whole), Val::Obj(parts)) => {
            for (key, part) in parts.entries() {
                let Some(value) = whole.get(key.as_str()) else { return Ok(false) };
                if value.kind() != part.kind() || !contains(meter, &value, &part, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ if whole.kind() == part.kind() => Ok(equal(meter, whole, part)?),
        _ => fail(format!(
            "{} and {} cannot have their containment checked",
            shown(whole),
            shown(part)
        )),
    }
}

fn indices<'a>(machine: &Machine<'a>, input: &Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let meter = machine.meter;
    let mut list = List::new(meter)?;
    match (input, args) {
        (Val::Null, _) => return Ok(Val::Null),
        (Val::Str(text), [Val::Str(part)]) => {
            let (text, part) = (text.as_str(), part.as_str());
            if part.is_empty() {
                return Ok(Val::Null);
            }
            // Places are counted in characters, and finds may overlap.
            for (character, (at, _)) in text.char_indices().enumerate() {
                // The same beginning may be compared at every place.
                meter.tick(1 + part.len() / 64)?;
                if text[at..].starts_with(part) {
                    list.push(Val::count(character))?;
                }
            }
        }
        (Val::Arr(items), [Val::Arr(part)]) => return indices_of(meter, items, part),
        (Val::Arr(items), [item]) => {
            for (at, other) in items.iter().enumerate() {
                meter.tick(1)?;
                if equal(meter, &other, item)? {
                    list.push(Val::count(at))?;
                }
            }
        }
        (other, _) => return fail(format!("Cannot determine indices in {}", shown(other))),
    }
    Ok(list.into_val())
}

/// Where a run of elements begins within an array.
pub(crate) fn indices_of<'a>(
    meter: &'a Meter,
    items: &Arr<'a>,
    part: &Arr<'a>,
) -> Flow<'a, Val<'a>> {
    if part.len() == 0 {
        return Ok(Val::Null);
    }
    let mut list = List::new(meter)?;
    for start in 0..(items.len() + 1).saturating_sub(part.len()) {
        let mut same = true;
        for (at, wanted) in part.iter().enumerate() {
            meter.tick(1)?;
            let found = items.get(start + at).unwrap_or(Val::Null);
            if !equal(meter, &found, &wanted)? {
                same = false;
                break;
            }
        }
        if same {
            list.push(Val::count(start))?;
        }
    }
    Ok(list.into_val())
}

fn transpose<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let Val::Arr(rows) = &input else {
        return fail(format!("Cannot transpose {}", shown(&input)));
    };
    let mut width = 0;
    for row in rows.iter() {
        match row {
            Val::Arr(row) => width = width.max(row.len()),
            other => return fail(format!("Cannot transpose {}", shown(&other))),
        }
    }
    let mut columns = List::new(machine.meter)?;
    for at in 0..width {
        let mut column = List::new(machine.meter)?;
        for row in rows.iter() {
            machine.meter.tick(1)?;
            let Val::Arr(row) = row else { continue };
            column.push(row.get(at).unwrap_or(Val::Null))?;
        }
        columns.push(column.into_val())?;
    }
    Ok(columns.into_val())
}
