//! Changes of one schema, each with what it does to what is admitted: from that follow rule and level, by the way that
//! the payload travels.

use serde_json::{Map, Value, json};

use crate::{Label, Way};

/// What a change does to the set of values that a schema admits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    /// Fewer values are admitted: the facet's rules.
    Narrows(&'static str),
    /// Some are admitted no more, and others are.
    Replaces(&'static str),
    /// A property comes that need not be there.
    AddsOptional,
    /// A property comes that must be there.
    AddsRequired,
    /// What may be left out must be there.
    Requires,
    /// The same in other words.
    Rephrases,
}

/// A schema after an operator's change.
pub(crate) struct Changed {
    pub(crate) operator: &'static str,
    pub(crate) schema: Value,
    effect: Effect,
}

impl Changed {
    /// What must be told of the change, or of its way back.
    pub(crate) fn label(&self, way: Way, is_back: bool) -> Label {
        let facet = |facet: &str, turn: &str| format!("{}-{facet}-{turn}", way.as_str());
        let (level, rule) = match (self.effect, way, is_back) {
            (Effect::Rephrases, _, _) => return Label::nothing(),
            (Effect::Narrows(name), Way::Request, false) => ("breaking", facet(name, "narrowed")),
            (Effect::Narrows(name), Way::Request, true) => ("additive", facet(name, "widened")),
            (Effect::Narrows(name), Way::Response, false) => ("additive", facet(name, "narrowed")),
            // Readers that pass over values they do not know live on.
            (Effect::Narrows("enum"), Way::Response, true) => ("risky", facet("enum", "widened")),
            (Effect::Narrows(name), Way::Response, true) => ("breaking", facet(name, "widened")),
            (Effect::Replaces(name), _, _) => ("breaking", facet(name, "changed")),
            (Effect::AddsOptional, Way::Request, false) => {
                ("additive", "request-property-added-optional".into())
            }
            (Effect::AddsRequired, Way::Request, false) => {
                ("breaking", "request-property-added-required".into())
            }
            (Effect::AddsOptional | Effect::AddsRequired, Way::Request, true) => {
                ("breaking", "request-property-removed".into())
            }
            (Effect::AddsOptional | Effect::AddsRequired, Way::Response, false) => {
                ("additive", "response-property-added".into())
            }
            (Effect::AddsOptional, Way::Response, true) => {
                ("risky", "response-optional-property-removed".into())
            }
            (Effect::AddsRequired, Way::Response, true) => {
                ("breaking", "response-property-removed".into())
            }
            (Effect::Requires, Way::Request, false) => {
                ("breaking", "request-property-became-required".into())
            }
            (Effect::Requires, Way::Request, true) => {
                ("additive", "request-property-became-optional".into())
            }
            (Effect::Requires, Way::Response, false) => {
                ("additive", "response-property-became-required".into())
            }
            (Effect::Requires, Way::Response, true) => {
                ("breaking", "response-property-became-optional".into())
            }
        };
        Label::told(level, &rule)
    }

    /// Whether it is about what is admitted and nothing else: that is what registries of schemas judge.
    pub(crate) fn is_about_values(&self) -> bool {
        matches!(self.effect, Effect::Narrows(_) | Effect::Replaces(_) | Effect::Requires)
    }

    /// Whether all changes of this kind leave the schema's meaning alone.
    pub(crate) fn is_rephrased(&self) -> bool {
        self.effect == Effect::Rephrases
    }
}

/// Bounds: keyword, step that tightens it, facet.
const BOUNDS: [(&str, f64, &str); 6] = [
    ("maxLength", -1.0, "max-length"),
    ("minLength", 1.0, "min-length"),
    ("maximum", -1.0, "maximum"),
    ("minimum", 1.0, "minimum"),
    ("maxItems", -1.0, "max-items"),
    ("minItems", 1.0, "min-items"),
];

/// All changes that fit a schema. `is_3_0` says how null is written.
pub(crate) fn changes(schema: &Value, is_3_0: bool) -> Vec<Changed> {
    let mut all = Vec::new();
    let Some(object) = schema.as_object() else { return all };
    let mut push =
        |operator: &'static str, effect: Effect, edit: &dyn Fn(&mut Map<String, Value>)| {
            let mut edited = object.clone();
            edit(&mut edited);
            all.push(Changed { operator, schema: Value::Object(edited), effect });
        };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_listed = object.contains_key("enum") || object.contains_key("const");
    for (keyword, step, facet) in BOUNDS {
        if let Some(bound) = object.get(keyword).and_then(Value::as_f64) {
            #[expect(clippy::cast_possible_truncation, reason = "bounds of the bases are small")]
            let tightened = (bound + step) as i64;
            push(keyword, Effect::Narrows(facet), &|schema| {
                schema.insert(keyword.into(), tightened.into());
            });
        }
    }
    let lacks = |keyword: &str| !object.contains_key(keyword);
    match kind {
        "string" if !is_listed => {
            if lacks("pattern") {
                push("pattern", Effect::Narrows("pattern"), &|schema| {
                    schema.insert("pattern".into(), "^[a-z]+$".into());
                });
            }
            let format = if lacks("format") {
                Effect::Narrows("format")
            } else {
                Effect::Replaces("format")
            };
            if object.get("format") != Some(&"email".into()) {
                push("format", format, &|schema| {
                    schema.insert("format".into(), "email".into());
                });
            }
            push("list values", Effect::Narrows("enum"), &|schema| {
                schema.insert("enum".into(), json!(["abcdefghijklmnop", "abcdefghijklmnopq"]));
            });
        }
        "number" => {
            push("number to integer", Effect::Narrows("type"), &|schema| {
                schema.insert("type".into(), "integer".into());
            });
            if lacks("multipleOf") {
                push("multipleOf", Effect::Narrows("multiple-of"), &|schema| {
                    schema.insert("multipleOf".into(), 5.into());
                });
            }
        }
        "array" if lacks("uniqueItems") => {
            push("uniqueItems", Effect::Narrows("unique-items"), &|schema| {
                schema.insert("uniqueItems".into(), true.into());
            });
        }
        "boolean" => {
            push("boolean to list", Effect::Replaces("type"), &|schema| {
                schema.insert("type".into(), "array".into());
                schema.remove("default");
            });
        }
        "object" => object_changes(object, &mut push),
        _ => {}
    }
    if object.get("enum").and_then(Value::as_array).is_some_and(|values| values.len() > 1) {
        push("value of enum", Effect::Narrows("enum"), &|schema| {
            let default = schema.get("default").cloned();
            let values = schema.get_mut("enum").and_then(Value::as_array_mut).expect("a list");
            let at = values.iter().rposition(|value| Some(value) != default.as_ref());
            values.remove(at.expect("one is not the default"));
        });
        push("order of enum", Effect::Rephrases, &|schema| {
            schema["enum"].as_array_mut().expect("a list").reverse();
        });
    }
    null_changes(object, is_3_0, &mut push);
    push("allOf of one", Effect::Rephrases, &|schema| {
        let inner = Value::Object(std::mem::take(schema));
        schema.insert("allOf".into(), json!([inner]));
    });
    push("order of keys", Effect::Rephrases, &|schema| {
        let reversed: Map<String, Value> = std::mem::take(schema).into_iter().rev().collect();
        *schema = reversed;
    });
    all
}

type Push<'p> = dyn FnMut(&'static str, Effect, &dyn Fn(&mut Map<String, Value>)) + 'p;

fn object_changes(object: &Map<String, Value>, push: &mut Push<'_>) {
    let list = |schema: &Map<String, Value>| {
        schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return };
    // What is closed already refuses what it does not name.
    let is_closed = object.contains_key("additionalProperties");
    let added = |schema: &mut Map<String, Value>| {
        schema["properties"]["shade"] = json!({"type": "string", "maxLength": 9});
    };
    if !is_closed {
        push("optional property", Effect::AddsOptional, &added);
        push("required property", Effect::AddsRequired, &|schema| {
            added(schema);
            let mut required = list(schema);
            required.push("shade".into());
            schema.insert("required".into(), required.into());
        });
        push("closed", Effect::Narrows("additional-properties"), &|schema| {
            schema.insert("additionalProperties".into(), false.into());
        });
    }
    let optional = properties.iter().find(|(name, property)| {
        !list(object).contains(&Value::from(name.as_str())) && property.get("default").is_none()
    });
    if let Some((name, _)) = optional {
        push("property required", Effect::Requires, &|schema| {
            let mut required = list(schema);
            required.push(name.as_str().into());
            schema.insert("required".into(), required.into());
        });
    }
    if list(object).len() > 1 {
        push("order of required", Effect::Rephrases, &|schema| {
            schema["required"].as_array_mut().expect("a list").reverse();
        });
    }
}

fn null_changes(object: &Map<String, Value>, is_3_0: bool, push: &mut Push<'_>) {
    if is_3_0 {
        if object.get("nullable") == Some(&true.into()) {
            push("null", Effect::Narrows("null"), &|schema| {
                schema.remove("nullable");
            });
        }
        return;
    }
    if let Some(types) = object.get("type").and_then(Value::as_array) {
        let first = types[0].clone();
        push("null", Effect::Narrows("null"), &|schema| {
            schema.insert("type".into(), first.clone());
        });
        push("order of types", Effect::Rephrases, &|schema| {
            schema["type"].as_array_mut().expect("a list").reverse();
        });
    } else if let Some(kind) = object.get("type").cloned() {
        push("list of one type", Effect::Rephrases, &|schema| {
            schema.insert("type".into(), json!([kind]));
        });
    }
}
