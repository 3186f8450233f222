use serde_json::{Value, json};

use super::{Exchange, Message, Pact, Request, Response, Specification};
use crate::codes;

fn request(value: Value) -> Request {
    Request::from_value(&value, Specification::V4).expect("is a request")
}

fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let read =
        |value: &Value| Response::from_value(value, Specification::V4).expect("is a response");
    read(expected).compare(&read(actual)).iter().map(ToString::to_string).collect()
}

/// A response of version 4 with a JSON body and rules for it.
fn expecting(content: Value, rules: Value) -> Value {
    json!({
        "status": 200,
        "body": { "content": content, "contentType": "application/json" },
        "matchingRules": { "body": rules }
    })
}

fn answering(content: Value) -> Value {
    expecting(content, json!({}))
}

#[test]
fn differences_say_where_and_why() {
    let expected = json!({
        "status": 200,
        "headers": { "X-Kind": ["a"] },
        "body": { "content": { "id": 1, "tags": ["x"], "state": "open" }, "contentType": "application/json" },
        "matchingRules": {
            "header": { "x-kind": { "matchers": [{ "match": "regex", "regex": "[a-z]" }] } },
            "body": {
                "$.id": { "matchers": [{ "match": "integer" }] },
                "$.tags": { "matchers": [{ "match": "type", "min": 1 }] }
            }
        }
    });
    let actual = json!({
        "status": 404,
        "headers": { "x-kind": ["A"] },
        "body": { "content": { "id": "seven", "tags": [], "more": 1 }, "contentType": "application/json" }
    });
    assert_eq!(
        differences(&expected, &actual),
        [
            "`/status`: must be 200, but is 404",
            "`/header/X-Kind`: does not match the expression `[a-z]`",
            "`/body/id`: must be an integer, but is a string",
            "`/body/tags`: must have at least 1 items, but has 0",
            "`/body`: `state` is missing",
        ]
    );
}

#[test]
fn each_matcher_of_version_4_is_followed() {
    let cases = [
        (json!({"match": "notEmpty"}), json!("x"), json!("y"), json!("")),
        (json!({"match": "semver"}), json!("1.0.0"), json!("2.1.0-rc.1"), json!("2.1")),
        (json!({"match": "boolean"}), json!(true), json!(false), json!("yes")),
        (json!({"match": "null"}), json!(null), json!(null), json!(0)),
        (json!({"match": "decimal"}), json!(1.5), json!(2.25), json!(2)),
        (json!({"match": "integer"}), json!(1), json!(7), json!(1.5)),
        (json!({"match": "number"}), json!(1), json!(1.5), json!("1")),
        (json!({"match": "include", "value": "ab"}), json!("ab"), json!("xaby"), json!("bb")),
        (
            json!({"match": "date", "format": "yyyy-MM-dd"}),
            json!("2000-01-01"),
            json!("2024-02-29"),
            json!("2023-02-29"),
        ),
        (
            json!({"match": "time", "format": "HH:mm"}),
            json!("10:00"),
            json!("23:59"),
            json!("24:00"),
        ),
        (
            json!({"match": "timestamp", "format": "yyyy-MM-dd'T'HH:mm"}),
            json!("2000-01-01T10:00"),
            json!("2020-12-31T00:00"),
            json!("2020-12-31"),
        ),
        (json!({"match": "equality"}), json!("x"), json!("x"), json!("y")),
        (json!({"match": "regex", "regex": "a{2}"}), json!("aa"), json!("aa"), json!("aaa")),
        (
            json!({"match": "type", "min": 2, "max": 3}),
            json!([1]),
            json!([4, 5]),
            json!([1, 2, 3, 4]),
        ),
        (
            json!({"match": "eachKey", "rules": [{"match": "regex", "regex": "[a-z]+"}]}),
            json!({"a": 1}),
            json!({"b": 1}),
            json!({"B": 1}),
        ),
        (
            json!({"match": "eachValue", "rules": [{"match": "integer"}]}),
            json!({"a": 1}),
            json!({"b": 2}),
            json!({"b": "2"}),
        ),
        (json!({"match": "values"}), json!({"a": 1}), json!({"b": 1}), json!({"b": "2"})),
        (
            json!({"match": "arrayContains", "variants": [{"index": 0, "rules": {"$.id": {"matchers": [{"match": "integer"}]}}}]}),
            json!([{"id": 1}]),
            json!([{"id": "x"}, {"id": 9}]),
            json!([{"id": "x"}]),
        ),
    ];
    for (matcher, example, good, bad) in cases {
        let expected = expecting(json!({"v": example}), json!({"$.v": {"matchers": [matcher]}}));
        let none: [&str; 0] = [];
        assert_eq!(differences(&expected, &answering(json!({"v": good}))), none, "{matcher}");
        assert_ne!(differences(&expected, &answering(json!({"v": bad}))), none, "{matcher}");
    }
}

#[test]
fn matchers_combine() {
    let matchers = json!([{"match": "regex", "regex": "a.*"}, {"match": "regex", "regex": ".*z"}]);
    let both =
        expecting(json!({"v": "az"}), json!({"$.v": {"combine": "AND", "matchers": matchers}}));
    let one =
        expecting(json!({"v": "az"}), json!({"$.v": {"combine": "OR", "matchers": matchers}}));
    let answer = answering(json!({"v": "ab"}));
    assert_eq!(differences(&both, &answer).len(), 1);
    assert!(differences(&one, &answer).is_empty());
}

#[test]
fn a_rule_that_is_closer_wins() {
    let rules = json!({
        "$": {"matchers": [{"match": "type"}]},
        "$.list[*].id": {"matchers": [{"match": "integer"}]},
        "$.fixed": {"matchers": [{"match": "equality"}]}
    });
    let expected = expecting(json!({"list": [{"id": 1, "n": "a"}], "fixed": "x"}), rules);
    let good = json!({"list": [{"id": 2, "n": "b"}, {"id": 3, "n": "c"}], "fixed": "x"});
    assert!(differences(&expected, &answering(good)).is_empty());
    let bad = json!({"list": [{"id": 2.5, "n": 1}], "fixed": "y"});
    assert_eq!(differences(&expected, &answering(bad)).len(), 3);
}

#[test]
fn statuses_may_be_a_class() {
    let expected = json!({"status": 200, "matchingRules": {"status": {"$": {"matchers": [
        {"match": "statusCode", "status": "success"}
    ]}}}});
    assert!(differences(&expected, &json!({"status": 204})).is_empty());
    assert_eq!(differences(&expected, &json!({"status": 404})).len(), 1);
}

#[test]
fn forms_and_parts_are_compared_by_name() {
    let form = |text: &str| {
        request(json!({
            "method": "POST", "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "body": {"content": text, "contentType": "application/x-www-form-urlencoded"},
            "matchingRules": {"body": {"$.b": {"matchers": [{"match": "integer"}]}}}
        }))
    };
    let expected = form("a=x+y&b=1");
    assert!(expected.compare(&form("b=22&a=x%20y")).is_empty());
    assert_eq!(expected.compare(&form("a=x+y&b=z&c=1")).len(), 2);

    let parts = |text: &str| {
        request(json!({
            "method": "POST", "headers": {"Content-Type": "multipart/form-data; boundary=X"},
            "body": {"content": text, "contentType": "multipart/form-data; boundary=X"}
        }))
    };
    let written = |id: u32| {
        format!(
            "--X\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{{\"id\": {id}}}\r\n--X--\r\n"
        )
    };
    assert!(parts(&written(1)).compare(&parts(&written(1))).is_empty());
    let found = parts(&written(1)).compare(&parts(&written(2)));
    assert_eq!(found[0].pointer, "/body/meta/id");
    assert_eq!(parts(&written(1)).compare(&parts("--X\r\nbroken")).len(), 1);
}

#[test]
fn a_body_of_a_type_is_known_by_how_it_begins() {
    let expected = json!({
        "status": 200,
        "body": {"content": "iVBORw0KGgo=", "contentType": "image/png", "encoded": "base64"},
        "matchingRules": {"body": {"$": {"matchers": [{"match": "contentType", "value": "image/png"}]}}}
    });
    let other = json!({"status": 200, "body": {"content": "iVBORw0KGgoAAAA=", "contentType": "image/png", "encoded": "base64"}});
    assert!(differences(&expected, &other).is_empty());
    let text = json!({"status": 200, "body": {"content": "R0lGODlh", "contentType": "image/png", "encoded": "base64"}});
    assert_eq!(differences(&expected, &text).len(), 1);
}

#[test]
fn messages_are_compared_with_their_metadata() {
    let read = |value: Value| Message::from_value(&value, Specification::V4).expect("is a message");
    let expected = read(json!({
        "contents": {"content": {"id": 1}, "contentType": "application/json"},
        "metadata": {"topic": "orders", "contentType": "application/json"},
        "matchingRules": {
            "body": {"$.id": {"matchers": [{"match": "type"}]}},
            "metadata": {"topic": {"matchers": [{"match": "regex", "regex": "orders.*"}]}}
        }
    }));
    let actual = |topic: &str| {
        read(
            json!({"contents": {"content": {"id": 5}, "contentType": "application/json"}, "metadata": {"topic": topic}}),
        )
    };
    assert!(expected.compare(&actual("orders-eu")).is_empty());
    assert_eq!(expected.compare(&actual("parcels"))[0].pointer, "/metadata/topic");
}

const FILE: &str = r#"{
  "consumer": { "name": "shop" },
  "provider": { "name": "orders" },
  "interactions": [
    {
      "type": "Synchronous/HTTP",
      "description": "an order is read",
      "pending": true,
      "providerStates": [{ "name": "there is an order", "params": { "id": 7 } }],
      "request": { "method": "GET", "path": "/orders/7", "query": { "full": ["yes"] } },
      "response": {
        "status": 200,
        "headers": { "Content-Type": ["application/json"] },
        "body": { "content": { "id": 7 }, "contentType": "application/json", "encoded": false },
        "matchingRules": { "body": { "$.id": { "matchers": [{ "match": "integer" }] } } }
      }
    },
    {
      "type": "Asynchronous/Messages",
      "description": "an order was placed",
      "contents": { "content": { "id": 7 }, "contentType": "application/json" }
    }
  ],
  "metadata": { "pactSpecification": { "version": "4.0" } }
}"#;

#[test]
fn a_file_is_read_whole() {
    let (pact, findings) = Pact::read("shop-orders.json", FILE);
    assert!(findings.is_empty(), "{findings:?}");
    let pact = pact.expect("is read");
    assert_eq!((pact.consumer.as_str(), pact.provider.as_str()), ("shop", "orders"));
    assert_eq!((pact.specification, pact.interactions.len()), (Specification::V4, 2));
    let first = &pact.interactions[0];
    assert!(first.is_pending);
    assert_eq!(first.states[0].parameters["id"], 7);
    let Exchange::Http { request, .. } = &first.exchange else { panic!("is HTTP") };
    assert_eq!(request.query.fields, [("full".to_owned(), vec!["yes".to_owned()])]);
    assert!(matches!(pact.interactions[1].exchange, Exchange::Message(_)));
}

#[test]
fn what_is_wrong_in_a_file_is_found_with_its_place() {
    let broken = [
        ("\"integer\"", "\"wholesome\"", codes::PACT_RULE, "`wholesome` is not known"),
        (
            "{ \"match\": \"integer\" }",
            "{ \"match\": \"regex\", \"regex\": \"(\" }",
            codes::PACT_RULE,
            "cannot be used",
        ),
        ("\"$.id\"", "\"$.id[\"", codes::PACT_RULE, "no path"),
        ("\"description\": \"an order is read\",", "", codes::PACT, "no `description`"),
        ("\"4.0\"", "\"9.0\"", codes::PACT, "version `9.0`"),
        ("\"status\": 200", "\"status\": \"ok\"", codes::PACT, "must be a number"),
        ("Synchronous/HTTP", "Synchronous/Smoke", codes::PACT, "not known"),
        ("\"consumer\"", "\"customer\"", codes::PACT, "`consumer`"),
    ];
    for (from, to, code, says) in broken {
        assert!(FILE.contains(from), "{from}");
        let (_, findings) = Pact::read("shop-orders.json", &FILE.replacen(from, to, 1));
        assert_eq!(findings.len(), 1, "{to}: {findings:?}");
        assert_eq!(findings[0].code, code, "{to}");
        assert!(findings[0].message.contains(says), "{to}: {}", findings[0].message);
        assert!(findings[0].place.is_some(), "{to}");
    }
    for text in ["", "[]", "{}", "{\"interactions\": 3}", "null", "{\"interactions\": [3, {}]}"] {
        let (_, findings) = Pact::read("x.json", text);
        assert!(!findings.is_empty(), "{text}");
    }
}

#[test]
fn hostile_expressions_and_documents_end() {
    let expected = expecting(
        json!({"v": "a"}),
        json!({"$.v": {"matchers": [{"match": "regex", "regex": "(a+)+\\1x"}]}}),
    );
    let long = "a".repeat(200);
    assert_eq!(differences(&expected, &answering(json!({"v": long}))).len(), 1);
    let xml = |text: String| json!({"status": 200, "body": {"content": text, "contentType": "application/xml"}});
    let deep = "<a>".repeat(5_000) + &"</a>".repeat(5_000);
    assert!(!differences(&xml(deep.clone()), &xml(deep)).is_empty());
    let entity = "<!DOCTYPE a [<!ENTITY b \"cc\">]><a>&b;</a>".to_owned();
    assert!(!differences(&xml(entity.clone()), &xml(entity)).is_empty());
}
