//! Ways into a value: reading at a key, and changing or deleting what a way leads to.

pub(crate) mod slice;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::machine::shown;
use crate::meter::{Charge, Flow, Limit, Meter, VALUE_DEPTH, fail};
use crate::number;
use crate::value::{Arr, Obj, Text, Val};

/// The way from the value that paths are asked of, or nothing while nobody asks.
#[derive(Debug, Clone)]
pub(crate) enum Trail<'a> {
    Off,
    Root,
    Step(Rc<TrailStep<'a>>),
}

#[derive(Debug)]
pub(crate) struct TrailStep<'a> {
    before: Trail<'a>,
    key: Val<'a>,
    length: u32,
    _charge: Charge<'a>,
}

impl<'a> Trail<'a> {
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    pub(crate) fn step(&self, meter: &'a Meter, key: &Val<'a>) -> Result<Self, Limit> {
        self.step_with(meter, || key.clone())
    }

    pub(crate) fn step_with(
        &self,
        meter: &'a Meter,
        key: impl FnOnce() -> Val<'a>,
    ) -> Result<Self, Limit> {
        let length = match self {
            Self::Off => return Ok(Self::Off),
            Self::Root => 1,
            Self::Step(step) => step.length + 1,
        };
        // A way longer than any value is deep would only build one that is too deep.
        if length > VALUE_DEPTH {
            return Err(Limit::Depth);
        }
        let charge = meter.charge(96)?;
        let before = self.clone();
        Ok(Self::Step(Rc::new(TrailStep { before, key: key(), length, _charge: charge })))
    }

    /// The keys, first step first.
    pub(crate) fn keys(&self) -> Vec<Val<'a>> {
        let mut keys = Vec::new();
        let mut at = self;
        while let Self::Step(step) = at {
            keys.push(step.key.clone());
            at = &step.before;
        }
        keys.reverse();
        keys
    }
}

/// `value[key]`.
pub(crate) fn index<'a>(meter: &'a Meter, value: &Val<'a>, key: &Val<'a>) -> Flow<'a, Val<'a>> {
    match (value, key) {
        (Val::Obj(object), Val::Str(name)) => {
            meter.scan(name.len())?;
            Ok(object.get(name.as_str()).unwrap_or(Val::Null))
        }
        (Val::Arr(items), Val::Num(number)) => {
            let at = place(number::floor(number), items.len());
            Ok(at.and_then(|at| items.get(at)).unwrap_or(Val::Null))
        }
        (Val::Null, Val::Str(_) | Val::Num(_) | Val::Null) => Ok(Val::Null),
        (Val::Arr(_) | Val::Null, Val::Obj(bounds)) => {
            let (from, to) = slice::bounds(bounds);
            slice::take(meter, value, &from, &to)
        }
        (Val::Str(_), Val::Obj(bounds)) if bounds.has("start") || bounds.has("end") => {
            let (from, to) = slice::bounds(bounds);
            slice::take(meter, value, &from, &to)
        }
        (Val::Arr(items), Val::Arr(part)) => crate::native::arrays::indices_of(meter, items, part),
        (_, Val::Str(name)) => {
            let key = shown(&Val::Str(name.clone()));
            fail(format!("Cannot index {} with {key}", value.kind()))
        }
        _ => fail(format!("Cannot index {} with {}", value.kind(), key.kind())),
    }
}

/// An index that counts from the end when negative, if it is within the array or behind it.
fn place(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        return usize::try_from(index).ok();
    }
    length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
}

/// What happens to the value at the end of a way. `None` asks for its deletion.
pub(crate) type Change<'c, 'a> = &'c mut dyn FnMut(Val<'a>) -> Flow<'a, Option<Val<'a>>>;

/// Changes what a way leads to. Gives the whole, and whether the end asked to be deleted.
pub(crate) fn change<'a>(
    meter: &'a Meter,
    whole: Val<'a>,
    keys: &[Val<'a>],
    change: Change<'_, 'a>,
) -> Flow<'a, (Val<'a>, bool)> {
    let Some((key, rest)) = keys.split_first() else {
        return Ok(match change(whole)? {
            Some(value) => (value, false),
            None => (Val::Null, true),
        });
    };
    meter.tick(1)?;
    match (whole, key) {
        (Val::Obj(object), Val::Str(name)) => change_field(meter, object, name, rest, change),
        (Val::Null, Val::Str(name)) => {
            let empty = crate::value::Dict::new(meter)?;
            let Val::Obj(object) = empty.into_val() else {
                return fail("an object is expected");
            };
            change_field(meter, object, name, rest, change)
        }
        (Val::Arr(items), Val::Num(number)) => {
            change_element(meter, items, number::floor(number), rest, change)
        }
        (Val::Null, Val::Num(number)) => {
            change_element(meter, Arr::Lent(&[]), number::floor(number), rest, change)
        }
        (whole @ (Val::Arr(_) | Val::Null), Val::Obj(bounds)) => {
            let part = slice::Part::of(whole, bounds)?;
            let old = part.value(meter)?;
            let (new, deleted) = self::change(meter, old, rest, change)?;
            if deleted {
                return Ok((part.whole, true));
            }
            Ok((part.replaced(meter, new)?, false))
        }
        (whole, key) => fail(format!("Cannot index {} with {}", whole.kind(), shown(key))),
    }
}

fn change_field<'a>(
    meter: &'a Meter,
    object: Obj<'a>,
    name: &Text<'a>,
    rest: &[Val<'a>],
    change: Change<'_, 'a>,
) -> Flow<'a, (Val<'a>, bool)> {
    let mut dict = object.into_dict(meter)?;
    let old = dict.take(name.as_str());
    let (new, deleted) = self::change(meter, old, rest, change)?;
    dict.insert(name.clone(), new)?;
    Ok((dict.into_val(), deleted))
}

fn change_element<'a>(
    meter: &'a Meter,
    items: Arr<'a>,
    index: i64,
    rest: &[Val<'a>],
    change: Change<'_, 'a>,
) -> Flow<'a, (Val<'a>, bool)> {
    let Some(at) = place(index, items.len()) else {
        return fail("Out of bounds negative array index");
    };
    // Paid for before the change is made, so that `.[1e9] = 1` costs nothing but an error.
    meter.afford(at.saturating_sub(items.len()).saturating_mul(crate::value::ITEM))?;
    let mut list = items.into_list(meter)?;
    let old = list.take(at);
    let (new, deleted) = self::change(meter, old, rest, change)?;
    list.put(at, new)?;
    Ok((list.into_val(), deleted))
}

/// The value without what the ways lead to. All ways are meant before any deletion.
pub(crate) fn delete<'a>(
    meter: &'a Meter,
    whole: Val<'a>,
    ways: &[&[Val<'a>]],
    depth: u32,
) -> Flow<'a, Val<'a>> {
    if ways.iter().any(|way| way.is_empty()) {
        return Ok(Val::Null);
    }
    if ways.is_empty() {
        return Ok(whole);
    }
    crate::machine::Machine::shallow(depth)?;
    meter.tick(ways.len())?;
    match whole {
        Val::Null => Ok(Val::Null),
        Val::Obj(object) => delete_fields(meter, object, ways, depth),
        Val::Arr(items) => delete_elements(meter, items, ways, depth),
        other => {
            let key = ways.first().and_then(|way| way.first()).map_or("null", Val::kind);
            fail(format!("Cannot delete field at {key} index of {}", other.kind()))
        }
    }
}

fn delete_fields<'a>(
    meter: &'a Meter,
    object: Obj<'a>,
    ways: &[&[Val<'a>]],
    depth: u32,
) -> Flow<'a, Val<'a>> {
    let mut within: BTreeMap<&str, Vec<&[Val<'a>]>> = BTreeMap::new();
    for way in ways {
        match way.split_first() {
            Some((Val::Str(name), rest)) if object.has(name.as_str()) => {
                within.entry(name.as_str()).or_default().push(rest);
            }
            // What is not there needs no deletion.
            Some((Val::Str(_), _)) | None => {}
            Some((key, _)) => {
                return fail(format!("Cannot delete field at {} index of object", key.kind()));
            }
        }
    }
    let mut dict = object.into_dict(meter)?;
    for (name, rests) in within {
        if rests.iter().any(|rest| rest.is_empty()) {
            dict.remove(name);
        } else {
            let key = Text::own(meter, name.to_owned())?;
            let part = delete(meter, dict.take(name), &rests, depth + 1)?;
            dict.insert(key, part)?;
        }
    }
    Ok(dict.into_val())
}

fn delete_elements<'a>(
    meter: &'a Meter,
    items: Arr<'a>,
    ways: &[&[Val<'a>]],
    depth: u32,
) -> Flow<'a, Val<'a>> {
    let length = items.len();
    let mut gone = BTreeSet::new();
    let mut within: BTreeMap<usize, Vec<&[Val<'a>]>> = BTreeMap::new();
    let mut parts = Vec::new();
    for way in ways {
        match way.split_first() {
            Some((Val::Num(number), rest)) => {
                let at = place(number::floor(number), length).filter(|at| *at < length);
                if let Some(at) = at {
                    within.entry(at).or_default().push(rest);
                }
            }
            Some((Val::Obj(bounds), rest)) => {
                let (from, to) = slice::range(bounds, length)?;
                if rest.is_empty() {
                    meter.tick((to - from) / 4)?;
                    gone.extend(from..to);
                } else {
                    parts.push((bounds, rest));
                }
            }
            Some((key, _)) => {
                return fail(format!("Cannot delete field at {} index of array", key.kind()));
            }
            None => {}
        }
    }
    if !parts.is_empty() {
        return fail("Cannot delete within a slice; delete by index instead");
    }
    let mut list = items.into_list(meter)?;
    for (at, rests) in within {
        if rests.iter().any(|rest| rest.is_empty()) {
            gone.insert(at);
        } else {
            let part = delete(meter, list.take(at), &rests, depth + 1)?;
            list.put(at, part)?;
        }
    }
    if !gone.is_empty() {
        list.keep(|at| !gone.contains(&at))?;
    }
    Ok(list.into_val())
}
