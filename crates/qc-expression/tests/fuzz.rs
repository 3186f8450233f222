//! Random programs never panic, overflow the stack, or pass their limits.

mod programs;

use proptest::prelude::*;
use qc_expression::{EvalError, Expression, Limits, Scope, functions};
use serde_json::{Value, json};

use programs::{Dice, program};

const LIMITS: Limits = Limits { fuel: 20_000, bytes: 256 * 1024, depth: u32::MAX };

fn input() -> Value {
    json!({"a": [1, "x", null, {"b": [true, 2.5]}], "b": {"a": 1}, "c": "text,more"})
}

fn evaluate(source: &str) -> Option<Result<Value, EvalError>> {
    let expression = Expression::parse(source, &["v", "w", "x"]).ok()?;
    let (v, w) = (json!([3, 1, 2]), json!("w"));
    let scope = Scope { variables: &[&v, &w, &v], now_ms: 1_700_000_000_123, limits: LIMITS };
    let _ = expression.evaluate_all(&input(), &scope, 100);
    Some(expression.evaluate(&input(), &scope))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_stay_within_their_limits(seed in any::<u64>()) {
        let source = program(&mut Dice::new(seed), &functions());
        if let Some(Ok(value)) = evaluate(&source) {
            let text = value.to_string();
            prop_assert!(text.len() <= 8 * LIMITS.bytes, "{source}");
            // What is given can be read again, and is the same.
            let again: Value = serde_json::from_str(&text).expect("the result is JSON");
            prop_assert_eq!(again.to_string(), text);
        }
        prop_assert_eq!(evaluate(&source), evaluate(&source), "the same twice: {}", source);
    }

    #[test]
    fn random_text_is_read_or_refused(source in "[ -~é\n]{0,60}") {
        let _ = Expression::parse(&source, &["v"]);
        let _ = Expression::parse_field(&format!("${{ {source} }}"), &["v"]);
    }

    #[test]
    fn broken_programs_are_read_or_refused(seed in any::<u64>(), at in any::<usize>(), with in "[\\[\\](){}|\"\\\\.;:$@?/ a-f0-9]{0,3}") {
        let mut source = program(&mut Dice::new(seed), &functions());
        let mut at = at % (source.len() + 1);
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        source.insert_str(at, &with);
        if let Err(error) = Expression::parse(&source, &["v", "w", "x"]) {
            prop_assert!(error.range.end <= source.len(), "{source}: {error:?}");
            prop_assert!(source.get(error.range.clone()).is_some(), "{source}: {error:?}");
        }
    }

    #[test]
    fn sorting_is_an_order(items in proptest::collection::vec(number(), 0..30)) {
        let sort = Expression::parse("sort as $s | [range(1; $s | length) | $s[. - 1] <= $s[.]] | all", &[]).expect("valid");
        let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
        prop_assert_eq!(sort.evaluate(&Value::Array(items), &scope), Ok(json!(true)));
    }

    #[test]
    fn entries_and_text_go_and_return(map in proptest::collection::btree_map("[a-c]{0,3}", number(), 0..8)) {
        let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
        let value = json!(map);
        for source in ["to_entries | from_entries", "tojson | fromjson", ". as $o | reduce keys[] as $k ({}; .[$k] = $o[$k])",
            "with_entries(.)", "[leaf_paths as $p | [$p, getpath($p)]] as $all | reduce $all[] as [$p, $v] ({}; setpath($p; $v))",
            "@json | fromjson"] {
            let expression = Expression::parse(source, &[]).expect(source);
            prop_assert_eq!(expression.evaluate(&value, &scope), Ok(value.clone()), "{}", source);
        }
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        (-1e20..1e20f64).prop_map(|number| json!(number)),
        (9_007_199_254_740_990i64..9_007_199_254_740_999).prop_map(|number| json!(number)),
        Just(json!(9_007_199_254_740_992.0)),
        "[a-d]{0,3}".prop_map(|text| json!(text)),
        Just(json!(null)),
    ]
}
