//! The system that the stories' workflows call: one operation for each way in which an effect can
//! be settled, behind a credential that is replaced now and then.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use qc_connect::{call::Connectors, connector::Connector};

/// What stands in every secret, and must stand nowhere else.
pub(crate) const SECRET_MARK: &str = "open-sesame";

/// The environment and the name of the desk's credential.
pub(crate) const SECRET: (&str, &str) = ("production", "desk/key");

/// How long the desk says that it remembers a key of its short-lived operations, and how much
/// longer it does: clocks are not equal.
pub(crate) const SHORT_WINDOW: Duration = Duration::from_secs(600);
pub(crate) const GRACE: Duration = Duration::from_secs(180);

/// What an operation's ambiguous outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Idempotent,
    Keyed,
    /// The key is forgotten soon; then a person decides.
    KeyedThenOnce,
    /// The key is forgotten soon; then it is read back.
    KeyedThenVerify,
    Verify,
    Once,
}

/// An operation that changes something.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
}

/// All of them. A further one needs a line here, one in the connector and one in its document.
pub(crate) static OPERATIONS: [Operation; 6] = [
    Operation { name: "putState", path: "state", class: Class::Idempotent },
    Operation { name: "createTicket", path: "tickets", class: Class::Keyed },
    Operation { name: "openCase", path: "cases", class: Class::KeyedThenOnce },
    Operation { name: "bookRoom", path: "rooms", class: Class::KeyedThenVerify },
    Operation { name: "postMessage", path: "messages", class: Class::Verify },
    Operation { name: "charge", path: "charges", class: Class::Once },
];

const CONNECTOR: &str = "
name: desk
version: 1.0.0
title: A desk
owner: team-desk
openapi: openapi.yaml
base_urls:
  production: http://desk.test
auth: { api_key: { in: header, name: x-desk-key, value: 'secret://desk/key' } }
operations:
  putState: { effect: { class: idempotent } }
  createTicket:
    effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 24h, then: once } }
  openCase:
    effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 10m, then: once } }
  bookRoom:
    effect:
      class: keyed
      key: { in: header, name: Idempotency-Key, window: 10m, then: verify }
      verify:
        operation: findByKey
        parameters: '{ key: $key }'
        applied_when: '.found | length > 0'
        settle: 1s
        not_found_means: not_applied
  postMessage:
    effect:
      class: verify
      verify:
        operation: findByRef
        parameters: '{ ref: $arguments.body.ref }'
        applied_when: '.found | length > 0'
        settle: 1s
        not_found_means: not_applied
  charge: { effect: { class: once } }
";

fn document() -> String {
    let mut text = "openapi: 3.1.0\ninfo: { title: Desk, version: 1.0.0 }\npaths:\n".to_owned();
    for Operation { name, path, class } in &OPERATIONS {
        let method = if *class == Class::Idempotent { "put" } else { "post" };
        text.push_str(&format!(
            "  /{path}:\n    {method}:\n      operationId: {name}\n      requestBody: \
             {{ required: true, content: {{ application/json: {{ schema: {{ type: object }} }} }} }}\n      \
             responses: {{ '200': {{ description: ok }} }}\n"
        ));
    }
    for (name, path, parameter) in
        [("findByKey", "find-by-key", "key"), ("findByRef", "find-by-ref", "ref")]
    {
        text.push_str(&format!(
            "  /{path}:\n    get:\n      operationId: {name}\n      parameters: \
             [ {{ name: {parameter}, in: query, schema: {{ type: string }} }} ]\n      \
             responses: {{ '200': {{ description: ok }} }}\n"
        ));
    }
    text
}

/// The desk as workflows see it.
pub(crate) fn connectors() -> Arc<Connectors> {
    static DESK: OnceLock<Arc<Connectors>> = OnceLock::new();
    let load = || {
        let files = BTreeMap::from([
            ("connectors/desk/connector.yaml".to_owned(), CONNECTOR.to_owned()),
            ("connectors/desk/openapi.yaml".to_owned(), document()),
        ]);
        let (connector, findings) = Connector::load(&files, "connectors/desk");
        let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
        Arc::new(Connectors::new([connector], []))
    };
    DESK.get_or_init(load).clone()
}
