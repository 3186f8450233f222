use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{CoverOptions, Covers, Draft, canonical, covers, normalise::normalise};

fn asked(sup: &Value, sub: &Value) -> Covers {
    covers(sup, sub, CoverOptions::default())
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(schema)
        .expect("a schema of the tests is valid")
}

/// Checks both ways: `sub` is covered, and the answer the other way round is a witness that the validators confirm.
fn strictly_within(sub: &Value, sup: &Value) {
    assert_eq!(asked(sup, sub), Covers::Yes, "{sub} within {sup}");
    refused(sub, sup);
}

/// `sup` admits something that `sub` does not.
fn refused(sub: &Value, sup: &Value) {
    let Covers::No { witness: Some(witness) } = asked(sub, sup) else {
        panic!("{sub} must not cover {sup}, but: {:?}", asked(sub, sup));
    };
    assert!(validator(sup).is_valid(&witness), "{witness} fits {sup}");
    assert!(!validator(sub).is_valid(&witness), "{witness} does not fit {sub}");
}

#[test]
fn numbers_are_compared_by_range_and_step() {
    strictly_within(&json!({"type": "integer"}), &json!({"type": "number"}));
    strictly_within(&json!({"minimum": 5}), &json!({"minimum": 4.5}));
    strictly_within(&json!({"exclusiveMinimum": 5}), &json!({"minimum": 5}));
    strictly_within(&json!({"multipleOf": 6}), &json!({"multipleOf": 3}));
    let four = json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5});
    strictly_within(&four, &json!({"type": "integer", "multipleOf": 2}));
    strictly_within(
        &json!({"type": "integer", "multipleOf": 2, "not": {"multipleOf": 3}}),
        &json!({"multipleOf": 2}),
    );
    let halves = json!({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "type": "number"});
    strictly_within(&halves, &json!({"multipleOf": 12}));
    let nothing = json!({"type": "number", "minimum": 3, "exclusiveMaximum": 3});
    assert_eq!(asked(&json!(false), &nothing), Covers::Yes);
    // Validators that divide binary fractions disagree about it.
    let unsure = asked(&json!({"multipleOf": 0.3}), &json!({"type": "number", "multipleOf": 3}));
    assert!(matches!(unsure, Covers::Unknown { .. }), "{unsure:?}");
}

#[test]
fn texts_are_compared_by_length_and_expression() {
    strictly_within(&json!({"minLength": 5}), &json!({"minLength": 4}));
    strictly_within(&json!({"pattern": "^ab$"}), &json!({"maxLength": 2}));
    strictly_within(&json!({"pattern": "^ba+b$"}), &json!({"pattern": "b.*b"}));
    strictly_within(&json!({"pattern": "^[0-9]{3}$"}), &json!({"minLength": 3, "maxLength": 3}));
    strictly_within(
        &json!({"enum": ["a", "b"]}),
        &json!({"type": "string", "pattern": "^[ab]$|c"}),
    );
    strictly_within(&json!({"type": "string", "maxLength": 0}), &json!({"const": ""}).wrap());
    // It may match nothing, anywhere: surely not what was meant.
    let doubtful = asked(&json!({"pattern": "[A-Z]*"}), &json!({"pattern": "[a-z]*"}));
    assert!(matches!(doubtful, Covers::Unknown { .. }), "{doubtful:?}");
    let looking = json!({"type": "string", "pattern": "^(?!x)a"});
    assert_eq!(asked(&looking.clone().wrap(), &looking), Covers::Yes);
    refused(&looking, &json!({"type": "string"}));
}

trait Wrap {
    fn wrap(self) -> Value;
}

impl Wrap for Value {
    /// The same, and a little more: what is neither text nor number.
    fn wrap(self) -> Value {
        json!({"anyOf": [self, {"type": "boolean"}]})
    }
}

#[test]
fn arrays_are_compared_place_by_place() {
    let numbers = json!({"type": "array", "items": {"type": "integer"}});
    strictly_within(&numbers, &json!({"type": "array", "items": {"type": "number"}}));
    let pair = json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]});
    strictly_within(&pair, &json!({"type": "array", "prefixItems": [{"type": "number"}]}));
    let short = json!({"type": "array", "prefixItems": [true, true], "items": false});
    strictly_within(&short, &json!({"type": "array", "maxItems": 3}));
    strictly_within(
        &json!({"type": "array", "contains": {"const": 1}}),
        &json!({"type": "array", "minItems": 1}),
    );
    strictly_within(
        &json!({"type": "array", "contains": {"const": 1}, "minContains": 3}),
        &json!({"type": "array", "contains": {"type": "integer"}, "minContains": 2}),
    );
    let flags = json!({"type": "array", "items": {"type": "boolean"}, "uniqueItems": true});
    strictly_within(&flags, &json!({"type": "array", "maxItems": 2}));
    strictly_within(&json!({"type": "array", "maxItems": 1}), &json!({"uniqueItems": true}));
    strictly_within(
        &json!({"type": "array", "items": {"const": 1}, "maxContains": 1, "contains": {"const": 1}}),
        &json!({"type": "array", "minItems": 1, "maxItems": 1}),
    );
}

#[test]
fn objects_are_compared_field_by_field() {
    let closed = json!({
        "type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false
    });
    strictly_within(&closed, &json!({"type": "object", "properties": {"a": {"type": "number"}}}));
    strictly_within(&closed, &json!({"type": "object", "maxProperties": 1}));
    strictly_within(&json!({"required": ["a", "b"]}), &json!({"required": ["a"]}));
    strictly_within(
        &json!({"type": "object", "required": ["a", "b"]}),
        &json!({"type": "object", "minProperties": 2}),
    );
    strictly_within(
        &json!({"patternProperties": {"^x": {"type": "integer"}}}),
        &json!({"properties": {"xy": {"type": "number"}}}),
    );
    strictly_within(
        &json!({"propertyNames": {"minLength": 3}}),
        &json!({"propertyNames": {"minLength": 2}}),
    );
    strictly_within(
        &json!({"propertyNames": {"enum": ["a", "b"]}, "type": "object"}),
        &json!({"type": "object", "maxProperties": 2}),
    );
    strictly_within(
        &json!({"type": "object", "dependentRequired": {"a": ["b", "c"]}}),
        &json!({"type": "object", "dependentRequired": {"a": ["b"]}}),
    );
    strictly_within(
        &json!({"type": "object", "minProperties": 1, "additionalProperties": {"type": "null"}}),
        &json!({"anyOf": [{"required": ["z"]}, {"not": {"required": ["z"]}}], "type": "object"}),
    );
    // What no value can be, cannot be there.
    let never = json!({"type": "object", "properties": {"a": false}, "required": ["a"]});
    assert_eq!(asked(&json!(false), &never), Covers::Yes);
}

#[test]
fn combinations_are_taken_apart() {
    strictly_within(
        &json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        &json!({"type": "number"}),
    );
    strictly_within(
        &json!({"if": {"type": "string"}, "then": {"maxLength": 1}, "else": {"type": "integer"}}),
        &json!({"type": ["string", "number"]}),
    );
    let kinds = json!({"anyOf": [
        {"properties": {"k": {"const": "a"}}, "required": ["k", "x"]},
        {"properties": {"k": {"const": "b"}}, "required": ["k", "y"]}
    ], "type": "object"});
    strictly_within(&kinds, &json!({"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}));
    let all = json!({"anyOf": [{"type": "string"}, {"not": {"type": "string"}}]});
    assert_eq!(asked(&all, &json!(true)), Covers::Yes);
    assert_eq!(
        asked(&json!({"const": [1, {"a": 2}]}), &json!({"enum": [[1.0, {"a": 2}]]})),
        Covers::Yes
    );
}

#[test]
fn recursion_is_followed_to_its_end() {
    let list = |item: &str| {
        json!({
            "$ref": "#/$defs/list",
            "$defs": {"list": {"type": "object", "required": ["v"], "properties": {
                "v": {"type": item}, "next": {"$ref": "#/$defs/list"}
            }}}
        })
    };
    strictly_within(&list("integer"), &list("number"));
    // Without an end there is no value.
    let endless = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
    assert_eq!(asked(&json!(false), &endless), Covers::Yes);
    // Unrolled once, it is the same.
    let unrolled = json!({"type": "object", "properties": {"a": {
        "type": "object", "properties": {"a": {"$ref": "#"}}
    }}});
    let rolled = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
    assert_eq!(asked(&rolled, &unrolled), Covers::Yes);
    assert_eq!(asked(&unrolled, &rolled), Covers::Yes);
    // A definition that says nothing but itself has no meaning.
    let idle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [
        {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}
    ]}, "b": {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}}});
    assert!(matches!(asked(&json!({"type": "string"}), &idle), Covers::Unknown { .. }));
    // One that doubles itself at each step is not followed through all its copies.
    let mut doubling = json!({"d0": {"type": "integer"}});
    for n in 1..40 {
        let below = json!({"$ref": format!("#/$defs/d{}", n - 1)});
        doubling[format!("d{n}")] = json!({"anyOf": [below, {"not": {"not": below}}]});
    }
    let doubled = json!({"$ref": "#/$defs/d39", "$defs": doubling});
    assert_eq!(asked(&json!({"type": "number"}), &doubled), Covers::Yes);
}

#[test]
fn unevaluated_fields_depend_on_what_holds() {
    let sealed = json!({
        "type": "object",
        "allOf": [{"properties": {"a": {"type": "string"}}}],
        "anyOf": [{"properties": {"b": {"const": 1}}, "required": ["b"]}, {"required": ["a"]}],
        "unevaluatedProperties": false
    });
    strictly_within(&sealed, &json!({"propertyNames": {"enum": ["a", "b"]}}));
    let pairs = json!({
        "type": "array", "allOf": [{"prefixItems": [{"type": "null"}, true]}], "unevaluatedItems": false
    });
    strictly_within(&pairs, &json!({"type": "array", "maxItems": 2}));
    assert_eq!(asked(&sealed.clone(), &json!({"allOf": [sealed, true]})), Covers::Yes);
}

#[test]
fn drafts_and_openapi_are_brought_into_one_spelling() {
    let ask = |sup: Value, sub: Value, draft| {
        covers(&sup, &sub, CoverOptions { draft, formats: false, nullable: true })
    };
    let open = json!({"minimum": 3, "exclusiveMinimum": true});
    assert_eq!(
        ask(
            json!({"exclusiveMinimum": 3, "$schema": "http://json-schema.org/draft-07/schema#"}),
            open.clone(),
            Draft::Draft4
        ),
        Covers::Yes
    );
    assert!(matches!(ask(open, json!({"minimum": 3}), Draft::Draft4), Covers::No { .. }));
    let tuple = json!({"type": "array", "items": [{"type": "string"}], "additionalItems": false});
    assert_eq!(ask(json!({"maxItems": 1}), tuple.clone(), Draft::Draft7), Covers::Yes);
    // Beside `$ref`, draft 7 reads nothing.
    let beside = json!({"definitions": {"s": {"type": "string"}}, "$ref": "#/definitions/s", "type": "integer"});
    assert_eq!(ask(json!({"type": "string"}), beside.clone(), Draft::Draft7), Covers::Yes);
    assert_eq!(ask(json!(false), beside, Draft::Draft201909), Covers::Yes);
    let nullable = json!({"type": "string", "nullable": true});
    assert_eq!(
        ask(json!({"type": ["string", "null"]}), nullable.clone(), Draft::Draft4),
        Covers::Yes
    );
    assert!(matches!(ask(json!({"type": "string"}), nullable, Draft::Draft4), Covers::No { .. }));
    assert_eq!(ask(json!({"type": "string"}), json!({"enum": []}), Draft::Draft4), Covers::Yes);
    let named = json!({"$id": "https://x/y", "$defs": {"n": {"$anchor": "here", "type": "null"}}, "$ref": "#here"});
    assert_eq!(ask(json!({"type": "null"}), named, Draft::Draft202012), Covers::Yes);
}

#[test]
fn formats_count_when_they_are_told_to() {
    let dated = json!({"type": "string", "format": "date"});
    let text = json!({"type": "string"});
    let strict = CoverOptions { formats: true, ..CoverOptions::default() };
    assert_eq!(covers(&text, &dated, strict), Covers::Yes);
    assert!(matches!(covers(&dated, &text, strict), Covers::No { witness: Some(_) }));
    assert_eq!(asked(&dated, &text), Covers::Yes);
}

#[test]
fn what_cannot_be_decided_is_unknown() {
    let why = |sup: Value, sub: Value| match asked(&sup, &sub) {
        Covers::Unknown { why } => why,
        other => panic!("{other:?}"),
    };
    assert!(why(json!({"$ref": "#/nowhere"}), json!(true)).contains("reference"));
    assert!(why(json!({"$ref": "https://elsewhere/x"}), json!(true)).contains("reference"));
    assert!(why(json!({"type": 3}), json!(true)).contains("not valid"));
    assert!(why(json!("text"), json!(true)).contains("not valid"));
    let mut deep = json!({"type": "string"});
    for _ in 0..400 {
        deep = json!({"not": deep});
    }
    assert!(why(deep, json!(true)).contains("nested"));
}

/// Schemas made to be hard end within the limits, also on a small stack.
#[test]
fn hard_questions_end() {
    let wide: Vec<Value> = (0..60)
        .map(|n| json!({"anyOf": [{"required": [format!("a{n}")]}, {"required": [format!("b{n}")]}]}))
        .collect();
    let other: Vec<Value> =
        (0..60).map(|n| json!({"not": {"required": [format!("a{n}"), format!("b{n}")]}})).collect();
    let mut deep = json!({"type": "object"});
    for n in 0..100 {
        deep = json!({"type": "object", "required": ["x"], "properties": {"x": deep, "n": {"const": n}}});
    }
    let mut deeper = deep.clone();
    deeper["properties"]["n"] = json!({"type": "integer"});
    let hard = [
        (json!({"allOf": wide, "type": "object", "maxProperties": 30}), json!({"allOf": other})),
        (json!({"pattern": "^(a|b)*a(a|b){18}$"}), json!({"pattern": "^(a|b)*b(a|b){18}$"})),
        (deep, deeper),
        (json!({"minItems": 1_000_000_000}), json!({"minItems": 999_999_999})),
        (
            json!({"minLength": 1_000_000_000_u64}),
            json!({"pattern": "a$", "minLength": 999_999_999_u64}),
        ),
        (json!({"multipleOf": 1_000_003}), json!({"multipleOf": 1e-30})),
    ];
    for (sup, sub) in hard {
        for (sup, sub) in [(&sup, &sub), (&sub, &sup)] {
            if let Covers::No { witness: Some(witness) } = asked(sup, sub) {
                assert!(validator(sub).is_valid(&witness) && !validator(sup).is_valid(&witness));
            }
        }
    }
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(-1),
            json!(0),
            json!(1),
            json!(2),
            json!(3),
            json!(1.5),
            json!(6)
        ]),
        prop::sample::select(vec!["", "a", "b", "ab", "abc", "bb"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(vec!["a", "b", "ab"]), inner, 0..3)
                .prop_map(|map| Value::Object(
                    map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                )),
        ]
    })
}

fn simple_keyword() -> impl Strategy<Value = (String, Value)> {
    let count = || (0..4_u64).prop_map(Value::from);
    let number = || {
        prop::sample::select(vec![json!(-1), json!(0), json!(1), json!(1.5), json!(2), json!(3)])
    };
    let kind = || {
        prop::sample::select(vec![
            "string", "number", "integer", "boolean", "null", "array", "object",
        ])
    };
    let named = |name: &'static str, value: BoxedStrategy<Value>| {
        value.prop_map(move |value| (name.to_owned(), value)).boxed()
    };
    let names = || prop::sample::subsequence(vec!["a", "b", "ab"], 0..3);
    proptest::strategy::Union::new_weighted(vec![
        (4, named("type", kind().prop_map(Value::from).boxed())),
        (
            2,
            named(
                "type",
                prop::sample::subsequence(
                    vec!["string", "integer", "null", "array", "object"],
                    2..4,
                )
                .prop_map(|kinds| json!(kinds))
                .boxed(),
            ),
        ),
        (1, named("minimum", number().boxed())),
        (1, named("maximum", number().boxed())),
        (1, named("exclusiveMinimum", number().boxed())),
        (1, named("exclusiveMaximum", number().boxed())),
        (
            1,
            named(
                "multipleOf",
                prop::sample::select(vec![json!(1), json!(2), json!(3), json!(1.5)]).boxed(),
            ),
        ),
        (1, named("minLength", count().boxed())),
        (1, named("maxLength", count().boxed())),
        (
            1,
            named(
                "pattern",
                prop::sample::select(vec!["^a", "b$", "a", "^ab?$", "^(ab)*$", "[^a]"])
                    .prop_map(Value::from)
                    .boxed(),
            ),
        ),
        (1, named("minItems", count().boxed())),
        (1, named("maxItems", count().boxed())),
        (1, named("uniqueItems", any::<bool>().prop_map(Value::from).boxed())),
        (1, named("minContains", count().boxed())),
        (1, named("maxContains", count().boxed())),
        (1, named("minProperties", count().boxed())),
        (1, named("maxProperties", count().boxed())),
        (2, named("required", names().prop_map(|names| json!(names)).boxed())),
        (1, named("dependentRequired", names().prop_map(|names| json!({"a": names})).boxed())),
        (2, named("const", documents().boxed())),
        (
            2,
            named(
                "enum",
                prop::collection::vec(documents(), 1..4)
                    .prop_map(|mut all| {
                        all.sort_by_key(ToString::to_string);
                        all.dedup();
                        Value::from(all)
                    })
                    .boxed(),
            ),
        ),
    ])
}

fn schemas() -> impl Strategy<Value = Value> {
    let whole = |keywords: Vec<(String, Value)>| Value::Object(Map::from_iter(keywords));
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Value::from),
        9 => prop::collection::vec(simple_keyword(), 0..4).prop_map(whole),
    ];
    leaf.prop_recursive(3, 16, 3, move |inner| {
        let one = |name: &'static str, inner: BoxedStrategy<Value>| {
            inner.prop_map(move |value| (name.to_owned(), value)).boxed()
        };
        let list = prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from).boxed();
        let map = |names: Vec<&'static str>| {
            prop::collection::btree_map(prop::sample::select(names), inner.clone(), 1..3)
                .prop_map(|map| json!(map))
                .boxed()
        };
        let nested = proptest::strategy::Union::new_weighted(vec![
            (2, one("allOf", list.clone())),
            (2, one("anyOf", list.clone())),
            (2, one("oneOf", list.clone())),
            (2, one("not", inner.clone().boxed())),
            (1, one("if", inner.clone().boxed())),
            (1, one("then", inner.clone().boxed())),
            (1, one("else", inner.clone().boxed())),
            (1, one("items", inner.clone().boxed())),
            (1, one("prefixItems", list)),
            (1, one("contains", inner.clone().boxed())),
            (2, one("properties", map(vec!["a", "b"]))),
            (1, one("patternProperties", map(vec!["^a", "b$"]))),
            (1, one("additionalProperties", inner.clone().boxed())),
            (1, one("propertyNames", inner.clone().boxed())),
            (1, one("dependentSchemas", map(vec!["a"]))),
            (1, one("unevaluatedProperties", inner.clone().boxed())),
            (1, one("unevaluatedItems", inner.clone().boxed())),
        ]);
        let keywords =
            (prop::collection::vec(nested, 1..3), prop::collection::vec(simple_keyword(), 0..3));
        keywords.prop_map(move |(nested, simple)| whole(nested.into_iter().chain(simple).collect()))
    })
}

proptest! {
    #[test]
    fn no_document_contradicts_an_answer(
        sup in schemas(),
        sub in schemas(),
        documents in prop::collection::vec(documents(), 24),
    ) {
        let (wide, narrow) = (validator(&sup), validator(&sub));
        // Half of the time something that is surely related.
        let both = json!({"allOf": [sup, sub]});
        for (sub, narrow) in [(&sub, &narrow), (&both, &validator(&both))] {
            match asked(&sup, sub) {
                Covers::Yes => for document in &documents {
                    prop_assert!(
                        !narrow.is_valid(document) || wide.is_valid(document),
                        "{document} is admitted by {sub}, not by {sup}"
                    );
                },
                Covers::No { witness: Some(witness) } => {
                    prop_assert!(narrow.is_valid(&witness), "{witness} under {sub}");
                    prop_assert!(!wide.is_valid(&witness), "{witness} under {sup}");
                }
                Covers::No { witness: None } | Covers::Unknown { .. } => {}
            }
        }
        prop_assert!(!matches!(asked(&sup, &both), Covers::No { .. }), "{sup} covers {both}");
    }

    #[test]
    fn a_schema_covers_itself_however_it_is_wrapped(schema in schemas()) {
        prop_assert_eq!(asked(&schema, &schema), Covers::Yes);
        let wrapped = json!({"anyOf": [{"$ref": "#/$defs/it"}, false], "$defs": {"it": schema}});
        for (sup, sub) in [(&schema, &wrapped), (&wrapped, &schema)] {
            let refuses = matches!(asked(sup, sub), Covers::No { .. });
            prop_assert!(!refuses, "{sup} and {sub}");
        }
    }

    #[test]
    fn answers_do_not_contradict_one_another(
        one in schemas(), other in schemas(), third in schemas(),
    ) {
        let middle = json!({"anyOf": [one, other]});
        let widest = json!({"anyOf": [middle, third]});
        let chain = (asked(&middle, &one), asked(&widest, &middle), asked(&widest, &one));
        if chain.0 == Covers::Yes && chain.1 == Covers::Yes {
            prop_assert!(!matches!(chain.2, Covers::No { .. }), "{chain:?}");
        }
    }

    #[test]
    fn the_second_opinion_is_the_same(sup in schemas(), sub in schemas()) {
        let options = CoverOptions::default();
        let spelled = (normalise(&sup, options).expect("valid"), normalise(&sub, options).expect("valid"));
        let other = canonical::opinion(&spelled.0, &spelled.1, options);
        match (asked(&sup, &sub), other) {
            (Covers::Yes, Some(Covers::No { .. })) | (Covers::No { .. }, Some(Covers::Yes)) => {
                prop_assert!(false, "sup {sup} sub {sub}");
            }
            _ => {}
        }
    }
}

/// Most of what is asked gets an answer.
#[test]
fn few_questions_stay_open() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut asked_for, mut open) = (0, 0);
    for _ in 0..400 {
        let pair = (schemas(), schemas()).new_tree(&mut runner).expect("makes one").current();
        asked_for += 1;
        open += usize::from(matches!(asked(&pair.0, &pair.1), Covers::Unknown { .. }));
    }
    assert!(open * 20 < asked_for, "{open} of {asked_for} are open");
}
