//! Where in a document something is: `.customer.name`, `.lines[].sku`, `."line items"[].sku`.

use std::fmt;

use serde_json::{Map, Value};

/// The most parts of a path.
const PARTS_MAX: usize = 32;

/// A place in documents; `[]` is every item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    /// Down to the last `[]`: what is done is done in each of these.
    context: Vec<Part>,
    /// The names below.
    names: Vec<String>,
}

/// What is done with an object and the name of its field.
type AtParent<'a, E> = dyn FnMut(&mut Map<String, Value>, &str) -> Result<(), E> + 'a;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(String),
    Each,
}

impl Path {
    /// Reads a path.
    ///
    /// Errors: what is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = parts(text)?;
        let last = parts.iter().rposition(|part| *part == Part::Each).map_or(0, |at| at + 1);
        let names = parts[last..].iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.clone()),
            Part::Each => None,
        });
        let names = names.collect();
        Ok(Self { text: text.to_owned(), context: parts[..last].to_vec(), names })
    }

    /// Whether it ends with a field, and not with the items of a list.
    pub fn is_field(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether both are in the same items of the same lists.
    pub(crate) fn shares_items(&self, other: &Self) -> bool {
        self.context == other.context
    }

    /// The names below the last `[]`.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Does something to each value down to the last `[]`. What is not there, or of another kind, is left alone.
    pub(crate) fn each<E>(
        &self,
        document: &mut Value,
        act: &mut dyn FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        each(document, &self.context, act)
    }

    /// Does something to each object that has, or could have, the field at the path's end.
    pub(crate) fn parents<E>(
        &self,
        document: &mut Value,
        act: &mut AtParent<'_, E>,
    ) -> Result<(), E> {
        let Some((field, above)) = self.names.split_last() else { return Ok(()) };
        self.each(document, &mut |value| {
            let inner = above.iter().try_fold(value, |value, name| value.get_mut(name.as_str()));
            match inner.and_then(Value::as_object_mut) {
                Some(parent) => act(parent, field),
                None => Ok(()),
            }
        })
    }

    /// Does something to each value at the path.
    pub(crate) fn values<E>(
        &self,
        document: &mut Value,
        act: &mut dyn FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(document, &mut |value| match self
            .names
            .iter()
            .try_fold(value, |value, name| value.get_mut(name.as_str()))
        {
            Some(there) => act(there),
            None => Ok(()),
        })
    }

    /// Whether a JSON Pointer leads to this place or below it.
    pub(crate) fn covers(&self, pointer: &[String]) -> bool {
        self.parts_match(pointer).is_some_and(|rest| rest == 0)
    }

    /// How many parts are left of the path where the pointer ends; none when they part ways.
    fn parts_match(&self, pointer: &[String]) -> Option<usize> {
        let names = self.names.iter().cloned().map(Part::Name);
        let parts: Vec<Part> = self.context.iter().cloned().chain(names).collect();
        let same = parts.iter().zip(pointer).all(|(part, step)| match part {
            Part::Name(name) => name == step,
            Part::Each => step.bytes().all(|byte| byte.is_ascii_digit()),
        });
        same.then(|| parts.len().saturating_sub(pointer.len()))
    }

    /// Whether a JSON Pointer leads to the object in which this field would be.
    pub(crate) fn is_in(&self, pointer: &[String]) -> bool {
        self.parts_match(pointer).is_some_and(|rest| rest >= 1)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let form = || {
        format!(
            "`{text}` is not a path; write `.customer.name`, `.lines[].sku` or `.\"line items\"`"
        )
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[]") {
            (parts, rest) = (push(parts, Part::Each), after);
            continue;
        }
        rest = rest.strip_prefix('.').ok_or_else(form)?;
        if parts.is_empty() && rest.starts_with("[]") {
            continue;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let (name, after) = quoted.split_once('"').ok_or_else(form)?;
            if name.is_empty() {
                return Err(form());
            }
            (parts, rest) = (push(parts, Part::Name(name.to_owned())), after);
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return Err(form());
        }
        (parts, rest) = (push(parts, Part::Name(name.to_owned())), after);
    }
    if parts.is_empty() {
        return Err(form());
    }
    if parts.len() > PARTS_MAX {
        return Err(format!("a path has at most {PARTS_MAX} parts"));
    }
    Ok(parts)
}

fn push(mut parts: Vec<Part>, part: Part) -> Vec<Part> {
    parts.push(part);
    parts
}

fn each<E>(
    value: &mut Value,
    context: &[Part],
    act: &mut dyn FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    match context.split_first() {
        None => act(value),
        Some((Part::Name(name), rest)) => match value.get_mut(name.as_str()) {
            Some(inner) => each(inner, rest, act),
            None => Ok(()),
        },
        Some((Part::Each, rest)) => {
            let items = value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
            items.iter_mut().try_for_each(|item| each(item, rest, act))
        }
    }
}

/// The segments of a JSON Pointer, unescaped.
pub(crate) fn segments(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_read_and_reach_what_they_say() {
        let mut document = json!({"a": [{"b c": {"d": 1}}, {"b c": {}}, 7], "x": 1});
        let path = Path::parse(".a[].\"b c\".d").unwrap();
        assert!(path.is_field());
        let mut seen = 0;
        path.parents(&mut document, &mut |map, field| {
            seen += 1;
            map.insert(field.to_owned(), json!(2));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(seen, 2);
        assert_eq!(document, json!({"a": [{"b c": {"d": 2}}, {"b c": {"d": 2}}, 7], "x": 1}));
        assert!(!Path::parse(".tags[]").unwrap().is_field());
        assert!(Path::parse(".[].a").unwrap().is_field());
        for bad in
            ["", ".", "a", ".a.", ".a..b", ".a[0]", ".\"\"", ".\"a", ".a b", ".a-b", "[", "$.a"]
        {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
        assert!(Path::parse(&".a".repeat(PARTS_MAX + 1)).is_err());
    }

    #[test]
    fn pointers_are_compared_with_any_index() {
        let path = Path::parse(".a[].b").unwrap();
        let at = |pointer: &str| (path.covers(&segments(pointer)), path.is_in(&segments(pointer)));
        assert_eq!(at("/a/3/b"), (true, false));
        assert_eq!(at("/a/3/b/c"), (true, false));
        assert_eq!(at("/a/3"), (false, true));
        assert_eq!(at(""), (false, true));
        assert_eq!(at("/a/x/b"), (false, false));
        assert_eq!(at("/c"), (false, false));
    }
}
