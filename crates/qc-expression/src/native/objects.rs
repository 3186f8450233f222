//! Objects, and paths given as values.

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, VALUE_DEPTH, fail};
use crate::number;
use crate::paths::{change, delete};
use crate::value::{Dict, List, Text, Val};

pub(super) const TABLE: Table = &[
    ("keys", 0, keys),
    ("keys_unsorted", 0, keys),
    ("has", 1, has),
    ("to_entries", 0, to_entries),
    ("from_entries", 0, from_entries),
    ("setpath", 2, setpath),
    ("delpaths", 1, delpaths),
];

/// Both `keys` and `keys_unsorted`: objects have no order here but that of their keys.
fn keys<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let mut list = List::new(machine.meter)?;
    match &input {
        Val::Obj(object) => {
            machine.meter.tick(object.len())?;
            for (key, _) in object.entries() {
                list.push(Val::Str(key))?;
            }
        }
        Val::Arr(items) => {
            for at in 0..items.len() {
                machine.meter.tick(1)?;
                list.push(Val::count(at))?;
            }
        }
        other => return fail(format!("{} has no keys", shown(other))),
    }
    Ok(list.into_val())
}

fn has<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match (&input, args) {
        (Val::Obj(object), [Val::Str(key)]) => {
            machine.meter.scan(key.len())?;
            Ok(Val::Bool(object.has(key.as_str())))
        }
        (Val::Arr(items), [Val::Num(at)]) => {
            let at = usize::try_from(number::floor(at));
            Ok(Val::Bool(at.is_ok_and(|at| at < items.len())))
        }
        (_, [key]) => {
            fail(format!("Cannot check whether {} has a {} key", input.kind(), key.kind()))
        }
        _ => fail("has takes one argument"),
    }
}

fn to_entries<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let Val::Obj(object) = &input else {
        return fail(format!("{} has no keys", shown(&input)));
    };
    let mut list = List::new(machine.meter)?;
    for (key, value) in object.entries() {
        machine.meter.tick(1)?;
        let mut entry = Dict::new(machine.meter)?;
        entry.insert(Text::Lent("key"), Val::Str(key))?;
        entry.insert(Text::Lent("value"), value)?;
        list.push(entry.into_val())?;
    }
    Ok(list.into_val())
}

fn from_entries<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let Val::Arr(items) = &input else {
        return fail(format!("Cannot iterate over {}", shown(&input)));
    };
    let mut dict = Dict::new(machine.meter)?;
    for item in items.iter() {
        machine.meter.tick(1)?;
        let Val::Obj(entry) = &item else {
            return fail(format!("Cannot use {} as an entry", shown(&item)));
        };
        let field = |names: &[&str]| {
            let mut found = Val::Null;
            for name in names {
                match entry.get(name) {
                    Some(Val::Null) | None => {}
                    Some(value) => {
                        found = value;
                        break;
                    }
                }
            }
            found
        };
        let key = match field(&["key", "k", "name", "Name", "Key", "K"]) {
            Val::Str(text) => text,
            Val::Num(number) => Text::own(machine.meter, number.to_string())?,
            Val::Bool(truth) => Text::Lent(if truth { "true" } else { "false" }),
            Val::Null => Text::Lent("null"),
            other => return fail(format!("Cannot use {} as object key", shown(&other))),
        };
        dict.insert(key, field(&["value", "v", "Value", "V"]))?;
    }
    Ok(dict.into_val())
}

fn way_of<'a>(way: &Val<'a>) -> Flow<'a, Vec<Val<'a>>> {
    let Val::Arr(keys) = way else { return fail("Path must be specified as an array") };
    if keys.len() > VALUE_DEPTH as usize {
        return fail(format!("a path of {} steps is longer than a value is deep", keys.len()));
    }
    Ok(keys.iter().collect())
}

fn setpath<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let [way, value] = args else { return fail("setpath takes two arguments") };
    let keys = way_of(way)?;
    let changed = change(machine.meter, input, &keys, &mut |_| Ok(Some(value.clone())))?;
    Ok(changed.0)
}

fn delpaths<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let [Val::Arr(ways)] = args else { return fail("Paths must be specified as an array") };
    machine.meter.tick(ways.len())?;
    machine.meter.afford(ways.len().saturating_mul(64))?;
    let ways: Vec<Vec<Val<'a>>> = ways.iter().map(|way| way_of(&way)).collect::<Flow<'a, _>>()?;
    let ways: Vec<&[Val<'a>]> = ways.iter().map(Vec::as_slice).collect();
    delete(machine.meter, input, &ways, 0)
}
