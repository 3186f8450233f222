//! The JSON Schema (2020-12) of a workflow file, for editors. It says what the loader says about
//! the form of a file; names, scopes and expressions are checked by `load` and `compile` only.

use serde_json::{Map, Value, json};

/// The JSON Schema of a workflow file in the QuickConnect profile.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://quickconnect.app/schemas/workflow.json",
        "title": "QuickConnect workflow",
        "description": "The QuickConnect profile of the Open Workflow Specification DSL 1.0.3.",
        "type": "object",
        "required": ["document", "do"],
        "additionalProperties": false,
        "properties": {
            "document": document(),
            "evaluate": closed(&[], json!({
                "language": {"const": "jq"},
                "mode": {"const": "strict"},
            })),
            "input": reference("input"),
            "output": reference("output"),
            "timeout": reference("timeout"),
            "schedule": schedule(),
            "use": components(),
            "do": reference("taskList"),
        },
        "$defs": definitions(),
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// An object with these properties and no others.
fn closed(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

/// An object whose keys are names of the user's choosing.
fn named(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

fn document() -> Value {
    let label = json!({
        "type": "string",
        "pattern": "^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$",
    });
    closed(
        &["dsl", "namespace", "name", "version"],
        json!({
            "dsl": {"enum": ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]},
            "namespace": label,
            "name": label,
            "version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+(?:[-+].+)?$"},
            "title": {"type": "string"},
            "summary": {"type": "string"},
            "tags": {"type": "object"},
            "metadata": {"type": "object"},
        }),
    )
}

fn components() -> Value {
    closed(
        &[],
        json!({
            "authentications": named(reference("authentication")),
            "errors": named(reference("error")),
            "functions": named(reference("task")),
            "retries": named(reference("retry")),
            "secrets": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"},
            },
            "timeouts": named(reference("after")),
        }),
    )
}

fn definitions() -> Value {
    let mut all = Map::new();
    for part in [shapes(), credentials(), retries(), events(), tasks(), calls()] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn shapes() -> Value {
    let mould = |key: &str| {
        let mut properties = Map::new();
        properties.insert("schema".into(), reference("schema"));
        properties.insert(key.into(), json!({"type": ["string", "object"]}));
        closed(&[], Value::Object(properties))
    };
    let units = ["days", "hours", "minutes", "seconds", "milliseconds"];
    let counts: Map<String, Value> = units
        .iter()
        .map(|unit| ((*unit).to_owned(), json!({"type": "integer", "minimum": 0})))
        .collect();
    json!({
        "expression": {"type": "string", "pattern": "^\\s*\\$\\{[\\s\\S]*\\}\\s*$"},
        "flow": {"type": "string", "description": "`continue`, `exit`, `end`, or a task of the same list."},
        "input": mould("from"),
        "output": mould("as"),
        "schema": closed(&["document"], json!({"format": {"const": "json"}, "document": true})),
        "fixed": {
            "anyOf": [
                {"type": "string", "pattern": "^P(?=[0-9T])([0-9]+W)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\\.[0-9]{1,9})?S)?)?$"},
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": false,
                    "properties": counts,
                },
            ]
        },
        "length": {"anyOf": [reference("fixed"), reference("expression")]},
        "after": closed(&["after"], json!({"after": reference("length")})),
        "timeout": {"anyOf": [{"type": "string"}, reference("after")]},
        "error": closed(&["type", "status"], json!({
            "type": {"type": "string"},
            "status": {"type": "integer", "minimum": 100, "maximum": 599},
            "title": {"type": "string"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
        })),
    })
}

fn credentials() -> Value {
    let by_secret = closed(&["use"], json!({"use": {"type": "string"}}));
    let scheme = |name: &str, inline: Value| {
        let mut properties = Map::new();
        properties.insert(name.into(), json!({"anyOf": [by_secret, inline]}));
        closed(&[name], Value::Object(properties))
    };
    let text = json!({"type": "string"});
    let secret = reference("expression");
    let texts = json!({"type": "array", "items": text});
    let oauth2 = closed(
        &["authority", "grant", "client"],
        json!({
            "authority": text,
            "grant": {"const": "client_credentials"},
            "endpoints": closed(&[], json!({"token": text})),
            "client": closed(&["id", "secret"], json!({
                "id": text,
                "secret": secret,
                "authentication": {"enum": ["client_secret_post", "client_secret_basic"]},
            })),
            "request": closed(&[], json!({"encoding": {"const": "application/x-www-form-urlencoded"}})),
            "scopes": texts,
            "audiences": texts,
        }),
    );
    json!({
        "authentication": {"anyOf": [
            scheme("basic", closed(&["username", "password"], json!({"username": text, "password": secret}))),
            scheme("bearer", closed(&["token"], json!({"token": secret}))),
            scheme("oauth2", oauth2),
        ]},
        "authenticationUse": {"anyOf": [by_secret, reference("authentication")]},
    })
}

fn retries() -> Value {
    let empty = closed(&[], json!({}));
    let fixed = reference("fixed");
    json!({
        "retry": closed(&[], json!({
            "when": {"type": "string"},
            "exceptWhen": {"type": "string"},
            "delay": fixed,
            "backoff": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
                "properties": {"constant": empty, "linear": empty, "exponential": empty},
            },
            "limit": closed(&[], json!({
                "attempt": closed(&[], json!({
                    "count": {"type": "integer", "minimum": 1, "maximum": 1000},
                    "duration": fixed,
                })),
                "duration": fixed,
            })),
            "jitter": closed(&["from", "to"], json!({"from": fixed, "to": fixed})),
        })),
    })
}

/// A kind of task: its own properties beside those that all tasks have.
fn task(required: &[&str], own: Value) -> Value {
    let mut properties = json!({
        "if": {"type": "string"},
        "input": reference("input"),
        "output": reference("output"),
        "export": reference("output"),
        "timeout": reference("timeout"),
        "then": reference("flow"),
        "metadata": {"type": "object"},
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut properties, own) {
        all.extend(own);
    }
    closed(required, properties)
}

fn tasks() -> Value {
    let list = reference("taskList");
    let text = json!({"type": "string"});
    let case = closed(&["then"], json!({"when": text, "then": reference("flow")}));
    let one = |of: Value| json!({"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": of});
    let header =
        closed(&["in"], json!({"each": text, "at": text, "in": {"type": ["string", "array"]}}));
    let filter = closed(
        &[],
        json!({"type": text, "status": {"type": "integer"}, "instance": text, "title": text, "detail": text}),
    );
    let catch = closed(
        &[],
        json!({
            "errors": closed(&[], json!({"with": filter})),
            "as": text,
            "when": text,
            "exceptWhen": text,
            "retry": {"anyOf": [text, reference("retry")]},
            "do": list,
            "then": reference("flow"),
        }),
    );
    let event = json!({"type": "object", "required": ["type"], "properties": {"type": text}});
    let fork = closed(&["branches"], json!({"branches": list, "compete": {"type": "boolean"}}));
    let raise = closed(&["error"], json!({"error": {"anyOf": [text, reference("error")]}}));
    json!({
        "taskList": {"type": "array", "minItems": 1, "items": one(reference("task"))},
        "task": {"anyOf": [
            reference("callTask"),
            task(&["do"], json!({"do": list})),
            task(&["set"], json!({"set": {"type": ["string", "object"], "minProperties": 1}})),
            task(&["switch"], json!({"switch": {"type": "array", "minItems": 1, "items": one(case)}})),
            task(&["for", "do"], json!({"for": header, "while": text, "do": list})),
            task(&["fork"], json!({"fork": fork})),
            task(&["try", "catch"], json!({"try": list, "catch": catch})),
            task(&["raise"], json!({"raise": raise})),
            task(&["wait"], json!({"wait": reference("length")})),
            reference("listenTask"),
            reference("runTask"),
            task(&["emit"], json!({"emit": closed(&["event"], json!({"event": closed(&["with"], json!({"with": event}))}))})),
        ]},
    })
}

/// How events are read.
fn read() -> Value {
    json!({"enum": ["data", "envelope", "raw"]})
}

fn schedule() -> Value {
    let one = |key: &str, value: Value| {
        let mut properties = Map::new();
        properties.insert(key.into(), value);
        closed(&[key], Value::Object(properties))
    };
    let strategy = json!({"anyOf": strategies()});
    json!({"anyOf": [
        one("every", reference("fixed")),
        one("after", reference("fixed")),
        one("cron", json!({"type": "string"})),
        closed(&["on"], json!({"on": strategy, "read": read()})),
    ]})
}

/// `one`, `any` and `all`, without `until`.
fn strategies() -> Vec<Value> {
    let filter = reference("eventFilter");
    vec![
        closed(&["one"], json!({"one": filter})),
        closed(&["any"], json!({"any": {"type": "array", "maxItems": 64, "items": filter}})),
        closed(
            &["all"],
            json!({"all": {"type": "array", "minItems": 1, "maxItems": 64, "items": filter}}),
        ),
    ]
}

fn events() -> Value {
    let text = json!({"type": "string"});
    let filters = json!({"type": "array", "maxItems": 64, "items": reference("eventFilter")});
    let until = json!({"anyOf": [{"type": "string"}, {"anyOf": strategies()}]});
    let mut listened = strategies();
    listened.push(closed(&["any", "until"], json!({"any": filters, "until": until})));
    let properties = json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
    });
    let correlation = closed(&["from"], json!({"from": text, "expect": text}));
    let each = closed(
        &[],
        json!({
            "item": text,
            "at": text,
            "do": reference("taskList"),
            "output": reference("output"),
            "export": reference("output"),
        }),
    );
    let listen = closed(&["to"], json!({"to": {"anyOf": listened}, "read": read()}));
    let label =
        json!({"type": "string", "pattern": "^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$"});
    let version =
        json!({"type": "string", "pattern": "^(latest|[0-9]+\\.[0-9]+\\.[0-9]+(?:[-+].+)?)$"});
    let workflow = closed(
        &["namespace", "name"],
        json!({"namespace": label, "name": label, "version": version, "input": true}),
    );
    let run = closed(&["workflow"], json!({"workflow": workflow, "await": {"type": "boolean"}}));
    json!({
        "eventFilter": closed(&["with"], json!({"with": properties, "correlate": named(correlation)})),
        "listenTask": task(&["listen"], json!({"listen": listen, "foreach": each})),
        "runTask": task(&["run"], json!({"run": run})),
    })
}

fn calls() -> Value {
    let text = json!({"type": "string"});
    let table = json!({"anyOf": [{"type": "object"}, reference("expression")]});
    let output = json!({"enum": ["content", "response", "raw"]});
    let redirect = json!({"type": "boolean"});
    let endpoint = json!({"anyOf": [
        text,
        closed(&["uri"], json!({"uri": text, "authentication": reference("authenticationUse")})),
    ]});
    let http = closed(
        &["method", "endpoint"],
        json!({
            "method": {"type": "string", "pattern": "^[A-Za-z-]+$"},
            "endpoint": endpoint,
            "headers": table,
            "query": table,
            "body": true,
            "output": output,
            "redirect": redirect,
        }),
    );
    let address = json!({"anyOf": [text, closed(&["uri"], json!({"uri": text}))]});
    let openapi = closed(
        &["document", "operationId"],
        json!({
            "document": closed(&["endpoint"], json!({"name": text, "endpoint": address})),
            "operationId": text,
            "parameters": table,
            "authentication": reference("authenticationUse"),
            "output": output,
            "redirect": redirect,
        }),
    );
    let named = json!({
        "type": "string",
        "not": {"enum": ["http", "openapi", "asyncapi", "grpc", "mcp", "a2a"]},
        "pattern": "^[^@:]+$",
    });
    json!({
        "callTask": {"anyOf": [
            task(&["call", "with"], json!({"call": {"const": "http"}, "with": http})),
            task(&["call", "with"], json!({"call": {"const": "openapi"}, "with": openapi})),
            task(&["call"], json!({"call": named, "with": {"type": "object"}})),
        ]},
    })
}
