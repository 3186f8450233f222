//! Slices: `.[2:4]`, of arrays and of text, and their place in a path as `{"start", "end"}`.

use crate::machine::shown;
use crate::meter::{Flow, Meter, fail};
use crate::number;
use crate::value::{Arr, Dict, List, Obj, Text, Val};

/// The object that stands for a slice in a path.
pub(crate) fn key<'a>(meter: &'a Meter, from: Val<'a>, to: Val<'a>) -> Flow<'a, Val<'a>> {
    let mut dict = Dict::new(meter)?;
    dict.insert(Text::Lent("start"), from)?;
    dict.insert(Text::Lent("end"), to)?;
    Ok(dict.into_val())
}

/// The bounds that such an object says.
pub(crate) fn bounds<'a>(object: &Obj<'a>) -> (Val<'a>, Val<'a>) {
    let from = object.get("start").unwrap_or(Val::Null);
    let to = object.get("end").unwrap_or(Val::Null);
    (from, to)
}

/// The same as a range within a length.
pub(crate) fn range<'a>(object: &Obj<'a>, length: usize) -> Flow<'a, (usize, usize)> {
    let (from, to) = bounds(object);
    resolve(&from, &to, length)
}

fn resolve<'a>(from: &Val<'a>, to: &Val<'a>, length: usize) -> Flow<'a, (usize, usize)> {
    let from = bound(from, length, 0, number::floor)?;
    let to = bound(to, length, length, number::ceil)?;
    Ok((from, to.max(from)))
}

fn bound<'a>(
    bound: &Val<'a>,
    length: usize,
    missing: usize,
    cut: fn(&serde_json::Number) -> i64,
) -> Flow<'a, usize> {
    let number = match bound {
        Val::Null => return Ok(missing),
        Val::Num(number) => cut(number),
        other => {
            return fail(format!(
                "Start and end indices of a slice must be numbers, not {}",
                shown(other)
            ));
        }
    };
    let size = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(if number < 0 { length.saturating_sub(size) } else { size.min(length) })
}

/// `value[from:to]`.
pub(crate) fn take<'a>(
    meter: &'a Meter,
    value: &Val<'a>,
    from: &Val<'a>,
    to: &Val<'a>,
) -> Flow<'a, Val<'a>> {
    match value {
        Val::Null => Ok(Val::Null),
        Val::Arr(items) => {
            let (from, to) = resolve(from, to, items.len())?;
            cut(meter, items, from, to)
        }
        Val::Str(text) => {
            meter.scan(text.len())?;
            let length = text.as_str().chars().count();
            let (from, to) = resolve(from, to, length)?;
            let start = byte_of(text.as_str(), from);
            let end = byte_of(text.as_str(), to);
            match text {
                Text::Lent(text) => Ok(Val::Str(Text::Lent(&text[start..end]))),
                Text::Own(_) => {
                    meter.afford(end - start)?;
                    Ok(Val::text(meter, text.as_str()[start..end].to_owned())?)
                }
            }
        }
        other => fail(format!("Cannot take a slice of {}", shown(other))),
    }
}

fn cut<'a>(meter: &'a Meter, items: &Arr<'a>, from: usize, to: usize) -> Flow<'a, Val<'a>> {
    if let Arr::Lent(items) = items {
        return Ok(Val::Arr(Arr::Lent(&items[from..to])));
    }
    let mut list = List::new(meter)?;
    for at in from..to {
        meter.tick(1)?;
        list.push(items.get(at).unwrap_or(Val::Null))?;
    }
    Ok(list.into_val())
}

fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// A slice that is about to be replaced.
pub(crate) struct Part<'a> {
    pub(crate) whole: Val<'a>,
    from: usize,
    to: usize,
}

impl<'a> Part<'a> {
    pub(crate) fn of(whole: Val<'a>, bounds: &Obj<'a>) -> Flow<'a, Self> {
        let length = match &whole {
            Val::Arr(items) => items.len(),
            _ => 0,
        };
        let (from, to) = range(bounds, length)?;
        Ok(Self { whole, from, to })
    }

    pub(crate) fn value(&self, meter: &'a Meter) -> Flow<'a, Val<'a>> {
        match &self.whole {
            Val::Arr(items) => cut(meter, items, self.from, self.to),
            other => Ok(other.clone()),
        }
    }

    pub(crate) fn replaced(self, meter: &'a Meter, new: Val<'a>) -> Flow<'a, Val<'a>> {
        let Val::Arr(new) = new else {
            return fail("A slice of an array can only be assigned another array");
        };
        let old = match self.whole {
            Val::Arr(items) => items,
            _ => Arr::Lent(&[]),
        };
        meter.tick((old.len() + new.len()) / 4)?;
        let mut list = List::new(meter)?;
        let before = old.iter().take(self.from);
        for item in before.chain(new.iter()).chain(old.iter().skip(self.to)) {
            list.push(item)?;
        }
        Ok(list.into_val())
    }
}
