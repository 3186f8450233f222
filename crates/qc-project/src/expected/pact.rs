//! What is expected of one system, as a Pact file of version 4: the format that providers' own tools read, too
//! (<https://docs.pact.io/>).

use std::collections::{BTreeMap, BTreeSet};

use qc_model::Name;
use serde_json::{Map, Value, json};

use super::{
    ExpectedOf,
    exchange::{Exchange, Sent, form},
    reads::Reads,
};

pub(super) fn of<'e>(
    integration: &str,
    connector: &Name,
    exchanges: impl Iterator<Item = &'e Exchange<'e>>,
    reads: &Reads,
) -> ExpectedOf {
    let (mut interactions, mut forms) = (Vec::new(), BTreeSet::new());
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let (mut operations, mut scenarios) = (BTreeSet::new(), BTreeSet::new());
    for exchange in exchanges {
        operations.insert(exchange.operation);
        scenarios.insert(exchange.scenario.as_str());
        let answer = exchange.answer.as_ref();
        let answer = answer.and_then(|it| reads.of_answer(connector, exchange.operation, it));
        let answered = answer.as_ref().map(form).unwrap_or_default();
        if !forms.insert(format!("{} {answered}", exchange.form())) {
            continue;
        }
        let name = format!("{} in {}", exchange.operation, exchange.scenario);
        let times = names.entry(name.clone()).or_insert(0);
        *times += 1;
        let description = if *times == 1 { name } else { format!("{name}, {times}") };
        interactions.push(interaction(&description, exchange, answer));
    }
    let needs = operations.iter().flat_map(|operation| {
        let needed = reads.needed(connector, operation);
        needed.map(move |pointer| format!("{operation}{pointer}"))
    });
    let needs = needs.collect();
    let spared = operations.iter().map(|operation| reads.spared(connector, operation)).sum();
    let pact = json!({
        "consumer": { "name": integration },
        "provider": { "name": connector },
        "interactions": interactions,
        "metadata": {
            "pactSpecification": { "version": "4.0" },
            "quickconnect": { "scenarios": scenarios },
        },
    });
    let interactions = interactions.len();
    ExpectedOf { connector: connector.to_string(), interactions, needs, spared, pact }
}

fn interaction(description: &str, exchange: &Exchange<'_>, answer: Option<Value>) -> Value {
    let mut request = Map::new();
    request.insert("method".to_owned(), json!(exchange.method));
    request.insert("path".to_owned(), json!(exchange.path));
    let mut query: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &exchange.query {
        query.entry(name).or_default().push(value);
    }
    if !query.is_empty() {
        request.insert("query".to_owned(), json!(query));
    }
    let mut headers: BTreeMap<&str, [&str; 1]> =
        exchange.headers.iter().map(|(name, value)| (*name, [value.as_str()])).collect();
    let body = exchange.body.as_ref().map(|body| match body {
        Sent::Json { media_type, value } => (*media_type, value.clone()),
        Sent::Text { media_type, text } => (*media_type, json!(text)),
    });
    if let Some((media_type, content)) = body {
        headers.insert("content-type", [media_type]);
        let body = json!({ "contentType": media_type, "encoded": false, "content": content });
        request.insert("body".to_owned(), body);
    }
    if !headers.is_empty() {
        request.insert("headers".to_owned(), json!(headers));
    }
    let mut response = Map::new();
    response.insert("status".to_owned(), json!(exchange.status));
    // Which success it is makes no difference to a workflow.
    let success =
        json!({ "combine": "AND", "matchers": [{ "match": "statusCode", "status": "success" }] });
    let mut rules = json!({ "status": success });
    if let Some(content) = answer {
        let body =
            json!({ "contentType": "application/json", "encoded": false, "content": content });
        response.insert("body".to_owned(), body);
        let of_its_kind = json!({ "combine": "AND", "matchers": [{ "match": "type" }] });
        rules["body"] = json!({ "$": of_its_kind });
    }
    response.insert("matchingRules".to_owned(), rules);
    let mut made = json!({
        "type": "Synchronous/HTTP",
        "description": description,
        "request": request,
        "response": response,
    });
    if exchange.is_about_one {
        let path = exchange.path;
        made["providerStates"] =
            json!([{ "name": format!("there is {path}"), "params": { "path": path } }]);
    }
    made
}
