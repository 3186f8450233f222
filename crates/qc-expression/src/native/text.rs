//! JSON text: to it and from it.

use serde_json::Value;

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, Limit, Meter, VALUE_DEPTH, fail};
use crate::number;
use crate::value::Val;

pub(super) const TABLE: Table = &[
    ("tojson", 0, |m, input, _| {
        let mut text = String::new();
        write_json(m.meter, &input, &mut text)?;
        Ok(Val::text(m.meter, text)?)
    }),
    ("fromjson", 0, |m, input, _| from_json(m.meter, &input)),
    ("tostring", 0, |m, input, _| match input {
        Val::Str(_) => Ok(input),
        other => {
            let mut text = String::new();
            write_json(m.meter, &other, &mut text)?;
            Ok(Val::text(m.meter, text)?)
        }
    }),
    ("tonumber", 0, |m, input, _| to_number(m, input)),
    ("to_number", 0, |m, input, _| to_number(m, input)),
    ("toboolean", 0, |_, input, _| match &input {
        Val::Bool(_) => Ok(input),
        Val::Str(text) if text.as_str() == "true" => Ok(Val::Bool(true)),
        Val::Str(text) if text.as_str() == "false" => Ok(Val::Bool(false)),
        other => fail(format!("{} cannot be parsed as a boolean", shown(other))),
    }),
];

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends the JSON of a value, in one line, keys in order.
pub(crate) fn write_json<'a>(
    meter: &'a Meter,
    value: &Val<'a>,
    text: &mut String,
) -> Result<(), Limit> {
    write_at(meter, value, text, 0)
}

fn write_at<'a>(
    meter: &'a Meter,
    value: &Val<'a>,
    text: &mut String,
    depth: u32,
) -> Result<(), Limit> {
    if depth > VALUE_DEPTH {
        return Err(Limit::Depth);
    }
    meter.tick(1)?;
    meter.afford(text.len())?;
    match value {
        Val::Null => text.push_str("null"),
        Val::Bool(true) => text.push_str("true"),
        Val::Bool(false) => text.push_str("false"),
        Val::Num(number) => text.push_str(&number.to_string()),
        Val::Str(own) => quote(meter, own.as_str(), text)?,
        Val::Arr(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_at(meter, &item, text, depth + 1)?;
            }
            text.push(']');
        }
        Val::Obj(object) => {
            text.push('{');
            for (at, (key, value)) in object.entries().into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                quote(meter, key.as_str(), text)?;
                text.push(':');
                write_at(meter, &value, text, depth + 1)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn quote(meter: &Meter, raw: &str, text: &mut String) -> Result<(), Limit> {
    meter.scan(raw.len())?;
    // An escape takes at most six bytes for one.
    meter.afford(text.len() + raw.len() * 6)?;
    text.push('"');
    for character in raw.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' || control == '\u{7f}' => {
                text.push_str("\\u00");
                text.push(char::from(HEX[(control as usize >> 4) & 15]));
                text.push(char::from(HEX[control as usize & 15]));
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
    Ok(())
}

fn from_json<'a>(meter: &'a Meter, input: &Val<'a>) -> Flow<'a, Val<'a>> {
    let Val::Str(text) = input else {
        return fail(format!("{} cannot be parsed as JSON text", shown(input)));
    };
    let text = text.as_str();
    // Every value but the first follows one of these, so they bound what the reader will allocate.
    let values = 1 + text.bytes().filter(|byte| b",[{:".contains(byte)).count();
    meter.scan(text.len())?;
    meter.tick(values)?;
    meter.afford(text.len() + values.saturating_mul(64))?;
    match serde_json::from_str::<Value>(text) {
        Ok(value) => Ok(Val::own(meter, value)?),
        Err(error) => fail(format!("{} is not valid JSON: {error}", shown(input))),
    }
}

fn to_number<'a>(machine: &Machine<'a>, input: Val<'a>) -> Flow<'a, Val<'a>> {
    match &input {
        Val::Num(_) => Ok(input),
        Val::Str(text) => {
            machine.meter.scan(text.len())?;
            match number::parse(text.as_str()) {
                Some(number) => Ok(Val::Num(number)),
                None => fail(format!("{} cannot be parsed as a number", shown(&input))),
            }
        }
        other => fail(format!("{} cannot be parsed as a number", shown(other))),
    }
}
