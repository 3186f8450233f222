use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{DataClass, Destination, Known, Labels, Movement, Rule, TokenKey, Verdict};

fn rule(classes: &[DataClass], to: &[&str], regions: &[&str], then: Verdict) -> Rule {
    let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Rule {
        classes: classes.iter().copied().collect(),
        to: texts(to),
        environments: BTreeSet::new(),
        regions: texts(regions),
        then,
    }
}

fn to(name: &str) -> Destination<'_> {
    Destination { name, environment: "sandbox", region: Some("eu") }
}

fn key() -> TokenKey {
    TokenKey::derive(&[7; 32], "sandbox", "default")
}

const NOTHING_OWN: &dyn Fn(&str, &Value) -> bool = &|_, _| false;

use DataClass::{Confidential, Internal, Personal, Public, Regulated};

/// Crm may have what is personal, chat gets it masked, analytics as tokens; nobody else gets anything.
fn policy() -> Movement {
    Movement::new(
        vec![
            rule(&[Public, Internal], &[], &[], Verdict::Allow),
            rule(&[Personal], &["crm"], &["eu"], Verdict::Allow),
            rule(&[Personal], &["chat"], &[], Verdict::Mask),
            rule(&[Personal], &["analytics"], &[], Verdict::Tokenise),
        ],
        Verdict::Deny,
    )
}

fn labels() -> Labels {
    let fields = [
        ("customer", Personal),
        ("customer.tier", Internal),
        ("items.*.sku", Public),
        ("items.*.for", Personal),
    ];
    Labels::new(fields, None)
}

fn case() -> Value {
    json!({
        "customer": {"email": "ada@example.com", "age": 36, "tier": "gold", "none": null},
        "items": [{"sku": "A-1", "for": "Grace"}, {"sku": "A-2", "for": "Grace"}],
    })
}

#[test]
fn a_field_passes_is_masked_or_becomes_a_token_by_where_it_goes() {
    let (policy, labels, known) = (policy(), labels(), Known::default());
    let send = |name| {
        let mut document = case();
        let sent =
            policy.send(&mut document, &[&labels], &known, NOTHING_OWN, &to(name), Some(&key()));
        sent.map(|sent| (document, sent))
    };
    assert_eq!(send("crm").unwrap().0, case());
    let (masked, sent) = send("chat").unwrap();
    let customer = json!({"email": "***", "age": null, "tier": "gold", "none": null});
    assert_eq!(masked["customer"], customer);
    assert_eq!(sent.masked, ["/customer/email", "/customer/age", "/items/0/for", "/items/1/for"]);
    let (tokens, sent) = send("analytics").unwrap();
    assert_eq!(tokens["items"][0]["for"], tokens["items"][1]["for"], "equality survives");
    assert_ne!(tokens["items"][0]["for"], tokens["customer"]["email"]);
    assert!(tokens["customer"]["age"].as_str().unwrap().starts_with("tok_"), "{tokens}");
    assert_eq!(sent.changed, 4);
    let other = TokenKey::derive(&[7; 32], "sandbox", "another");
    assert_ne!(other.token(&json!("Grace")), key().token(&json!("Grace")));
}

#[test]
fn what_nothing_allows_is_refused_with_its_places() {
    let (policy, labels, known) = (policy(), labels(), Known::default());
    let mut document = case();
    let denied = policy
        .send(&mut document, &[&labels], &known, NOTHING_OWN, &to("billing"), None)
        .unwrap_err();
    assert_eq!((denied.count, denied.class, denied.unlabelled), (4, Personal, false));
    assert!(denied.places.contains(&"/customer/email".to_owned()), "{denied:?}");
    // A region that is not known is none that a rule names.
    let nowhere = Destination { region: None, ..to("crm") };
    policy.send(&mut case(), &[&labels], &known, NOTHING_OWN, &nowhere, None).unwrap_err();
    // Without a key there are no tokens, and nothing goes in their place.
    let denied = policy
        .send(&mut case(), &[&labels], &known, NOTHING_OWN, &to("analytics"), None)
        .unwrap_err();
    assert!(denied.no_key);
}

#[test]
fn what_has_no_label_counts_as_the_highest_class_that_is_named() {
    let (policy, known) = (policy(), Known::default());
    assert_eq!(policy.highest(), Personal);
    let mut document = json!({"text": "hello"});
    policy.send(&mut document, &[], &known, NOTHING_OWN, &to("crm"), None).unwrap();
    policy.send(&mut document, &[], &known, NOTHING_OWN, &to("chat"), None).unwrap();
    assert_eq!(document["text"], "***");
    let denied = policy.send(&mut json!({"n": 1}), &[], &known, NOTHING_OWN, &to("x"), None);
    assert!(denied.unwrap_err().unlabelled);
    // What the release itself says is no data.
    let own: &dyn Fn(&str, &Value) -> bool = &|at, it| at == "/text" && it == "fixed";
    policy.send(&mut json!({"text": "fixed"}), &[], &known, own, &to("x"), None).unwrap();
    assert_eq!(
        Movement::new(vec![rule(&[], &[], &[], Verdict::Allow)], Verdict::Deny).highest(),
        Regulated
    );
}

#[test]
fn a_value_keeps_the_class_under_which_it_came_in() {
    let (policy, labels) = (policy(), labels());
    let mut known = Known::default();
    known.learn(&case(), &[&labels]);
    let harmless = Labels::new([], Some(Internal));
    let text = json!({"text": "escalated by ada@example.com today"});
    let mut sent = text.clone();
    policy.send(&mut sent, &[&harmless], &known, NOTHING_OWN, &to("chat"), None).unwrap();
    assert_eq!(sent["text"], "***");
    policy.send(&mut text.clone(), &[&harmless], &known, NOTHING_OWN, &to("x"), None).unwrap_err();
}

#[test]
fn a_blob_goes_whole_or_not_at_all() {
    let blob = || json!({"file": {"blob": "a1", "size": 7, "mediaType": "image/png"}});
    let (policy, known) = (policy(), Known::default());
    let labels = Labels::new([("file", Personal)], None);
    let send = |name| {
        let mut document = blob();
        let sent =
            policy.send(&mut document, &[&labels], &known, NOTHING_OWN, &to(name), Some(&key()));
        sent.map(|_| document)
    };
    assert_eq!(send("crm").unwrap(), blob());
    assert_eq!(send("chat").unwrap_err().places, ["/file"]);
    assert_eq!(send("analytics").unwrap_err().count, 1);
}

#[test]
fn a_later_rule_is_covered_by_a_wider_one() {
    let wide = rule(&[Personal, Regulated], &[], &[], Verdict::Deny);
    assert!(wide.covers(&rule(&[Personal], &["crm"], &["eu"], Verdict::Allow)));
    assert!(!wide.covers(&rule(&[], &["crm"], &[], Verdict::Allow)));
    assert!(!rule(&[], &["crm"], &[], Verdict::Allow).covers(&wide));
}

#[test]
fn known_values_are_taken_out_of_texts_in_every_spelling() {
    let mut known = Known::default();
    let labels = Labels::new([("name", Personal), ("tiny", Personal), ("case", Internal)], None);
    known.learn(&json!({"name": "Ada \"L\" Ö", "tiny": "a", "case": "CASE-1"}), &[&labels]);
    let said = r#"Ada "L" Ö, {"n": "Ada \"L\" Ö"}, /c/Ada%20%22L%22%20%C3%96?q=a of CASE-1"#;
    assert_eq!(known.redact(said), r#"***, {"n": "***"}, /c/***?q=a of CASE-1"#);
    let mut value = json!({"a Ada \"L\" Ö": ["Ada \"L\" Ö", 1]});
    known.redact_value(&mut value);
    assert_eq!(value, json!({"a ***": ["***", 1]}));
}

#[test]
fn more_values_than_can_be_remembered_mask_everything() {
    let items: Vec<Value> = (0..2_100).map(|n| json!(format!("person {n}"))).collect();
    let mut known = Known::default();
    known.learn(&json!({ "all": items }), &[&Labels::new([("all", Personal)], None)]);
    assert_eq!(known.redact("anything"), "***");
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-d]{5,9}".prop_map(Value::from),
        (10_000..99_999u32).prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[x-z]", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// All texts and numbers, each with the class that the labels give it, worked out by another way.
fn leaves(value: &Value, path: &mut Vec<String>, on: &mut dyn FnMut(&[String], String)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                path.push(name.clone());
                leaves(field, path, on);
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                path.push("*".to_owned());
                leaves(item, path, on);
                path.pop();
            }
        }
        Value::String(text) => on(path, text.clone()),
        Value::Number(number) => on(path, number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

proptest! {
    /// However documents and labels look: nothing sensitive reaches who may not have it, by any way through the policy.
    #[test]
    fn nothing_sensitive_reaches_who_may_not_have_it(
        incoming in documents(),
        fields in proptest::collection::btree_map("[xyz*](\\.[xyz*]){0,2}", 0usize..5, 0..6),
        rest in proptest::option::of(0usize..5),
        then in 1usize..4,
    ) {
        let class = |index: usize| DataClass::ALL[index];
        let named: Vec<(&str, DataClass)> =
            fields.iter().map(|(path, index)| (path.as_str(), class(*index))).collect();
        let labels = Labels::new(named.iter().copied(), rest.map(class));
        let then = [Verdict::Allow, Verdict::Mask, Verdict::Tokenise, Verdict::Deny][then];
        let policy = Movement::new(
            vec![
                rule(&[Public, Internal], &[], &[], Verdict::Allow),
                rule(&[Confidential, Personal, Regulated], &[], &[], then),
            ],
            Verdict::Deny,
        );
        let mut known = Known::default();
        known.learn(&incoming, &[&labels]);
        let mut sent = incoming.clone();
        let result = policy.send(&mut sent, &[&labels], &known, NOTHING_OWN, &to("x"), Some(&key()));
        let of = |path: &[String]| {
            // The deepest named field on the way, a name before `*`.
            let (mut at, mut found) = (String::new(), rest.map(class));
            let mut prefixes = vec![String::new()];
            for step in path {
                let mut further = Vec::new();
                for prefix in &prefixes {
                    for way in [step.as_str(), "*"] {
                        let next = if prefix.is_empty() { way.to_owned() } else { format!("{prefix}.{way}") };
                        let there = named.iter().any(|(name, _)| *name == next || name.starts_with(&format!("{next}.")));
                        if there && further.is_empty() {
                            further.push(next);
                        }
                    }
                }
                prefixes = further;
                if let Some(next) = prefixes.first() {
                    at.clone_from(next);
                    if let Some((_, class)) = named.iter().find(|(name, _)| *name == at) {
                        found = Some(*class);
                    }
                }
            }
            found
        };
        let mut sensitive = BTreeSet::new();
        leaves(&incoming, &mut Vec::new(), &mut |path, text| {
            if of(path).unwrap_or(Regulated) >= Confidential {
                sensitive.insert(text);
            }
        });
        match result {
            Ok(_) => leaves(&sent, &mut Vec::new(), &mut |_, text| {
                assert!(text.starts_with("tok_") || !sensitive.contains(&text), "{text} in {sent}");
            }),
            Err(denied) => prop_assert!(denied.count > 0 && !sensitive.is_empty() || then == Verdict::Deny),
        }
    }
}
