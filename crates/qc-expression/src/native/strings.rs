//! Text.

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, Meter, fail};
use crate::number;
use crate::value::{List, Text, Val};

pub(super) const TABLE: Table = &[
    ("ascii_downcase", 0, |m, input, _| {
        mapped(m, &input, "ascii_downcase", str::to_ascii_lowercase)
    }),
    ("ascii_upcase", 0, |m, input, _| mapped(m, &input, "ascii_upcase", str::to_ascii_uppercase)),
    ("trim", 0, |m, input, _| mapped(m, &input, "trim", |text| text.trim().to_owned())),
    ("ltrim", 0, |m, input, _| mapped(m, &input, "ltrim", |text| text.trim_start().to_owned())),
    ("rtrim", 0, |m, input, _| mapped(m, &input, "rtrim", |text| text.trim_end().to_owned())),
    ("startswith", 1, |m, input, args| {
        both(m, &input, args, "startswith", |text, part| text.starts_with(part))
    }),
    ("endswith", 1, |m, input, args| {
        both(m, &input, args, "endswith", |text, part| text.ends_with(part))
    }),
    ("ltrimstr", 1, |m, input, args| trimmed(m, input, args, true, false)),
    ("rtrimstr", 1, |m, input, args| trimmed(m, input, args, false, true)),
    ("trimstr", 1, |m, input, args| trimmed(m, input, args, true, true)),
    ("split", 1, split),
    ("join", 1, join),
    ("explode", 0, explode),
    ("implode", 0, implode),
    ("utf8bytelength", 0, utf8bytelength),
];

fn mapped<'a>(
    machine: &Machine<'a>,
    input: &Val<'a>,
    name: &str,
    deed: fn(&str) -> String,
) -> Flow<'a, Val<'a>> {
    let Val::Str(text) = input else {
        return fail(format!("{name} input must be a string, not {}", shown(input)));
    };
    machine.meter.scan(text.len())?;
    machine.meter.afford(text.len())?;
    Ok(Val::text(machine.meter, deed(text.as_str()))?)
}

fn both<'a>(
    machine: &Machine<'a>,
    input: &Val<'a>,
    args: &[Val<'a>],
    name: &str,
    deed: fn(&str, &str) -> bool,
) -> Flow<'a, Val<'a>> {
    match (input, args) {
        (Val::Str(text), [Val::Str(part)]) => {
            machine.meter.scan(part.len())?;
            Ok(Val::Bool(deed(text.as_str(), part.as_str())))
        }
        _ => fail(format!("{name}() requires string inputs")),
    }
}

/// As in jq, what is not text, or does not begin or end so, is given back as it is.
fn trimmed<'a>(
    machine: &Machine<'a>,
    input: Val<'a>,
    args: &[Val<'a>],
    start: bool,
    end: bool,
) -> Flow<'a, Val<'a>> {
    let (Val::Str(text), [Val::Str(part)]) = (&input, args) else { return Ok(input) };
    machine.meter.scan(part.len())?;
    let mut rest = text.as_str();
    if start {
        rest = rest.strip_prefix(part.as_str()).unwrap_or(rest);
    }
    if end {
        rest = rest.strip_suffix(part.as_str()).unwrap_or(rest);
    }
    if rest.len() == text.len() {
        return Ok(input);
    }
    machine.meter.afford(rest.len())?;
    Ok(Val::text(machine.meter, rest.to_owned())?)
}

fn split<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match (&input, args) {
        (Val::Str(text), [Val::Str(separator)]) => pieces(machine.meter, text, separator.as_str()),
        _ => fail("split input and separator must be strings"),
    }
}

/// The text between the separators; an empty separator gives the characters.
pub(super) fn pieces<'a>(meter: &'a Meter, text: &Text<'a>, separator: &str) -> Flow<'a, Val<'a>> {
    let mut list = List::new(meter)?;
    let mut add = |piece: (usize, usize)| -> Flow<'a> {
        meter.tick(1)?;
        list.push(part(meter, text, piece.0, piece.1)?)?;
        Ok(())
    };
    let whole = text.as_str();
    meter.scan(whole.len())?;
    if whole.is_empty() {
        return Ok(list.into_val());
    }
    if separator.is_empty() {
        for (at, character) in whole.char_indices() {
            add((at, at + character.len_utf8()))?;
        }
        return Ok(list.into_val());
    }
    let mut start = 0;
    for (at, _) in whole.match_indices(separator) {
        add((start, at))?;
        start = at + separator.len();
    }
    add((start, whole.len()))?;
    Ok(list.into_val())
}

/// A part of a text: lent where the text is.
pub(crate) fn part<'a>(
    meter: &'a Meter,
    text: &Text<'a>,
    start: usize,
    end: usize,
) -> Flow<'a, Val<'a>> {
    match text {
        Text::Lent(text) => Ok(Val::Str(Text::Lent(&text[start..end]))),
        Text::Own(_) => Ok(Val::text(meter, text.as_str()[start..end].to_owned())?),
    }
}

fn join<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let (Val::Arr(items), [separator]) = (&input, args) else {
        return fail(format!("Cannot join {}", shown(&input)));
    };
    let separator = match separator {
        Val::Str(text) => text.as_str(),
        Val::Null => "",
        other => return fail(format!("Cannot join with {}", shown(other))),
    };
    let mut joined = String::new();
    let mut held = machine.meter.charge(0)?;
    for (at, item) in items.iter().enumerate() {
        let before = joined.len();
        if at > 0 {
            joined.push_str(separator);
        }
        match &item {
            Val::Null => {}
            Val::Str(text) => joined.push_str(text.as_str()),
            Val::Num(number) => joined.push_str(&number.to_string()),
            Val::Bool(truth) => joined.push_str(if *truth { "true" } else { "false" }),
            other => return fail(format!("Cannot join with {}", shown(other))),
        }
        machine.meter.tick(1)?;
        machine.meter.scan(joined.len() - before)?;
        held.grow(joined.len() - before)?;
    }
    drop(held);
    Ok(Val::text(machine.meter, joined)?)
}

fn explode<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let Val::Str(text) = &input else {
        return fail(format!("{} cannot be exploded", shown(&input)));
    };
    let mut list = List::new(machine.meter)?;
    for character in text.as_str().chars() {
        machine.meter.tick(1)?;
        list.push(Val::int(i64::from(u32::from(character))))?;
    }
    Ok(list.into_val())
}

fn implode<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let Val::Arr(items) = &input else {
        return fail(format!("{} cannot be imploded: not an array", shown(&input)));
    };
    machine.meter.afford(items.len().saturating_mul(4))?;
    let mut text = String::new();
    for item in items.iter() {
        machine.meter.tick(1)?;
        let code = match &item {
            Val::Num(number) => u32::try_from(number::floor(number)).ok(),
            _ => None,
        };
        match code.and_then(char::from_u32) {
            Some(character) => text.push(character),
            None => return fail(format!("{} is not a Unicode code point", shown(&item))),
        }
    }
    Ok(Val::text(machine.meter, text)?)
}

fn utf8bytelength<'a>(_: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    match &input {
        Val::Str(text) => Ok(Val::count(text.len())),
        other => fail(format!("{} only strings have UTF-8 byte length", shown(other))),
    }
}
