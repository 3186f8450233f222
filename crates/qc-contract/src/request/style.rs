//! How values become text in paths, queries and headers (OpenAPI's styles), and back.

use serde_json::{Map, Value};

use crate::model::{Parameter, ParameterLocation, Style};

/// A value that no style can write: a list or object inside another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooDeep;

/// A scalar as text; `None` for lists and objects.
pub(crate) fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn texts(items: &[Value]) -> Result<Vec<String>, TooDeep> {
    items.iter().map(|item| plain_text(item).ok_or(TooDeep)).collect()
}

fn pairs(map: &Map<String, Value>) -> Result<Vec<(String, String)>, TooDeep> {
    let pair =
        |(key, value): (&String, &Value)| Ok((key.clone(), plain_text(value).ok_or(TooDeep)?));
    map.iter().map(pair).collect()
}

/// The text of a path parameter. Each piece is passed through `encode`; the style's own separators stay bare.
pub(crate) fn path_text(
    parameter: &Parameter,
    value: &Value,
    encode: &dyn Fn(&str) -> String,
) -> Result<String, TooDeep> {
    let name = encode(&parameter.name);
    let explode = parameter.explode;
    let encoded = |items: &[Value]| -> Result<Vec<String>, TooDeep> {
        Ok(texts(items)?.iter().map(|text| encode(text)).collect())
    };
    let members = |map: &Map<String, Value>, between: &str| -> Result<Vec<String>, TooDeep> {
        let pairs = pairs(map)?;
        Ok(pairs.iter().map(|(k, v)| format!("{}{between}{}", encode(k), encode(v))).collect())
    };
    let between = if explode { "=" } else { "," };
    Ok(match (parameter.style, value) {
        (Style::Label, Value::Array(items)) => {
            format!(".{}", encoded(items)?.join(if explode { "." } else { "," }))
        }
        (Style::Label, Value::Object(map)) => {
            format!(".{}", members(map, between)?.join(if explode { "." } else { "," }))
        }
        (Style::Label, scalar) => format!(".{}", encode(&plain_text(scalar).ok_or(TooDeep)?)),
        (Style::Matrix, Value::Array(items)) if explode => encoded(items)?
            .iter()
            .map(|item| format!(";{name}={item}"))
            .collect::<Vec<_>>()
            .concat(),
        (Style::Matrix, Value::Array(items)) => format!(";{name}={}", encoded(items)?.join(",")),
        (Style::Matrix, Value::Object(map)) if explode => members(map, "=")?
            .iter()
            .map(|member| format!(";{member}"))
            .collect::<Vec<_>>()
            .concat(),
        (Style::Matrix, Value::Object(map)) => format!(";{name}={}", members(map, ",")?.join(",")),
        (Style::Matrix, scalar) => {
            let text = encode(&plain_text(scalar).ok_or(TooDeep)?);
            if text.is_empty() { format!(";{name}") } else { format!(";{name}={text}") }
        }
        (style, Value::Array(items)) => encoded(items)?.join(separator(style)),
        (style, Value::Object(map)) => members(map, between)?.join(separator(style)),
        (_, scalar) => encode(&plain_text(scalar).ok_or(TooDeep)?),
    })
}

/// The text of a header, unencoded.
pub(crate) fn header_text(parameter: &Parameter, value: &Value) -> Result<String, TooDeep> {
    path_text(parameter, value, &str::to_owned)
}

fn separator(style: Style) -> &'static str {
    match style {
        Style::SpaceDelimited => " ",
        Style::PipeDelimited => "|",
        Style::TabDelimited => "\t",
        _ => ",",
    }
}

/// The query (or cookie) pairs of a parameter, not yet encoded.
pub(crate) fn query_pairs(
    style: Style,
    explode: bool,
    name: &str,
    value: &Value,
) -> Result<Vec<(String, String)>, TooDeep> {
    let own = |text: String| vec![(name.to_owned(), text)];
    Ok(match value {
        Value::Object(map) if style == Style::DeepObject => deep_pairs(name, map)?,
        Value::Object(map) if explode && style == Style::Form => pairs(map)?,
        Value::Object(map) => {
            let flat: Vec<String> = pairs(map)?.into_iter().flat_map(|(k, v)| [k, v]).collect();
            own(flat.join(separator(style)))
        }
        Value::Array(items) if explode || style == Style::DeepObject => {
            texts(items)?.into_iter().map(|text| (name.to_owned(), text)).collect()
        }
        Value::Array(items) if items.is_empty() => Vec::new(),
        Value::Array(items) => own(texts(items)?.join(separator(style))),
        scalar => own(plain_text(scalar).ok_or(TooDeep)?),
    })
}

/// `name[key]=value`; lists inside repeat `name[key]`, as most servers read it. Deeper nesting is not defined.
fn deep_pairs(name: &str, map: &Map<String, Value>) -> Result<Vec<(String, String)>, TooDeep> {
    let mut made = Vec::new();
    for (key, value) in map {
        let key = format!("{name}[{key}]");
        match value {
            Value::Array(items) => {
                made.extend(texts(items)?.into_iter().map(|text| (key.clone(), text)));
            }
            scalar => made.push((key, plain_text(scalar).ok_or(TooDeep)?)),
        }
    }
    Ok(made)
}

/// Reads a parameter back from its texts (one, or several of the same name). Objects are read only from `deepObject`
/// pairs, which the caller collects; what a text means is tried against `admits`: as a number or boolean first when
/// it looks like one, then as text.
pub(crate) fn read_styled(
    parameter: &Parameter,
    texts: &[&str],
    is_list: bool,
    admits: &dyn Fn(&Value) -> bool,
) -> Value {
    let one = texts.first().copied().unwrap_or_default();
    if !is_list {
        return meant(one, admits);
    }
    let pieces: Vec<&str> = if texts.len() > 1
        || (parameter.explode && parameter.location == ParameterLocation::Query)
    {
        texts.to_vec()
    } else if one.is_empty() {
        Vec::new()
    } else {
        match parameter.style {
            Style::Label => one.trim_start_matches('.').split(['.', ',']).collect(),
            Style::Matrix => matrix_pieces(one),
            style => one.split(separator(style)).collect(),
        }
    };
    let items =
        |read: &dyn Fn(&str) -> Value| Value::Array(pieces.iter().map(|p| read(p)).collect());
    let typed = items(&|piece| typed(piece));
    if admits(&typed) { typed } else { items(&|piece| Value::from(piece)) }
}

fn matrix_pieces(text: &str) -> Vec<&str> {
    let values = text.split(';').filter_map(|part| part.split_once('=')).map(|(_, value)| value);
    values.flat_map(|value| value.split(',')).collect()
}

fn meant(text: &str, admits: &dyn Fn(&Value) -> bool) -> Value {
    let as_text = Value::from(text);
    let as_typed = typed(text);
    if as_typed == as_text || admits(&as_text) || !admits(&as_typed) { as_text } else { as_typed }
}

fn typed(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => {
            let number: Option<serde_json::Number> = text.parse().ok();
            number.map_or_else(|| Value::from(text), Value::Number)
        }
    }
}
