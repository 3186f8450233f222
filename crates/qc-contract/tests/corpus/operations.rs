//! Changes around schemas: parameters, bodies, answers, failures, credentials, limits, defaults and events.

use serde_json::{Value, json};

use crate::{Area, Label, Pair, edited};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// An operation's object by its pointer.
pub(crate) fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let path = path.replace('~', "~0").replace('/', "~1");
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                all.push((format!("/paths/{path}/{method}"), operation));
            }
        }
    }
    all
}

/// One kind of change at one place: both ways are pairs.
struct Edit {
    operator: &'static str,
    area: Area,
    pointer: String,
    value: Option<Value>,
    there: Label,
    back: Label,
}

/// Every change of every operation.
pub(crate) fn pairs(base: &Value) -> Vec<Pair> {
    let mut edits = Vec::new();
    for (at, operation) in operations(base) {
        edits.push(edit(
            Area::Request,
            "operation",
            &at,
            None,
            "breaking operation-removed",
            "additive operation-added",
        ));
        parameters(&at, operation, &mut edits);
        bodies(&at, operation, &mut edits);
        answers(&at, operation, &mut edits);
        credentials(&at, operation, base, &mut edits);
        limits(&at, operation, &mut edits);
        for name in operation["callbacks"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let at = format!("{at}/callbacks/{name}");
            edits.push(edit(
                Area::Event,
                "callback",
                &at,
                None,
                "breaking callback-removed",
                "risky callback-added",
            ));
        }
    }
    for name in base["webhooks"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let at = format!("/webhooks/{name}");
        edits.push(edit(
            Area::Event,
            "webhook",
            &at,
            None,
            "breaking webhook-removed",
            "additive webhook-added",
        ));
    }
    definitions(base, &mut edits);
    if base.get("x-rate-limit").is_some() {
        edits.push(edit(
            Area::Limits,
            "limit",
            "/x-rate-limit/limit",
            Some(1.into()),
            "breaking rate-limit-lowered",
            "additive rate-limit-raised",
        ));
    }
    let mut pairs = Vec::new();
    for Edit { operator, area, pointer, value, there, back } in edits {
        let new = edited(base, &pointer, value.as_ref());
        pairs.push(Pair::new(operator, area, base, &new, there));
        pairs.push(Pair::new(operator, area, &new, base, back));
    }
    pairs
}

fn edit(
    area: Area,
    operator: &'static str,
    pointer: &str,
    value: Option<Value>,
    there: &str,
    back: &str,
) -> Edit {
    let label = |text: &str| {
        let (level, rule) = text.split_once(' ').expect("a level and a rule");
        Label::told(level, rule)
    };
    Edit {
        operator,
        area,
        pointer: pointer.to_owned(),
        value,
        there: label(there),
        back: label(back),
    }
}

fn parameters(at: &str, operation: &Value, edits: &mut Vec<Edit>) {
    let list = operation["parameters"].as_array().cloned().unwrap_or_default();
    let with = |parameter: Value| {
        let mut all = list.clone();
        all.push(parameter);
        Some(Value::from(all))
    };
    let all_at = format!("{at}/parameters");
    let optional = json!({"name": "shade", "in": "query", "schema": {"type": "string"}});
    edits.push(edit(
        Area::Request,
        "optional parameter",
        &all_at,
        with(optional),
        "additive parameter-added-optional",
        "breaking parameter-removed",
    ));
    let required =
        json!({"name": "X-Shade", "in": "header", "required": true, "schema": {"type": "string"}});
    edits.push(edit(
        Area::Request,
        "required parameter",
        &all_at,
        with(required),
        "breaking parameter-added-required",
        "breaking parameter-removed",
    ));
    for (index, parameter) in list.iter().enumerate() {
        let at = format!("{all_at}/{index}");
        let has_default = parameter["schema"].get("default").is_some();
        if parameter["in"] == "path" {
            continue;
        }
        if parameter["required"] != true && !has_default {
            edits.push(edit(
                Area::Request,
                "parameter required",
                &format!("{at}/required"),
                Some(true.into()),
                "breaking parameter-became-required",
                "additive parameter-became-optional",
            ));
        }
        let elsewhere = if parameter["in"] == "query" { "header" } else { "query" };
        edits.push(edit(
            Area::Request,
            "parameter moved",
            &format!("{at}/in"),
            Some(elsewhere.into()),
            "breaking parameter-moved",
            "breaking parameter-moved",
        ));
        if let Some(default) = parameter["schema"].get("default") {
            let at = format!("{at}/schema/default");
            edits.push(edit(
                Area::Defaults,
                "default of a parameter gone",
                &at,
                None,
                "breaking parameter-default-removed",
                "risky parameter-default-added",
            ));
            let other = match default {
                Value::Bool(value) => Value::from(!value),
                Value::Number(number) => (number.as_i64().expect("small") + 1).into(),
                _ => parameter["schema"]["enum"].as_array().map_or("10117".into(), |values| {
                    values.iter().find(|value| *value != default).cloned().expect("another")
                }),
            };
            edits.push(edit(
                Area::Defaults,
                "default of a parameter",
                &at,
                Some(other),
                "breaking parameter-default-changed",
                "breaking parameter-default-changed",
            ));
        }
    }
}

fn bodies(at: &str, operation: &Value, edits: &mut Vec<Edit>) {
    let Some(body) = operation.get("requestBody") else { return };
    edits.push(edit(
        Area::Request,
        "body",
        &format!("{at}/requestBody"),
        None,
        "breaking request-body-removed",
        "breaking request-body-added-required",
    ));
    edits.push(edit(
        Area::Request,
        "body optional",
        &format!("{at}/requestBody/required"),
        Some(false.into()),
        "additive request-body-became-optional",
        "breaking request-body-became-required",
    ));
    let new = json!({"schema": {"type": "object"}});
    edits.push(edit(
        Area::Request,
        "media type",
        &format!("{at}/requestBody/content/text~1csv"),
        Some(new),
        "additive request-media-type-added",
        "breaking request-media-type-removed",
    ));
    for (name, content) in body["content"].as_object().into_iter().flatten() {
        let at = format!("{at}/requestBody/content/{}/schema", name.replace('/', "~1"));
        defaults(&at, &content["schema"], edits);
    }
}

/// Defaults of properties: they tell what is assumed, and nobody has to send otherwise.
fn defaults(at: &str, schema: &Value, edits: &mut Vec<Edit>) {
    if schema.get("default").is_some() {
        let changed = "additive request-default-changed";
        edits.push(edit(
            Area::Defaults,
            "default of a property",
            &format!("{at}/default"),
            None,
            changed,
            changed,
        ));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        defaults(&format!("{at}/properties/{name}"), property, edits);
    }
    if schema.get("items").is_some() {
        defaults(&format!("{at}/items"), &schema["items"], edits);
    }
}

fn answers(at: &str, operation: &Value, edits: &mut Vec<Edit>) {
    let all = operation["responses"].as_object().expect("has answers");
    let plain = Some(json!({"description": "other"}));
    edits.push(edit(
        Area::Response,
        "status",
        &format!("{at}/responses/207"),
        plain.clone(),
        "additive response-success-added",
        "breaking response-success-removed",
    ));
    // Where a default is described, it is what the status was before.
    if !all.contains_key("default") {
        edits.push(edit(
            Area::Errors,
            "status of a failure",
            &format!("{at}/responses/418"),
            plain,
            "additive response-error-added",
            "risky response-error-removed",
        ));
    }
    for (status, response) in all {
        let is_error = !status.starts_with('2');
        let area = if is_error { Area::Errors } else { Area::Response };
        let at = format!("{at}/responses/{status}");
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let at = format!("{at}/headers/{name}");
            if name.starts_with("RateLimit") || name == "Retry-After" {
                edits.push(edit(
                    Area::Limits,
                    "header of a limit",
                    &at,
                    None,
                    "breaking rate-limit-header-removed",
                    "additive rate-limit-header-added",
                ));
                continue;
            }
            edits.push(edit(
                area,
                "header",
                &at,
                None,
                "breaking response-header-removed",
                "additive response-header-added",
            ));
            if header["required"] == true {
                edits.push(edit(
                    area,
                    "header optional",
                    &format!("{at}/required"),
                    Some(false.into()),
                    "breaking response-header-became-optional",
                    "additive response-header-became-required",
                ));
            }
        }
        for name in response["content"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let content = json!({"text/html": response["content"][name]});
            let content_at = format!("{at}/content");
            if is_error {
                let changed = "breaking error-format-changed";
                edits.push(edit(
                    area,
                    "media type of a failure",
                    &content_at,
                    Some(content),
                    changed,
                    changed,
                ));
            } else {
                let changed = "breaking response-media-type-removed";
                edits.push(edit(
                    area,
                    "media type of an answer",
                    &content_at,
                    Some(content),
                    changed,
                    changed,
                ));
            }
        }
    }
}

fn credentials(at: &str, operation: &Value, base: &Value, edits: &mut Vec<Edit>) {
    let own = operation.get("security").unwrap_or(&base["security"]);
    let alternatives = own.as_array().expect("a list");
    let at = format!("{at}/security");
    let scheme = base["components"]["securitySchemes"].as_object().expect("schemes");
    let (first, _) = scheme.iter().next().expect("one");
    if alternatives.is_empty() {
        edits.push(edit(
            Area::Authentication,
            "credentials",
            &at,
            Some(json!([{first: []}])),
            "breaking security-added",
            "risky security-removed",
        ));
        return;
    }
    // Where an operation says nothing the way back is asked for by the whole document.
    edits.push(edit(
        Area::Authentication,
        "no credentials",
        &at,
        Some(json!([])),
        "risky security-removed",
        "breaking security-added",
    ));
    if let [one, _, ..] = &alternatives[..] {
        edits.push(edit(
            Area::Authentication,
            "alternative",
            &at,
            Some(json!([one])),
            "breaking security-alternative-removed",
            "additive security-alternative-added",
        ));
    }
    for (index, alternative) in alternatives.iter().enumerate() {
        let (name, scopes) = alternative.as_object().expect("schemes").iter().next().expect("one");
        let replaced = |alternative: Value| {
            let mut all = alternatives.clone();
            all[index] = alternative;
            Some(Value::from(all))
        };
        if !scopes.as_array().expect("a list").is_empty() {
            let mut more = scopes.as_array().cloned().unwrap_or_default();
            more.push("shade:read".into());
            edits.push(edit(
                Area::Authentication,
                "scope",
                &at,
                replaced(json!({name: more})),
                "breaking security-scope-added",
                "additive security-scope-removed",
            ));
        }
        if alternatives.len() == 1 {
            let other = scheme.keys().find(|other| *other != name).expect("two schemes");
            edits.push(edit(
                Area::Authentication,
                "scheme",
                &at,
                replaced(json!({name: scopes, other: []})),
                "breaking security-scheme-required",
                "additive security-scheme-dropped",
            ));
        }
    }
}

fn definitions(base: &Value, edits: &mut Vec<Edit>) {
    for (name, scheme) in base["components"]["securitySchemes"].as_object().expect("schemes") {
        let at = format!("/components/securitySchemes/{name}");
        let changed = "breaking security-definition-changed";
        if scheme["type"] == "apiKey" {
            edits.push(edit(
                Area::Authentication,
                "name of a key",
                &format!("{at}/name"),
                Some("X-Other".into()),
                changed,
                changed,
            ));
            edits.push(edit(
                Area::Authentication,
                "place of a key",
                &format!("{at}/in"),
                Some("cookie".into()),
                changed,
                changed,
            ));
        }
        if scheme["type"] == "http" {
            edits.push(edit(
                Area::Authentication,
                "scheme of HTTP",
                &format!("{at}/scheme"),
                Some("bearer".into()),
                changed,
                changed,
            ));
        }
        for (flow, _) in scheme["flows"].as_object().into_iter().flatten() {
            let at = format!("{at}/flows/{flow}");
            edits.push(edit(
                Area::Authentication,
                "flow",
                &at,
                None,
                "breaking security-flow-removed",
                "additive security-flow-added",
            ));
            let address = "breaking security-address-changed";
            edits.push(edit(
                Area::Authentication,
                "address of tokens",
                &format!("{at}/tokenUrl"),
                Some("https://other.example.com".into()),
                address,
                address,
            ));
        }
    }
}

fn limits(at: &str, operation: &Value, edits: &mut Vec<Edit>) {
    let at = format!("{at}/x-rate-limit");
    match operation.get("x-rate-limit").and_then(Value::as_object) {
        None => {
            let limit = Some(json!({"limit": 5, "period": 1}));
            edits.push(edit(
                Area::Limits,
                "declaration of a limit",
                &at,
                limit,
                "breaking rate-limit-lowered",
                "additive rate-limit-raised",
            ));
        }
        Some(own) => {
            for (key, value) in own {
                let less = if key == "limit" { 1 } else { value.as_i64().expect("small") * 2 };
                edits.push(edit(
                    Area::Limits,
                    "limit",
                    &format!("{at}/{key}"),
                    Some(less.into()),
                    "breaking rate-limit-lowered",
                    "additive rate-limit-raised",
                ));
            }
        }
    }
}
