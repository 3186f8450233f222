use std::time::Duration;

use super::*;
use crate::{Document, ParseLimits, parse_yaml};

fn document(text: &str) -> Document {
    parse_yaml(Source::new("demo.yaml", text), &ParseLimits::default()).expect("is YAML")
}

fn codes_of(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn every_problem_is_reported_at_once() {
    let document = document(
        "nmae: demo\ncount: 12\nmode: slw\nevery: 5 minutes\nsteps:\n  - {do: x}\n  - 3\nflag: \"true\"\nextra: {}\n",
    );
    let reader = Reader::new(&document.source);
    let mut top = reader.object(&document.root, "the demo").expect("is an object");
    assert_eq!(top.string("name"), None);
    assert_eq!(top.integer("count", 1..=10), None);
    assert_eq!(top.choice("mode", &[("slow", 1), ("fast", 2)]), None);
    assert_eq!(top.duration("every"), None);
    for mut step in top.objects("steps") {
        assert_eq!(step.string("do"), Some("x"));
        step.finish();
    }
    assert_eq!(top.optional_bool("flag"), None);
    top.finish();
    let findings = reader.finish();
    assert_eq!(
        codes_of(&findings),
        ["QC-Q013", "QC-Q012", "QC-Q015", "QC-Q015", "QC-Q015", "QC-Q014", "QC-Q014", "QC-Q012"]
    );
    assert_eq!(findings[1].help.as_deref(), Some("did you mean `name`?"));
    assert_eq!(findings[3].help.as_deref(), Some("did you mean `slow`?"));
    assert_eq!(findings[5].message, "`steps[1]` must be an object, but is a number");
    let lines: Vec<usize> =
        findings.iter().filter_map(|f| f.place.as_ref()).map(|p| p.line).collect();
    assert_eq!(lines, [1, 1, 2, 3, 4, 7, 8, 9]);
}

#[test]
fn good_files_have_no_findings() {
    let document = document(
        "every: 1m30s\nempty: null\nx-note: hi\nnamed:\n  a: {n: 1}\nwords: [p, q]\nset: 1\n",
    );
    let reader = Reader::new(&document.source);
    let mut top = reader.object(&document.root, "the demo").expect("is an object");
    assert_eq!(top.duration("every"), Some(Duration::from_secs(90)));
    assert_eq!(top.optional_string("empty"), None);
    assert_eq!(top.with_prefix("x-").len(), 1);
    for (name, mut inner) in top.named_objects("named") {
        assert_eq!((&*name.name, inner.integer("n", 0..=1)), ("a", Some(1)));
        inner.finish();
    }
    let words: Vec<&str> = top.strings("words").into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, ["p", "q"]);
    assert_eq!(top.exactly_one(&["call", "set"]).map(|(key, _)| key), Some("set"));
    top.finish();
    assert_eq!(reader.finish(), []);
}

#[test]
fn one_of_several_keys() {
    let document = document("both: {set: 1, call: 2}\nnone: {}\n");
    let reader = Reader::new(&document.source);
    let mut top = reader.object(&document.root, "the demo").expect("is an object");
    let mut both = top.object("both").expect("is an object");
    assert_eq!(both.exactly_one(&["call", "set"]).map(|(key, _)| key), Some("set"));
    both.finish();
    let mut none = top.object("none").expect("is an object");
    assert!(none.exactly_one(&["call", "set"]).is_none());
    none.finish();
    top.finish();
    assert_eq!(codes_of(&reader.finish()), ["QC-Q016", "QC-Q013"]);
}

#[test]
fn findings_are_bounded() {
    let lines: Vec<String> = (0..2000).map(|n| format!("k{n}: 1")).collect();
    let text = lines.join("\n");
    let document = document(&text);
    let reader = Reader::new(&document.source);
    let top = reader.object(&document.root, "the demo").expect("is an object");
    top.finish();
    let findings = reader.finish();
    assert_eq!(findings.len(), FINDING_LIMIT + 1);
    assert!(findings[FINDING_LIMIT].message.starts_with("1500 further"));
}
