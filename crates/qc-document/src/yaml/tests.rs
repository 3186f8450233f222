use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parsed(text: &str) -> Result<Document, Box<Finding>> {
    parse_yaml(Source::new("a.yaml", text), &ParseLimits::default())
}

fn value(text: &str) -> Value {
    parsed(text).map_or_else(|f| panic!("{f}"), |document| document.root.to_value())
}

fn refused(text: &str) -> Box<Finding> {
    parsed(text).expect_err(text)
}

#[test]
fn documents_are_read() {
    let text = "# comment\nname: demo\nlist:\n  - 1\n  - {a: yes, b: \"no\"}\nblock: |\n  x\n  y\n200: ok\nempty:\n";
    let expected = json!({
        "name": "demo", "list": [1, {"a": "yes", "b": "no"}], "block": "x\ny\n", "200": "ok", "empty": null
    });
    assert_eq!(value(text), expected);
    assert_eq!(value(""), json!(null));
    assert_eq!(value("# only a comment\n"), json!(null));
    assert_eq!(value("---\na: 1\n...\n"), json!({"a": 1}));
    assert_eq!(value("{\"a\": [1, 2.5]}"), json!({"a": [1, 2.5]}));
    assert_eq!(value("{a: 1, true: 2, null: 3, 1.5: 4}"), json!({"a":1,"true":2,"null":3,"1.5":4}));
    assert_eq!(value("a: 'on'\r\nb: off\r\n"), json!({"a": "on", "b": "off"}));
}

#[test]
fn tags_of_the_core_schema_are_obeyed() {
    assert_eq!(
        value("a: !!str 12\nb: !!float 1\nc: ! 12\nd: !!seq [1]"),
        json!({"a":"12","b":1,"c":"12","d":[1]})
    );
    assert_eq!(refused("a: !!int x").code, codes::TAG);
    assert_eq!(refused("a: !secret x").code, codes::TAG);
    assert_eq!(refused("a: !!binary x").code, codes::TAG);
    assert_eq!(refused("!!map [1]").code, codes::TAG);
}

#[test]
fn what_is_refused() {
    assert_eq!(refused("a: 1\na: 2").code, codes::DUPLICATE_KEY);
    assert_eq!(refused("200: 1\n'200': 2").code, codes::DUPLICATE_KEY);
    assert_eq!(refused("a: &x {b: 1}\nc:\n  <<: *x").code, codes::MERGE_KEY);
    assert_eq!(refused("a: 1\n---\nb: 2").code, codes::SEVERAL_DOCUMENTS);
    assert_eq!(refused("? [a]\n: 1").code, codes::KEY_KIND);
    assert_eq!(refused("a: .inf").code, codes::NUMBER);
    assert_eq!(refused("\u{feff}a: 1").code, codes::ENCODING);
    assert_eq!(refused("a: *nowhere").code, codes::SYNTAX);
    assert_eq!(refused("a: [1, 2").code, codes::SYNTAX);
    assert_eq!(refused("a: 1\n  b: 2").code, codes::SYNTAX);
    assert_eq!(refused("a: &x [*x]").code, codes::ALIAS);
    assert_eq!(refused(&"[".repeat(200)).code, codes::TOO_DEEP);
}

#[test]
fn aliases_are_expanded_but_not_for_laughs() {
    assert_eq!(
        value("a: &x {b: [1]}\nc: *x\nd: *x"),
        json!({"a":{"b":[1]},"c":{"b":[1]},"d":{"b":[1]}})
    );
    assert_eq!(value("&k a: 1\nb: *k"), json!({"a": 1, "b": "a"}));
    let mut laughs = String::from("l0: &l0 [lol, lol]\n");
    for level in 1..40 {
        let below = level - 1;
        writeln!(laughs, "l{level}: &l{level} [*l{below}, *l{below}]").unwrap();
    }
    assert_eq!(refused(&laughs).code, codes::ALIAS);
    let mut deep = String::from("l0: &l0 [x]\n");
    for level in 1..200 {
        writeln!(deep, "l{level}: &l{level} [*l{}]", level - 1).unwrap();
    }
    assert_eq!(refused(&deep).code, codes::TOO_DEEP);
    let mut nested: String = (0..100).fold(String::new(), |mut text, level| {
        writeln!(text, "{}k: &a{level}", " ".repeat(level)).unwrap();
        text
    });
    for item in 0..9_000 {
        writeln!(nested, "{}- {item}", " ".repeat(100)).unwrap();
    }
    assert_eq!(refused(&nested).code, codes::ALIAS, "the same text is not kept a hundred times");
    let none = parse_yaml(Source::new("a", "a: &x 1\nb: *x"), &ParseLimits::ingress());
    assert_eq!(none.unwrap_err().code, codes::ALIAS);
}

#[test]
fn spans_cut_out_the_text() {
    let text =
        "ä: 1\nlist:\n  - plain text\n  - {k: \"q\"}\nmap:\n  x: |\n    block\n  last: 7\n\n";
    let document = parsed(text).unwrap();
    let cut = |pointer: &str| {
        let span = document.root.at(pointer).expect(pointer).span;
        &text[span.start as usize..span.end as usize]
    };
    assert_eq!(cut("/ä"), "1");
    assert_eq!(cut("/list/0"), "plain text");
    assert_eq!(cut("/list/1"), "{k: \"q\"}");
    assert_eq!(cut("/list/1/k"), "\"q\"");
    assert_eq!(cut("/map/last"), "7");
    assert!(cut("/map").ends_with("last: 7"), "{:?}", cut("/map"));
    let key = document.root.key_span_at("/map/last").expect("is there");
    assert_eq!(&text[key.start as usize..key.end as usize], "last");
}

#[test]
fn findings_point_at_the_line() {
    let finding = refused("a: 1\nb:\n  c: 1\n  c: 2\n");
    let place = finding.place.clone().expect("has a place");
    assert_eq!((place.line, place.column), (4, 3));
    assert_eq!(finding.labels[0].place.line, 3);
    assert!(finding.message.contains("(in `/b`)"), "{}", finding.message);
}

proptest! {
    #[test]
    fn text_never_panics_and_spans_are_in_the_text(text in "[\\[\\]{}:,\"'a0é&*!|>#%@`?~ \n\t<.-]{0,60}") {
        if let Ok(document) = parsed(&text) {
            check_spans(&document.root, &text);
        }
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,80}") {
        let _ = parsed(&text);
    }
}

fn check_spans(node: &Node, text: &str) {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    assert!(start <= end && end <= text.len(), "{start}..{end} of {text:?}");
    assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
    for item in node.as_sequence().unwrap_or_default() {
        check_spans(item, text);
    }
    for (_, item) in node.as_mapping().unwrap_or_default() {
        check_spans(item, text);
    }
}
