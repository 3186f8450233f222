//! The laws hold for contracts and steps that are made together, whatever they are; and a step that is taken away, or is
//! slightly another one, is found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use qc_contract::Schema;
use qc_expression::Expression;
use qc_version::{
    Chain, Direction, Fill, Jq, Move, Path, Step, Words,
    laws::{Law, Link},
};
use serde_json::{Map, Value, json};

/// A contract as a list of fields; nothing else is allowed.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    required: bool,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Text,
    Whole,
    Word(Vec<String>),
    List(Vec<Field>),
    Group(Vec<Field>),
}

fn schema(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let value = match &field.kind {
                Kind::Text => json!({"type": "string"}),
                Kind::Whole => json!({"type": "integer"}),
                Kind::Word(words) => json!({"enum": words}),
                Kind::List(inner) => json!({"type": "array", "items": schema(inner)}),
                Kind::Group(inner) => schema(inner),
            };
            (field.name.clone(), value)
        })
        .collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
    json!({
        "type": "object", "additionalProperties": false, "properties": properties, "required": required,
    })
}

fn compiled(fields: &[Field]) -> Schema {
    Schema::compile(&schema(fields), &BTreeMap::<String, String>::new()).unwrap()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// What may change between two versions.
#[derive(Debug, Clone, Copy)]
enum Change {
    Rename,
    Group,
    Default,
    Drop,
    Map,
    Bump,
}

/// Makes the change at one of the fields, and the step that belongs to it. `number` makes new names new.
fn change(
    fields: &mut Vec<Field>,
    what: Change,
    at: usize,
    number: usize,
    above: &str,
) -> Option<Step> {
    let here = at % fields.len().max(1);
    if above.is_empty()
        && let Some(field) = fields.get_mut(here)
        && let Kind::List(inner) = &mut field.kind
    {
        // A change inside of a list, in each of its items.
        let above = format!(".{}[]", field.name);
        return change(inner, what, at / 2, number, &above);
    }
    let index = here;
    let fresh = format!("n{number}");
    match what {
        Change::Rename => {
            let field = fields.get_mut(index)?;
            let old = std::mem::replace(&mut field.name, fresh.clone());
            let (from, to) = (format!("{above}.{old}"), format!("{above}.{fresh}"));
            Some(Step::Rename(Move::new(path(&from), path(&to)).unwrap()))
        }
        Change::Group => {
            let field = fields.get(index)?.clone();
            let (from, to) =
                (format!("{above}.{}", field.name), format!("{above}.{fresh}.{}", field.name));
            fields[index] = Field {
                name: fresh,
                required: field.required,
                // Going up the group is there only when the field is.
                kind: Kind::Group(vec![Field { required: true, ..field }]),
            };
            Some(Step::Rename(Move::new(path(&from), path(&to)).unwrap()))
        }
        Change::Default => {
            let words = vec!["low".to_owned(), "high".to_owned()];
            fields.push(Field { name: fresh.clone(), required: true, kind: Kind::Word(words) });
            let at = path(&format!("{above}.{fresh}"));
            Some(Step::Default(Fill::new(at, Some(json!("high"))).unwrap()))
        }
        Change::Drop => {
            let field = fields.get(index)?.clone();
            let restore = match &field.kind {
                Kind::Text => json!(""),
                Kind::Whole => json!(0),
                Kind::Word(words) => json!(words[0]),
                Kind::List(_) => json!([]),
                Kind::Group(_) => return None,
            };
            fields.remove(index);
            let at = path(&format!("{above}.{}", field.name));
            Some(Step::Drop(Fill::new(at, field.required.then_some(restore)).unwrap()))
        }
        Change::Map => {
            let field = fields.get_mut(index)?;
            let Kind::Word(words) = &mut field.kind else { return None };
            let renamed: BTreeMap<String, String> = words
                .iter()
                .enumerate()
                .map(|(at, word)| (word.clone(), format!("w{number}{at}")))
                .collect();
            *words = renamed.values().cloned().collect();
            let at = path(&format!("{above}.{}", field.name));
            Some(Step::Map(Words::new(at, renamed, None).unwrap()))
        }
        Change::Bump => {
            let field = fields.get(index)?;
            // An item of a list may be missing with its list, and then there is no number.
            let always = above.is_empty() && field.required && field.kind == Kind::Whole;
            let place = always.then(|| format!(".{}", field.name))?;
            let jq = |text: &str| Expression::parse(text, &[]).unwrap();
            Some(Step::Jq(Jq::new(
                jq(&format!("{place} += 1")),
                jq(&format!("{place} -= 1")),
                vec![],
            )))
        }
    }
}

fn field() -> impl Strategy<Value = (bool, Kind)> {
    let words = prop::collection::btree_set("[a-f]{2,4}", 1..4);
    let plain = prop_oneof![
        Just(Kind::Text),
        Just(Kind::Whole),
        words.prop_map(|words| Kind::Word(words.into_iter().collect())),
    ]
    .boxed();
    let inner = prop::collection::vec((any::<bool>(), plain.clone()), 1..4);
    let list = inner.prop_map(|fields| Kind::List(named(fields, "i")));
    (any::<bool>(), prop_oneof![3 => plain, 1 => list])
}

fn named(fields: Vec<(bool, Kind)>, stem: &str) -> Vec<Field> {
    let numbered = fields.into_iter().enumerate();
    numbered
        .map(|(at, (required, kind))| Field { name: format!("{stem}{at}"), required, kind })
        .collect()
}

fn changes() -> impl Strategy<Value = Vec<(Change, usize)>> {
    let what = prop_oneof![
        Just(Change::Rename),
        Just(Change::Group),
        Just(Change::Default),
        Just(Change::Drop),
        Just(Change::Map),
        Just(Change::Bump),
    ];
    prop::collection::vec((what, 0usize..32), 1..6)
}

/// The steps of the changes, and the contract that they lead to.
fn evolve(
    fields: &[Field],
    changes: &[(Change, usize)],
    number: &mut usize,
) -> (Vec<Field>, Vec<Step>) {
    let mut newer = fields.to_vec();
    let steps = changes.iter().filter_map(|(what, at)| {
        *number += 1;
        change(&mut newer, *what, *at, *number, "")
    });
    let steps: Vec<Step> = steps.collect();
    (newer, steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn steps_that_fit_their_contracts_keep_the_laws(
        fields in prop::collection::vec(field(), 1..6),
        first in changes(),
        second in changes(),
    ) {
        let oldest = named(fields, "f");
        let mut number = 0;
        let (middle, one) = evolve(&oldest, &first, &mut number);
        let (newest, two) = evolve(&middle, &second, &mut number);
        let all = [compiled(&oldest), compiled(&middle), compiled(&newest)];
        let mut ends = Vec::new();
        for (at, steps) in [(0, &one), (1, &two)] {
            let link = Link { older: &all[at], newer: &all[at + 1], steps };
            let (older, newer) = (link.documents(Direction::Up, &[]), link.documents(Direction::Down, &[]));
            prop_assert!(!older.is_empty() && !newer.is_empty());
            prop_assert_eq!(link.check(&older, &newer), vec![]);
            ends.push((older, newer));
        }
        let chain = Chain::new([("1".into(), one), ("2".into(), two), ("3".into(), vec![])]);
        for document in &ends[0].0 {
            let up = chain.convert(document.clone(), 0, 2).unwrap();
            prop_assert!(all[2].admits(&up), "{document} became {up}");
        }
        for document in &ends[1].1 {
            let down = chain.convert(document.clone(), 2, 0).unwrap();
            prop_assert!(all[0].admits(&down), "{document} became {down}");
        }
    }

    #[test]
    fn a_step_that_is_missing_is_found(
        fields in prop::collection::vec(field(), 1..6),
        changes in changes(),
        which in 0usize..16,
    ) {
        let older = named(fields, "f");
        let (newer, mut steps) = evolve(&older, &changes, &mut 0);
        prop_assume!(!steps.is_empty());
        let gone = steps.remove(which % steps.len());
        // What moves a number by one leaves no trace in what is valid.
        prop_assume!(!matches!(gone, Step::Jq(_)));
        let (older, newer) = (compiled(&older), compiled(&newer));
        let link = Link { older: &older, newer: &newer, steps: &steps };
        let broken = link.check(
            &link.documents(Direction::Up, &[]),
            &link.documents(Direction::Down, &[]),
        );
        // A change may be undone by a later one: then nothing is missing.
        let still_fits = link.documents(Direction::Up, &[]).into_iter().all(|document| {
            let chain = Chain::new([("1".into(), steps.clone()), ("2".into(), vec![])]);
            chain.convert(document, 0, 1).is_ok_and(|up| newer.admits(&up))
        });
        let comes_down = link.documents(Direction::Down, &[]).into_iter().all(|document| {
            let chain = Chain::new([("1".into(), steps.clone()), ("2".into(), vec![])]);
            chain.convert(document, 1, 0).is_ok_and(|down| older.admits(&down))
        });
        prop_assert_eq!(broken.is_empty(), still_fits && comes_down, "without {}", gone);
        if matches!(gone, Step::Default(_)) && changes.len() == 1 {
            prop_assert!(!broken.is_empty());
        }
    }
}

fn fields(list: &[(&str, bool, Kind)]) -> Vec<Field> {
    list.iter()
        .map(|(name, required, kind)| Field {
            name: (*name).into(),
            required: *required,
            kind: kind.clone(),
        })
        .collect()
}

fn words(list: &[&str]) -> Kind {
    Kind::Word(list.iter().map(|word| (*word).to_owned()).collect())
}

/// The breaks of one link whose documents are sampled.
fn broken(
    older: &[Field],
    newer: &[Field],
    steps: &[Step],
) -> Vec<(Option<usize>, Law, Direction, String)> {
    let (older, newer) = (compiled(older), compiled(newer));
    let link = Link { older: &older, newer: &newer, steps };
    let found =
        link.check(&link.documents(Direction::Up, &[]), &link.documents(Direction::Down, &[]));
    found.into_iter().map(|one| (one.step, one.law, one.direction, one.detail)).collect()
}

#[test]
fn each_kind_of_slip_is_found_at_its_step() {
    let older = fields(&[("name", true, Kind::Text), ("tier", true, words(&["gold", "silver"]))]);
    let group = Kind::Group(fields(&[("name", true, Kind::Text)]));
    let newer = fields(&[
        ("customer", true, group),
        ("tier", true, words(&["premium", "basic"])),
        ("severity", true, words(&["low", "high"])),
    ]);
    let rename = |to| Step::Rename(Move::new(path(".name"), path(to)).unwrap());
    let fill = |value| Step::Default(Fill::new(path(".severity"), Some(value)).unwrap());
    let map = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned()));
        Step::Map(Words::new(path(".tier"), pairs.collect(), None).unwrap())
    };
    let whole = [("gold", "premium"), ("silver", "basic")];
    let right = [rename(".customer.name"), fill(json!("high")), map(&whole)];
    assert_eq!(broken(&older, &newer, &right), []);

    let wrong_place = [rename(".customer.nam"), fill(json!("high")), map(&whole)];
    let found = broken(&older, &newer, &wrong_place);
    assert!(found.iter().any(|one| (one.0, one.1) == (Some(0), Law::Valid)), "{found:?}");

    let wrong_value = [rename(".customer.name"), fill(json!("urgent")), map(&whole)];
    let found = broken(&older, &newer, &wrong_value);
    assert_eq!(found[0].0, Some(1), "{found:?}");
    assert!(found[0].3.contains("/severity"), "{found:?}");

    let forgotten_word = [rename(".customer.name"), fill(json!("high")), map(&whole[..1])];
    let found = broken(&older, &newer, &forgotten_word);
    assert_eq!(
        (found[0].0, found[0].1, found[0].2),
        (Some(2), Law::Valid, Direction::Up),
        "{found:?}"
    );

    let nothing_for_severity = [rename(".customer.name"), map(&whole)];
    let found = broken(&older, &newer, &nothing_for_severity);
    assert_eq!((found[0].0, found[0].2), (None, Direction::Up), "{found:?}");
}

#[test]
fn an_expression_that_does_not_come_back_is_found_unless_it_says_so() {
    let older = fields(&[("text", true, words(&["Ab", "cd"]))]);
    let newer = fields(&[("text", true, words(&["ab", "cd"]))]);
    let jq = |text: &str| Expression::parse(text, &[]).unwrap();
    let step = |loses: Vec<Path>| Step::Jq(Jq::new(jq(".text |= ascii_downcase"), jq("."), loses));
    let found = broken(&older, &newer, &[step(vec![])]);
    assert!(found.iter().any(|one| one.1 == Law::Returns && one.3.contains("/text")), "{found:?}");
    // What comes back is not what the older contract takes: saying that it is lost does not make it valid.
    let found = broken(&older, &newer, &[step(vec![path(".text")])]);
    assert!(found.iter().all(|one| one.1 == Law::Valid) && !found.is_empty(), "{found:?}");
}

#[test]
fn a_contract_that_closes_is_found_by_a_field_that_nobody_declared() {
    let open =
        Schema::compile(&json!({"type": "object"}), &BTreeMap::<String, String>::new()).unwrap();
    let closed = json!({"type": "object", "additionalProperties": false});
    let closed = Schema::compile(&closed, &BTreeMap::<String, String>::new()).unwrap();
    let link = Link { older: &open, newer: &closed, steps: &[] };
    let found = link.check(&link.documents(Direction::Up, &[]), &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].law, Law::Valid);
}
