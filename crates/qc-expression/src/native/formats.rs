//! `@base64` and its like, and plain string interpolation.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::text::write_json;
use crate::machine::shown;
use crate::meter::{Flow, Meter, fail};
use crate::tree::Format;
use crate::value::{Arr, Val};

/// Reads with or without padding, and forgives stray bits at the end, as jq does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Appends a value the way the format says; without one, as interpolation does.
pub(crate) fn write<'a>(
    meter: &'a Meter,
    format: Option<Format>,
    value: &Val<'a>,
    text: &mut String,
) -> Flow<'a> {
    match format {
        None | Some(Format::Text) => plain(meter, value, text),
        Some(Format::Json) => Ok(write_json(meter, value, text)?),
        Some(Format::Csv) => row(meter, value, text, ',', "csv", csv_cell),
        Some(Format::Tsv) => row(meter, value, text, '\t', "tsv", tsv_cell),
        Some(Format::Sh) => shell(meter, value, text),
        Some(Format::Html) => each_char(meter, value, text, html),
        Some(Format::Uri) => uri(meter, value, text),
        Some(Format::Urid) => uri_decode(meter, value, text),
        Some(Format::Base64) => {
            let raw = own_text(meter, value)?;
            meter.afford(text.len() + raw.len() * 2)?;
            STANDARD.encode_string(raw, text);
            Ok(())
        }
        Some(Format::Base64d) => {
            let raw = own_text(meter, value)?;
            meter.afford(text.len() + raw.len() * 3)?;
            match LENIENT.decode(raw.trim_end_matches('=')) {
                Ok(bytes) => {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                    Ok(())
                }
                Err(_) => fail(format!("{} is not valid base64 data", shown(value))),
            }
        }
    }
}

fn plain<'a>(meter: &'a Meter, value: &Val<'a>, text: &mut String) -> Flow<'a> {
    match value {
        Val::Str(own) => {
            meter.scan(own.len())?;
            meter.afford(text.len() + own.len())?;
            text.push_str(own.as_str());
        }
        other => write_json(meter, other, text)?,
    }
    Ok(())
}

fn own_text<'a>(meter: &'a Meter, value: &Val<'a>) -> Flow<'a, String> {
    let mut text = String::new();
    plain(meter, value, &mut text)?;
    Ok(text)
}

fn each_char<'a>(
    meter: &'a Meter,
    value: &Val<'a>,
    text: &mut String,
    deed: fn(char, &mut String),
) -> Flow<'a> {
    let raw = own_text(meter, value)?;
    meter.afford(text.len() + raw.len().saturating_mul(6))?;
    for character in raw.chars() {
        deed(character, text);
    }
    Ok(())
}

fn html(character: char, text: &mut String) {
    match character {
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '&' => text.push_str("&amp;"),
        '\'' => text.push_str("&#39;"),
        '"' => text.push_str("&quot;"),
        plain => text.push(plain),
    }
}

fn uri<'a>(meter: &'a Meter, value: &Val<'a>, text: &mut String) -> Flow<'a> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let raw = own_text(meter, value)?;
    meter.afford(text.len() + raw.len().saturating_mul(3))?;
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Ok(())
}

fn uri_decode<'a>(meter: &'a Meter, value: &Val<'a>, text: &mut String) -> Flow<'a> {
    let raw = own_text(meter, value)?;
    meter.afford(text.len() + raw.len().saturating_mul(3))?;
    let raw = raw.as_bytes();
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let digit = |at: usize| raw.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if raw[at] == b'%' {
            let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                return fail(format!("{} is not valid percent-encoding", shown(value)));
            };
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            at += 3;
        } else {
            bytes.push(raw[at]);
            at += 1;
        }
    }
    text.push_str(&String::from_utf8_lossy(&bytes));
    Ok(())
}

fn row<'a>(
    meter: &'a Meter,
    value: &Val<'a>,
    text: &mut String,
    separator: char,
    name: &str,
    cell: fn(&str, &mut String),
) -> Flow<'a> {
    let Val::Arr(items) = value else {
        return fail(format!("{} cannot be {name}-formatted, only an array can be", shown(value)));
    };
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(separator);
        }
        match &item {
            Val::Null => {}
            Val::Str(own) => {
                meter.scan(own.len())?;
                meter.afford(text.len() + own.len() * 2)?;
                cell(own.as_str(), text);
            }
            Val::Num(_) | Val::Bool(_) => write_json(meter, &item, text)?,
            other => {
                return fail(format!("{} is not valid in a {name} row", shown(other)));
            }
        }
        meter.tick(1)?;
    }
    Ok(())
}

fn csv_cell(raw: &str, text: &mut String) {
    text.push('"');
    text.push_str(&raw.replace('"', "\"\""));
    text.push('"');
}

fn tsv_cell(raw: &str, text: &mut String) {
    for character in raw.chars() {
        match character {
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\\' => text.push_str("\\\\"),
            plain => text.push(plain),
        }
    }
}

fn shell<'a>(meter: &'a Meter, value: &Val<'a>, text: &mut String) -> Flow<'a> {
    let alone = Arr::Own(std::rc::Rc::new(crate::value::List::of(meter, vec![value.clone()])?));
    let items = match value {
        Val::Arr(items) => items,
        _ => &alone,
    };
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        match &item {
            Val::Str(own) => {
                meter.afford(text.len() + own.len().saturating_mul(4))?;
                text.push('\'');
                text.push_str(&own.as_str().replace('\'', "'\\''"));
                text.push('\'');
            }
            Val::Arr(_) | Val::Obj(_) => {
                return fail(format!("{} can not be escaped for shell", shown(&item)));
            }
            other => write_json(meter, other, text)?,
        }
    }
    Ok(())
}
