//! The one connector of all tests, and what can be said of it besides.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use qc_connect::{call::Connectors, connector::Connector};

const CONNECTOR: &str = "
name: desk
version: 1.0.0
title: A desk
owner: team-desk
openapi: openapi.yaml
base_urls:
  production: http://desk.test
auth: { none: {} }
operations:
  putState: { effect: { class: idempotent } }
  createTicket:
    effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 24h, then: once } }
  postMessage:
    effect:
      class: verify
      verify:
        operation: findMessages
        parameters: '{ ref: $arguments.body.ref }'
        applied_when: '.messages | length > 0'
        settle: 1s
        not_found_means: not_applied
  charge: { effect: { class: once } }
";

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Desk, version: 1.0.0 }
paths:
  /state:
    put:
      operationId: putState
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /tickets:
    post:
      operationId: createTicket
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /messages:
    post:
      operationId: postMessage
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /find:
    get:
      operationId: findMessages
      parameters: [ { name: ref, in: query, schema: { type: string } } ]
      responses: { '200': { description: ok } }
  /changes:
    get:
      operationId: listChanges
      parameters: [ { name: since, in: query, schema: { type: integer } } ]
      responses: { '200': { description: ok } }
  /many:
    post:
      operationId: takeMany
      requestBody:
        required: true
        content:
          application/json:
            schema: { type: object, required: [all], properties: { all: { type: array, maxItems: 60 } } }
      responses: { '200': { description: ok } }
  /orders:
    post:
      operationId: order
      requestBody:
        required: true
        content:
          application/json:
            schema: { type: object, required: [n], properties: { n: { type: integer } } }
      responses: { '201': { description: ok } }
  /charges:
    post:
      operationId: charge
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
";

/// The one connector of all tests.
pub(crate) fn usual() -> Arc<Connectors> {
    static DESK: OnceLock<Arc<Connectors>> = OnceLock::new();
    DESK.get_or_init(|| of(CONNECTOR)).clone()
}

pub(crate) fn of(connector: &str) -> Arc<Connectors> {
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), connector.to_owned()),
        ("connectors/desk/openapi.yaml".to_owned(), OPENAPI.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/desk");
    let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
    Arc::new(Connectors::new([connector], []))
}

/// The same with what it documents of its limits.
pub(crate) fn limited(limits: &str) -> Arc<Connectors> {
    of(&format!("{CONNECTOR}limits: {limits}\n"))
}

/// One that takes few requests, and many calls in one.
pub(crate) fn batching() -> String {
    let many = |of: &str| {
        format!(
            "batch: {{ operation: takeMany, max: 5, body: '{{ of: \"{of}\", all: . }}', results: .results }}"
        )
    };
    let with = |class: &str, of: &str| {
        (format!("{{ class: {class} }} }}"), format!("{{ class: {class} }}, {} }}", many(of)))
    };
    let both = [with("idempotent", "putState"), with("once", "charge")];
    let text = both.iter().fold(CONNECTOR.to_owned(), |text, (from, to)| text.replace(from, to));
    // One limit for all of them: what takes many is in it.
    format!(
        "{text}limits: [{{ requests: 3, per: 1s, operations: [putState, charge, takeMany] }}]\n"
    )
}
