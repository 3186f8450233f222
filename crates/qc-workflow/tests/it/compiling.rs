//! What the compiler says about names, scopes and expressions.

use qc_model::Severity;

use crate::driver::{errors_of, findings_of, shown};

#[test]
fn flow_targets_are_of_the_same_list() {
    assert_eq!(errors_of("\ndo:\n  - a: { set: { x: 1 }, then: b }\n"), ["QC-W005"]);
    let body =
        "\ndo:\n  - a: { do: [ b: { set: { x: 1 }, then: c } ] }\n  - c: { set: { x: 1 } }\n";
    assert_eq!(errors_of(body), ["QC-W005"]);
    let body = "\ndo:\n  - a: { fork: { branches: [ b: { set: { x: 1 }, then: c }, c: { set: { x: 1 } } ] } }\n";
    assert_eq!(errors_of(body), ["QC-W005"]);
    let findings = findings_of("\ndo:\n  - first: { set: { x: 1 }, then: frist }\n");
    assert_eq!(findings[0].help.as_deref(), Some("did you mean `first`?"));
}

#[test]
fn expressions_see_only_what_has_a_value_there() {
    for body in [
        "\ninput: { from: $context }\ndo:\n  - a: { set: { x: 1 } }\n",
        "\ndo:\n  - a: { if: $input.x, set: { x: 1 } }\n",
        "\ndo:\n  - a: { set: { x: '${ $output }' } }\n",
        "\ndo:\n  - a: { set: { x: '${ $item }' } }\n",
        "\ndo:\n  - a: { set: { x: '${ $authorization }' } }\n",
        "\noutput: { as: $task }\ndo:\n  - a: { set: { x: 1 } }\n",
    ] {
        let errors = errors_of(body);
        assert_eq!(errors.len(), 1, "{body}: {errors:?}");
        assert!(errors[0].starts_with("QC-E"), "{body}: {errors:?}");
    }
}

#[test]
fn the_place_of_a_bad_expression_is_inside_it() {
    let findings = findings_of("\ndo:\n  - a: { set: { x: '${ .a + $nope }' } }\n");
    let place = findings[0].place.as_ref().expect("a place");
    assert_eq!((place.line, place.column), (4, 29), "{}", shown(&findings));
}

#[test]
fn references_are_resolved() {
    for body in [
        "\ndo:\n  - a: { raise: { error: nope } }\n",
        "\ndo:\n  - a: { try: [ b: { set: { x: 1 } } ], catch: { retry: nope } }\n",
        "\ndo:\n  - a: { call: http, with: { method: get, endpoint: { uri: 'https://x', authentication: { use: nope } } } }\n",
    ] {
        assert_eq!(errors_of(body), ["QC-W006"], "{body}");
    }
}

#[test]
fn variables_have_usable_names() {
    for each in ["context", "9a", "'a-b'", "index"] {
        let body = format!(
            "\ndo:\n  - a: {{ for: {{ each: {each}, in: '[1]' }}, do: [ b: {{ set: {{ x: 1 }} }} ] }}\n"
        );
        assert_eq!(errors_of(&body), ["QC-W014"], "{each}");
    }
}

#[test]
fn endpoints_are_absolute_and_simple() {
    for uri in
        ["/relative", "ftp://x/", "https://", "https://x/{a.b", "https://x/{+a}", "https://x/{a*}"]
    {
        let body =
            format!("\ndo:\n  - a: {{ call: http, with: {{ method: get, endpoint: '{uri}' }} }}\n");
        assert_eq!(errors_of(&body), ["QC-W017"], "{uri}");
    }
}

#[test]
fn schemas_must_compile() {
    let body =
        "\ninput: { schema: { document: { type: objekt } } }\ndo:\n  - a: { set: { x: 1 } }\n";
    assert_eq!(errors_of(body), ["QC-W019"]);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let body = "
do:
  - a: { call: http, with: { method: post, endpoint: 'https://x.example', body: { id: .id, e: $context.x, plain: 'a.b', host: .example.com/x } } }
";
    let findings = findings_of(body);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["QC-W021", "QC-W022", "QC-W022"], "{}", shown(&findings));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn an_openapi_operation_that_is_not_there_is_reported_at_the_call() {
    let body = "
do:
  - a: { call: openapi, with: { document: { endpoint: missing.yaml }, operationId: get } }
";
    let findings = findings_of(body);
    let finding = findings.iter().find(|f| f.code.as_str() == "QC-C999").expect("the finding");
    assert_eq!(finding.place.as_ref().map(|place| place.line), Some(4));
}
