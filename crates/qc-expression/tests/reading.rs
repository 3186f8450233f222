//! Reading: errors with their places, fields, templates, variables.

use qc_expression::{EvalError, Expression, Limits, Scope, Template, codes};
use serde_json::{Value, json};

fn scope<'a>(variables: &'a [&'a Value]) -> Scope<'a> {
    Scope { variables, now_ms: 0, limits: Limits::default() }
}

#[test]
fn errors_say_where_and_what_to_do() {
    let error = Expression::parse("1 + $contxt.a", &["context"]).expect_err("unknown");
    assert_eq!((error.code.clone(), error.range.clone()), (codes::UNKNOWN_VARIABLE, 4..11));
    assert_eq!(error.help.as_deref(), Some("did you mean `$context`?"));
    let error = Expression::parse(". | lenght", &[]).expect_err("unknown");
    assert_eq!((error.code.clone(), error.range.clone()), (codes::UNKNOWN_FUNCTION, 4..10));
    assert_eq!(error.help.as_deref(), Some("did you mean `length`?"));
    let error = Expression::parse("map(1; 2)", &[]).expect_err("arity");
    assert!(error.message.contains("takes 1 arguments"), "{}", error.message);
    let error = Expression::parse("[1, 2", &[]).expect_err("open");
    assert_eq!((error.code.clone(), error.range.clone()), (codes::SYNTAX, 5..5));
    let error = Expression::parse("test(\"(\")", &[]).expect_err("regex");
    assert_eq!((error.code.clone(), error.range.clone()), (codes::BAD_REGEX, 5..8));
    for source in [
        "1 +",
        ".a.",
        "{a:}",
        "if . then",
        "\"abc",
        "\"\\q\"",
        "\"\\ud800\"",
        ")",
        "1 2",
        "a b",
        ". as x | .",
        "{(1)}",
        "1 < 2 < 3",
        "$",
        "@",
        "é",
        ".[",
        "reduce . as $x (1)",
        "def f 1; f",
        "break",
        "1 as $x",
        "&",
        "def f: 1;",
        "try",
        "..a",
        "{\"a\\(1)\"}",
        "01x",
    ] {
        let error = Expression::parse(source, &[]).expect_err(source);
        assert_eq!(error.code, codes::SYNTAX, "{source}");
        assert!(error.range.end <= source.len() && error.range.start <= error.range.end);
    }
    assert_eq!(
        Expression::parse("break $x", &[]).expect_err("no label").code,
        codes::UNKNOWN_VARIABLE
    );
    assert_eq!(
        Expression::parse("@nope", &[]).expect_err("no format").code,
        codes::UNKNOWN_FUNCTION
    );
    // A definition that nobody calls is checked as well.
    assert_eq!(
        Expression::parse("def f: $x; 1", &[]).expect_err("unbound").code,
        codes::UNKNOWN_VARIABLE
    );
}

#[test]
fn fields_take_both_forms() {
    for source in [".a", "${ .a }", "  ${.a}  "] {
        let expression = Expression::parse_field(source, &[]).expect(source);
        assert_eq!(expression.evaluate(&json!({"a": 1}), &scope(&[])), Ok(json!(1)));
        assert_eq!(expression.source().trim(), ".a");
    }
    let error = Expression::parse_field("${ $x }", &[]).expect_err("unbound");
    assert_eq!(error.range, 3..5);
}

#[test]
fn variables_are_slots_and_their_use_is_known() {
    let expression = Expression::parse("1 as $b | $a + $b", &["a", "b", "c"]).expect("valid");
    assert!(expression.uses("a") && !expression.uses("b") && !expression.uses("c"));
    let (one, two) = (json!(1), json!(2));
    assert_eq!(expression.evaluate(&Value::Null, &scope(&[&two, &one, &one])), Ok(json!(3)));
    assert_eq!(
        expression.evaluate(&Value::Null, &scope(&[&two])),
        Err(EvalError::MissingVariable { name: "b".into() })
    );
}

#[test]
fn one_output_is_the_rule() {
    let eval = |source: &str| {
        Expression::parse(source, &[]).expect(source).evaluate(&json!([1, 2]), &scope(&[]))
    };
    assert_eq!(eval("empty"), Err(EvalError::NoOutput));
    assert_eq!(eval(".[]"), Err(EvalError::ManyOutputs));
    assert_eq!(eval("error({a: 1})"), Err(EvalError::Raised { value: json!({"a": 1}) }));
    assert_eq!(eval("error(\"x\")").expect_err("raised").code(), codes::RAISED);
    assert_eq!(eval(".a").expect_err("failed").code(), codes::FAILED);
    let all = Expression::parse(".[]", &[]).expect("valid");
    assert_eq!(all.evaluate_all(&json!([1, 2]), &scope(&[]), 2), Ok(vec![json!(1), json!(2)]));
    assert_eq!(
        all.evaluate_all(&json!([1, 2]), &scope(&[]), 1),
        Err(EvalError::TooManyOutputs { max: 1 })
    );
    let test = |source: &str| {
        Expression::parse(source, &[]).expect(source).test(&Value::Null, &scope(&[]))
    };
    assert_eq!((test("null"), test("false"), test("0")), (Ok(false), Ok(false), Ok(true)));
}

#[test]
fn templates_report_every_problem_with_its_pointer() {
    let value = json!({"a": "Hello ${ .x }", "b/c": ["${ $y }", "${ .ok }", "${ .a }-${ .b }"], "d": "plain $x"});
    let problems = Template::parse(&value, &["x"]).expect_err("three problems");
    let found: Vec<_> =
        problems.iter().map(|(pointer, error)| (pointer.as_str(), error.code.clone())).collect();
    assert_eq!(
        found,
        [
            ("/a", codes::PARTIAL_INTERPOLATION),
            ("/b~1c/0", codes::UNKNOWN_VARIABLE),
            ("/b~1c/2", codes::PARTIAL_INTERPOLATION),
        ]
    );
    assert!(problems[0].1.help.as_deref().is_some_and(|help| help.contains("\\(.name)")));
}

#[test]
fn templates_keep_constants_and_evaluate_the_rest() {
    let constant = Template::parse(&json!({"a": [1, "x", {"b": null}]}), &[]).expect("valid");
    assert!(constant.is_constant());
    let template = Template::parse(&json!({"a": ["${ $v }", "x"], "b": "${ \"${\" }"}), &["v"])
        .expect("valid");
    assert!(!template.is_constant() && template.uses("v") && !template.uses("w"));
    let v = json!({"k": 1});
    assert_eq!(
        template.evaluate(&Value::Null, &scope(&[&v])),
        Ok(json!({"a": [{"k": 1}, "x"], "b": "${"}))
    );
}

#[test]
fn an_expression_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Expression>();
    shared::<Template>();
}
