//! Where the schemas of a document stand, and the pairs that changes of them make.

use qc_contract::Mode;
use serde_json::{Value, json};

use crate::{Area, Kind, Label, Pair, Way, edited, schemas};

/// Deepest nesting of references that is written out.
const DEPTH: usize = 6;

/// A place of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) pointer: String,
    pub(crate) way: Way,
    pub(crate) area: Area,
}

/// The document with every reference written out, so that each place can be changed by itself. What recurs ends in a
/// schema that admits everything.
pub(crate) fn inlined(document: &Value) -> Value {
    let mut whole = written_out(document, document, 0);
    if let Some(components) = whole.get_mut("components").and_then(Value::as_object_mut) {
        components.retain(|name, _| name == "securitySchemes");
    }
    whole
}

pub(crate) fn written_out(document: &Value, value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let target = reference.strip_prefix('#').and_then(|to| document.pointer(to));
                return match target {
                    Some(target) if depth < DEPTH => written_out(document, target, depth + 1),
                    _ => json!({}),
                };
            }
            let entries = map.iter();
            let entries =
                entries.map(|(name, value)| (name.clone(), written_out(document, value, depth)));
            Value::Object(entries.collect())
        }
        Value::Array(items) => {
            items.iter().map(|item| written_out(document, item, depth)).collect()
        }
        other => other.clone(),
    }
}

/// All schemas of a description, with the way that they travel.
pub(crate) fn sites(document: &Value) -> Vec<Site> {
    let mut found = Vec::new();
    for (at, operation) in crate::operations::operations(document) {
        // What is unstable promises nothing.
        if operation.get("x-stability-level").is_some() {
            continue;
        }
        for (index, parameter) in
            operation["parameters"].as_array().into_iter().flatten().enumerate()
        {
            if parameter.get("schema").is_some() {
                let pointer = format!("{at}/parameters/{index}/schema");
                found.push(Site { pointer, way: Way::Request, area: Area::Request });
            }
        }
        let body =
            Site { pointer: format!("{at}/requestBody"), way: Way::Request, area: Area::Request };
        content(document, &body, &mut found);
        for status in
            operation["responses"].as_object().into_iter().flatten().map(|(status, _)| status)
        {
            let area = if status.starts_with('2') { Area::Response } else { Area::Errors };
            let pointer = format!("{at}/responses/{status}");
            content(document, &Site { pointer, way: Way::Response, area }, &mut found);
        }
    }
    for name in document["webhooks"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let pointer = format!("/webhooks/{name}/post/requestBody");
        content(document, &Site { pointer, way: Way::Response, area: Area::Event }, &mut found);
    }
    found
}

fn content(document: &Value, above: &Site, found: &mut Vec<Site>) {
    let Some(body) = document.pointer(&above.pointer) else { return };
    for name in body["content"].as_object().into_iter().flatten().map(|(name, _)| name) {
        // Forms and XML have rules of their own.
        if name.contains("json") && body["content"][name].get("schema").is_some() {
            let pointer = format!("{}/content/{}/schema", above.pointer, name.replace('/', "~1"));
            below(document, &Site { pointer, ..above.clone() }, found);
        }
    }
}

/// A schema and those inside of it that travel with it.
pub(crate) fn below(document: &Value, site: &Site, found: &mut Vec<Site>) {
    let schema = document.pointer(&site.pointer).expect("is there");
    let travels = match site.way {
        Way::Request => schema["readOnly"] != true,
        Way::Response => schema["writeOnly"] != true,
    };
    let is_mixed =
        ["allOf", "anyOf", "oneOf", "not", "if"].iter().any(|key| schema.get(key).is_some());
    if !travels
        || is_mixed
        || schema["deprecated"] == true
        || schema.get("x-stability-level").is_some()
    {
        return;
    }
    found.push(site.clone());
    for name in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{}/properties/{name}", site.pointer);
        below(document, &Site { pointer, ..site.clone() }, found);
    }
    if schema["items"].is_object() {
        let pointer = format!("{}/items", site.pointer);
        below(document, &Site { pointer, ..site.clone() }, found);
    }
}

/// Every change of every schema of a description, there and back.
pub(crate) fn pairs(base: &Value) -> Vec<Pair> {
    of_sites(base, &sites(base), Kind::OpenApi)
}

pub(crate) fn of_sites(base: &Value, sites: &[Site], kind: Kind) -> Vec<Pair> {
    let is_3_0 = base["openapi"].as_str().is_some_and(|version| version.starts_with("3.0"));
    let mut pairs = Vec::new();
    for site in sites {
        let schema = base.pointer(&site.pointer).expect("is there");
        for changed in schemas::changes(schema, is_3_0) {
            let new = edited(base, &site.pointer, Some(&changed.schema));
            let there = changed.label(site.way, false);
            let back = changed.label(site.way, true);
            pairs.push(Pair::new(changed.operator, site.area, base, &new, there).of(kind));
            pairs.push(Pair::new(changed.operator, site.area, &new, base, back).of(kind));
        }
    }
    pairs
}

/// The bodies of requests as schemas of their own: the new version reads what the old one wrote, or the other way round.
pub(crate) fn registry_pairs(base: &Value) -> Vec<Pair> {
    let tops = sites(base).into_iter().filter(|site| site.pointer.ends_with("/schema"));
    let mut pairs = Vec::new();
    for top in tops {
        let schema = base.pointer(&top.pointer).expect("is there");
        let document = json!({"root": schema});
        let mut inner = Vec::new();
        below(&document, &Site { pointer: "/root".into(), ..top }, &mut inner);
        for site in inner {
            let before = document.pointer(&site.pointer).expect("is there");
            for changed in schemas::changes(before, false) {
                // Formats are annotations to registries.
                if changed.operator == "format"
                    || !(changed.is_about_values() || changed.is_rephrased())
                {
                    continue;
                }
                let new = edited(&document, &site.pointer, Some(&changed.schema));
                for (mode, reader) in
                    [(Mode::Backward, Way::Request), (Mode::Forward, Way::Response)]
                {
                    for is_back in [false, true] {
                        let (old, new) =
                            if is_back { (&new, &document) } else { (&document, &new) };
                        // To the letter, whatever is admitted more breaks readers, listed values, too.
                        let breaks = !changed.is_rephrased()
                            && ((reader == Way::Request) != is_back
                                || changed.operator == "boolean to list");
                        let label = match (breaks, changed.is_rephrased()) {
                            (true, _) => Label::told("breaking", "schema-incompatible"),
                            (false, true) => Label::Nothing,
                            (false, false) => Label::Harmless,
                        };
                        let pair = Pair::new(
                            changed.operator,
                            Area::Schema,
                            &old["root"],
                            &new["root"],
                            label,
                        );
                        pairs.push(pair.of(Kind::Schema(mode)));
                    }
                }
            }
        }
    }
    pairs
}
