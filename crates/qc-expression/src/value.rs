//! The values of an evaluation: lent from the caller's JSON wherever they can be, shared and
//! copied on write where the expression made them. Every owned node pays for its bytes.

mod json;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Number, Value};

use crate::meter::{Charge, Limit, Meter, VALUE_DEPTH};

/// What one array element costs.
pub(crate) const ITEM: usize = 40;
/// What one object entry costs, its key's text aside.
pub(crate) const ENTRY: usize = 96;
/// What a container or a text costs by itself.
const HEADER: usize = 64;

/// One value.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Num(Number),
    Str(Text<'a>),
    Arr(Arr<'a>),
    Obj(Obj<'a>),
}

/// Text, lent or made.
#[derive(Debug, Clone)]
pub(crate) enum Text<'a> {
    Lent(&'a str),
    Own(Rc<OwnText<'a>>),
}

#[derive(Debug)]
pub(crate) struct OwnText<'a> {
    text: String,
    charge: Charge<'a>,
}

/// An array, lent or made.
#[derive(Debug, Clone)]
pub(crate) enum Arr<'a> {
    Lent(&'a [Value]),
    Own(Rc<List<'a>>),
}

/// An object, lent or made.
#[derive(Debug, Clone)]
pub(crate) enum Obj<'a> {
    Lent(&'a Map<String, Value>),
    Own(Rc<Dict<'a>>),
}

/// An array that the expression made.
#[derive(Debug)]
pub(crate) struct List<'a> {
    items: Vec<Val<'a>>,
    depth: u32,
    charge: Charge<'a>,
}

/// An object that the expression made.
#[derive(Debug)]
pub(crate) struct Dict<'a> {
    entries: BTreeMap<Text<'a>, Val<'a>>,
    depth: u32,
    charge: Charge<'a>,
}

impl<'a> Val<'a> {
    /// A value of the caller's.
    pub(crate) fn lend(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => Self::Num(number.clone()),
            Value::String(text) => Self::Str(Text::Lent(text)),
            Value::Array(items) => Self::Arr(Arr::Lent(items)),
            Value::Object(map) => Self::Obj(Obj::Lent(map)),
        }
    }

    pub(crate) fn truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// jq's name of the type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Num(_) => "number",
            Self::Str(_) => "string",
            Self::Arr(_) => "array",
            Self::Obj(_) => "object",
        }
    }

    pub(crate) fn text(meter: &'a Meter, text: String) -> Result<Self, Limit> {
        Text::own(meter, text).map(Self::Str)
    }

    pub(crate) fn list(meter: &'a Meter, items: Vec<Val<'a>>) -> Result<Self, Limit> {
        List::of(meter, items).map(List::into_val)
    }

    pub(crate) fn int(number: i64) -> Self {
        Self::Num(number.into())
    }

    pub(crate) fn count(number: usize) -> Self {
        Self::Num((number as u64).into())
    }

    /// How deeply what the expression made nests.
    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::Arr(Arr::Own(list)) => list.depth,
            Self::Obj(Obj::Own(dict)) => dict.depth,
            _ => 0,
        }
    }
}

impl<'a> Text<'a> {
    pub(crate) fn own(meter: &'a Meter, text: String) -> Result<Self, Limit> {
        let charge = meter.charge(text.len() + HEADER)?;
        meter.scan(text.len())?;
        Ok(Self::Own(Rc::new(OwnText { text, charge })))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Lent(text) => text,
            Self::Own(own) => &own.text,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_str().len()
    }

    /// This text with more at its end; in place when nobody else holds it.
    pub(crate) fn append(mut self, meter: &'a Meter, more: &str) -> Result<Self, Limit> {
        meter.scan(more.len())?;
        if let Self::Own(own) = &mut self
            && let Some(own) = Rc::get_mut(own)
        {
            own.charge.grow(more.len())?;
            own.text.push_str(more);
            return Ok(self);
        }
        meter.afford(self.len() + more.len())?;
        let mut text = String::with_capacity(self.len() + more.len());
        text.push_str(self.as_str());
        text.push_str(more);
        Self::own(meter, text)
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl<'a> Arr<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Lent(items) => items.len(),
            Self::Own(list) => list.items.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Lent(items) => items.get(index).map(Val::lend),
            Self::Own(list) => list.items.get(index).cloned(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Val<'a>> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// The array as one that may be changed; its own copy when anyone else holds it.
    pub(crate) fn into_list(self, meter: &'a Meter) -> Result<List<'a>, Limit> {
        match self {
            Self::Own(list) => match Rc::try_unwrap(list) {
                Ok(list) => Ok(list),
                Err(shared) => {
                    let mut copy = List::with_room(meter, shared.items.len())?;
                    copy.items.extend(shared.items.iter().cloned());
                    copy.depth = shared.depth;
                    Ok(copy)
                }
            },
            Self::Lent(items) => {
                let mut copy = List::with_room(meter, items.len())?;
                copy.items.extend(items.iter().map(Val::lend));
                Ok(copy)
            }
        }
    }
}

impl<'a> Obj<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Lent(map) => map.len(),
            Self::Own(dict) => dict.entries.len(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Val<'a>> {
        match self {
            Self::Lent(map) => map.get(key).map(Val::lend),
            Self::Own(dict) => dict.entries.get(key).cloned(),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        match self {
            Self::Lent(map) => map.contains_key(key),
            Self::Own(dict) => dict.entries.contains_key(key),
        }
    }

    /// The entries in the order of their keys. The order of the document never shows, so that
    /// a result does not depend on how the JSON library keeps its maps.
    pub(crate) fn entries(&self) -> Vec<(Text<'a>, Val<'a>)> {
        match self {
            Self::Lent(map) => {
                let mut entries: Vec<_> = map
                    .iter()
                    .map(|(key, value)| (Text::Lent(key.as_str()), Val::lend(value)))
                    .collect();
                if !entries.is_sorted_by(|left, right| left.0 <= right.0) {
                    entries.sort_by(|left, right| left.0.cmp(&right.0));
                }
                entries
            }
            Self::Own(dict) => {
                dict.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    }

    /// The object as one that may be changed; its own copy when anyone else holds it.
    pub(crate) fn into_dict(self, meter: &'a Meter) -> Result<Dict<'a>, Limit> {
        match self {
            Self::Own(dict) => match Rc::try_unwrap(dict) {
                Ok(dict) => Ok(dict),
                Err(shared) => {
                    let mut copy = Dict::with_room(meter, shared.entries.len())?;
                    copy.entries.clone_from(&shared.entries);
                    copy.depth = shared.depth;
                    Ok(copy)
                }
            },
            Self::Lent(map) => {
                let mut copy = Dict::with_room(meter, map.len())?;
                copy.entries.extend(
                    map.iter().map(|(key, value)| (Text::Lent(key.as_str()), Val::lend(value))),
                );
                Ok(copy)
            }
        }
    }
}

fn over(depth: u32) -> Result<u32, Limit> {
    if depth > VALUE_DEPTH { Err(Limit::Depth) } else { Ok(depth) }
}

impl<'a> List<'a> {
    pub(crate) fn new(meter: &'a Meter) -> Result<Self, Limit> {
        Self::with_room(meter, 0)
    }

    /// Pays for `room` elements, which the caller then pushes straight into `items`.
    fn with_room(meter: &'a Meter, room: usize) -> Result<Self, Limit> {
        meter.tick(room / 4)?;
        let charge = meter.charge(HEADER + room.saturating_mul(ITEM))?;
        Ok(Self { items: Vec::with_capacity(room), depth: 1, charge })
    }

    pub(crate) fn of(meter: &'a Meter, items: Vec<Val<'a>>) -> Result<Self, Limit> {
        meter.tick(items.len() / 4)?;
        let charge = meter.charge(HEADER + items.len().saturating_mul(ITEM))?;
        let depth = over(1 + items.iter().map(Val::depth).max().unwrap_or(0))?;
        Ok(Self { items, depth, charge })
    }

    pub(crate) fn push(&mut self, item: Val<'a>) -> Result<(), Limit> {
        self.charge.grow(ITEM)?;
        self.depth = over(self.depth.max(1 + item.depth()))?;
        self.items.push(item);
        Ok(())
    }

    /// Takes an element out, leaving null, to be put back with [`List::put`].
    pub(crate) fn take(&mut self, index: usize) -> Val<'a> {
        self.items.get_mut(index).map_or(Val::Null, |item| std::mem::replace(item, Val::Null))
    }

    /// Sets an element, filling up with nulls before it.
    pub(crate) fn put(&mut self, index: usize, item: Val<'a>) -> Result<(), Limit> {
        if index >= self.items.len() {
            let more = index - self.items.len() + 1;
            self.charge.grow(more.saturating_mul(ITEM))?;
            self.charge.meter.tick(more / 4)?;
            self.items.resize(index + 1, Val::Null);
        }
        self.depth = over(self.depth.max(1 + item.depth()))?;
        self.items[index] = item;
        Ok(())
    }

    /// Keeps the elements whose index passes.
    pub(crate) fn keep(&mut self, keep: impl Fn(usize) -> bool) -> Result<(), Limit> {
        self.charge.meter.tick(self.items.len() / 4)?;
        let mut index = 0;
        self.items.retain(|_| {
            index += 1;
            keep(index - 1)
        });
        Ok(())
    }

    pub(crate) fn into_val(self) -> Val<'a> {
        Val::Arr(Arr::Own(Rc::new(self)))
    }
}

impl<'a> Dict<'a> {
    pub(crate) fn new(meter: &'a Meter) -> Result<Self, Limit> {
        Self::with_room(meter, 0)
    }

    fn with_room(meter: &'a Meter, room: usize) -> Result<Self, Limit> {
        meter.tick(room / 2)?;
        let charge = meter.charge(HEADER + room.saturating_mul(ENTRY))?;
        Ok(Self { entries: BTreeMap::new(), depth: 1, charge })
    }

    pub(crate) fn insert(&mut self, key: Text<'a>, value: Val<'a>) -> Result<(), Limit> {
        self.depth = over(self.depth.max(1 + value.depth()))?;
        self.charge.meter.tick(key.len() / 64)?;
        if self.entries.insert(key, value).is_none() {
            self.charge.grow(ENTRY)?;
        }
        Ok(())
    }

    /// Takes a value out, leaving null in its place if it was there.
    pub(crate) fn take(&mut self, key: &str) -> Val<'a> {
        self.entries.get_mut(key).map_or(Val::Null, |value| std::mem::replace(value, Val::Null))
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.remove(key);
    }

    pub(crate) fn into_val(self) -> Val<'a> {
        Val::Obj(Obj::Own(Rc::new(self)))
    }

    /// A copy whose values are shared with this one.
    pub(crate) fn duplicate(&self, meter: &'a Meter) -> Result<Self, Limit> {
        let mut copy = Self::with_room(meter, self.entries.len())?;
        copy.entries.clone_from(&self.entries);
        copy.depth = self.depth;
        Ok(copy)
    }
}
