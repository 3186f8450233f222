use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn value(text: &str) -> Result<Value, JsonError> {
    parse_json_value(text.as_bytes(), &ParseLimits::ingress())
}

fn code(text: &str) -> &'static str {
    let code = value(text).expect_err(text).code;
    let tree = parse_json(Source::new("a.json", text), &ParseLimits::ingress()).expect_err(text);
    assert_eq!(tree.code, code, "both builders refuse alike: {text}");
    Box::leak(code.as_str().to_owned().into_boxed_str())
}

#[test]
fn values_are_read() {
    assert_eq!(
        value(r#" {"a":[1,-2.5e3,true,null,"x\u00e9\ud83d\ude00\n"],"b":{}} "#),
        Ok(json!({"a": [1, -2500.0, true, null, "xé😀\n"], "b": {}}))
    );
    assert_eq!(value("18446744073709551615"), Ok(json!(u64::MAX)));
    assert_eq!(value("-9223372036854775808"), Ok(json!(i64::MIN)));
    assert_eq!(value("\"\""), Ok(json!("")));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "nul",
        "+1",
        "01",
        "-",
        "1.",
        "1.e1",
        ".5",
        "1e",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"a\nb\"",
        "1 2",
        "[1}",
        "{}x",
        "'a'",
        "NaN",
        "Infinity",
        "[,1]",
        "\u{b}1",
        "\"\u{1}\"",
        "/**/1",
        "tru",
        "1,",
    ] {
        assert_eq!(code(text), "QC-Q001", "{text:?}");
    }
    assert_eq!(code(r#"{"a":1,"b":2,"a":3}"#), "QC-Q002");
    assert_eq!(code(r#"{"a":1,"\u0061":3}"#), "QC-Q002");
    assert_eq!(code(&"[".repeat(65)), "QC-Q003");
    assert_eq!(code(&"[".repeat(100_000)), "QC-Q003");
    assert_eq!(code(&" ".repeat((1 << 20) + 1)), "QC-Q004");
    assert_eq!(code("\u{feff}{}"), "QC-Q005");
    for text in [r#""\ud800""#, r#""\ud800x""#, r#""\udc00""#, r#""\ud800\u0041""#] {
        assert_eq!(code(text), "QC-Q005", "{text}");
    }
    for text in ["1e400", "-1e400", "123456789012345678901"] {
        assert_eq!(code(text), "QC-Q006", "{text}");
    }
}

#[test]
fn depth_and_values_are_bounded_exactly() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(value(&nested(64)).is_ok());
    let unlimited =
        ParseLimits { bytes: usize::MAX, depth: usize::MAX, nodes: usize::MAX, alias_nodes: 0 };
    let error = parse_json_value(nested(100_000).as_bytes(), &unlimited).unwrap_err();
    assert_eq!(error.code, codes::TOO_DEEP, "DEEPEST holds against any limit");
    let few = ParseLimits { nodes: 3, ..ParseLimits::ingress() };
    assert!(parse_json_value(b"[1,2]", &few).is_ok());
    assert_eq!(parse_json_value(b"[1,2,3]", &few).unwrap_err().code, codes::TOO_LARGE);
}

#[test]
fn an_error_says_where_without_saying_what() {
    let error = value(r#"{"items":[{"a/b":1},{"a/b":"secret","x":tru}]}"#).unwrap_err();
    assert_eq!(error.pointer, "/items/1/x");
    assert_eq!(error.offset, 40);
    assert!(!error.to_string().contains("secret"));
    let error = value(r#"{"a":{"k":1,"k":2}}"#).unwrap_err();
    assert_eq!((error.pointer.as_str(), error.offset), ("/a/k", 12));
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let text = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}";
    let finding = parse_json(Source::new("x.json", text), &ParseLimits::default()).unwrap_err();
    let place = finding.place.expect("has a place");
    assert_eq!((place.line, place.column), (4, 3));
    assert_eq!(finding.labels[0].place.line, 2);
}

#[test]
fn a_large_object_finds_its_repeated_key() {
    let mut text = String::from("{");
    for number in 0..1000 {
        write!(text, "\"k{number}\":{number},").unwrap();
    }
    let whole = format!("{text}\"last\":1}}");
    let document = parse_json(Source::new("x.json", &*whole), &ParseLimits::default()).unwrap();
    assert_eq!(document.root.get("k999").and_then(crate::Node::as_i64), Some(999));
    assert_eq!(code(&format!("{text}\"k500\":1}}")), "QC-Q002");
}

#[test]
fn wrong_encoding_is_reported_at_its_byte() {
    let error = parse_json_value(b"{\"a\":\"\xff\"}", &ParseLimits::ingress()).unwrap_err();
    assert_eq!((error.code, error.offset), (codes::ENCODING, 6));
    let finding = parse_json_bytes("a.json", b"[\n\"\xff\"]", &ParseLimits::default()).unwrap_err();
    assert_eq!(finding.place.map(|place| (place.line, place.column)), Some((2, 2)));
}

#[test]
fn spans_cut_out_the_text() {
    let text = r#"{ "é": [ 10, "x" ] }"#;
    let document = parse_json(Source::new("a.json", text), &ParseLimits::default()).unwrap();
    let cut = |span: crate::Span| &text[span.start as usize..span.end as usize];
    let (key, list) = document.root.entry("é").expect("is there");
    assert_eq!(cut(key.span), "\"é\"");
    assert_eq!(cut(list.span), "[ 10, \"x\" ]");
    assert_eq!(cut(document.root.at("/é/1").expect("is there").span), "\"x\"");
    assert_eq!(document.root.key_span_at("/é"), Some(key.span));
    assert!(document.root.at("/é/2").is_none());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(".*", inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read_back(value in any_json()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let plain = parse_json_value(text.as_bytes(), &ParseLimits::ingress());
            prop_assert_eq!(plain.as_ref(), Ok(&value));
            let tree = parse_json(Source::new("a", &*text), &ParseLimits::default()).unwrap();
            prop_assert_eq!(&tree.root.to_value(), &value);
            let yaml = crate::parse_yaml(Source::new("a", format!("- {text}")), &ParseLimits::default());
            if let Ok(yaml) = yaml {
                prop_assert_eq!(&yaml.root.to_value()[0], &value);
            }
        }
    }

    #[test]
    fn what_we_accept_serde_accepts_with_the_same_meaning(text in "[\\[\\]{}:,\"\\\\a0-9.eE+ untrfals-]{0,24}") {
        if let Ok(ours) = parse_json_value(text.as_bytes(), &ParseLimits::ingress()) {
            let theirs: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_json_value(&bytes, &ParseLimits::ingress());
        let _ = parse_json_bytes("a", &bytes, &ParseLimits::ingress());
    }
}
