//! Pairs of contracts that are made here: operators change documents at every place where they fit, and each says by
//! what it does to the wire what must be told of it. Nothing here looks at how the comparison works.
//!
//! `cargo test -p qc-contract --test corpus -- --nocapture` prints recall and precision for each operator.

mod events;
mod operations;
mod real;
mod schemas;
mod sites;

use std::collections::BTreeMap;
use std::rc::Rc;

use qc_contract::{
    AsyncApi, Comparison, Day, Level, Mode, OpenApi, Options, Profile, SchemaDocument, Verdict,
    compare, compare_events, compare_schemas,
};
use serde_json::Value;

/// Which way the payload of a place travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Request,
    Response,
}

impl Way {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// What a change is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Area {
    Request,
    Response,
    Event,
    Authentication,
    Errors,
    Limits,
    Defaults,
    Schema,
}

/// What must be told of a pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Label {
    /// Nothing changed.
    Nothing,
    /// Whatever is told, nothing breaks.
    Harmless,
    /// This rule, at this level, and nothing heavier.
    Told { level: &'static str, rule: String },
}

impl Label {
    pub(crate) fn nothing() -> Self {
        Self::Nothing
    }

    pub(crate) fn told(level: &str, rule: &str) -> Self {
        let level = Level::ALL.iter().map(|level| level.as_str()).find(|known| *known == level);
        Self::Told { level: level.expect("is a level"), rule: rule.to_owned() }
    }

    fn is_breaking(&self) -> bool {
        matches!(self, Self::Told { level: "breaking", .. })
    }

    /// Whether the comparison says just that.
    fn is_met(&self, comparison: &Comparison) -> bool {
        match self {
            Self::Nothing => comparison.changes.is_empty(),
            Self::Harmless => comparison.verdict < Verdict::Breaking,
            Self::Told { level, rule } => {
                // What is said about the version number follows from the rest.
                let own =
                    comparison.changes.iter().filter(|one| !one.rule.id.starts_with("version-"));
                own.clone().next().is_some_and(|first| first.level.as_str() == *level)
                    && own.clone().any(|one| one.rule.id == *rule && one.level.as_str() == *level)
            }
        }
    }
}

/// What the documents of a pair are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    OpenApi,
    AsyncApi,
    Schema(Mode),
}

/// A labelled pair.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) operator: &'static str,
    pub(crate) area: Area,
    pub(crate) kind: Kind,
    pub(crate) old: Rc<Value>,
    pub(crate) new: Rc<Value>,
    pub(crate) label: Label,
}

impl Pair {
    pub(crate) fn new(
        operator: &'static str,
        area: Area,
        old: &Value,
        new: &Value,
        label: Label,
    ) -> Self {
        let (old, new) = (Rc::new(old.clone()), Rc::new(new.clone()));
        Self { operator, area, kind: Kind::OpenApi, old, new, label }
    }

    pub(crate) fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    fn compared(&self) -> Comparison {
        let profile = Profile::default();
        let options = Options { profile: &profile, today: Day::parse("2026-11-27") };
        let files =
            |document: &Value| BTreeMap::from([("a.json".to_owned(), document.to_string())]);
        let both = (files(&self.old), files(&self.new));
        match self.kind {
            Kind::OpenApi => {
                let load = |files| OpenApi::load(files, "a.json").0.expect("is read");
                compare(&load(&both.0), &load(&both.1), options)
            }
            Kind::AsyncApi => {
                let load = |files| AsyncApi::load(files, "a.json").0.expect("is read");
                compare_events(&load(&both.0), &load(&both.1), options)
            }
            Kind::Schema(mode) => {
                let load = |files| SchemaDocument::load(files, "a.json").expect("is read");
                compare_schemas(&load(&both.0), &load(&both.1), mode, options)
            }
        }
    }
}

/// A document with one edit: the value comes to the pointer, or what is there goes.
pub(crate) fn edited(document: &Value, pointer: &str, value: Option<&Value>) -> Value {
    let mut document = document.clone();
    let (above, name) = pointer.rsplit_once('/').expect("is below something");
    let name = name.replace("~1", "/").replace("~0", "~");
    let above = document.pointer_mut(above).unwrap_or_else(|| panic!("no {pointer}"));
    match (above, value) {
        (Value::Object(map), Some(value)) => {
            map.insert(name, value.clone());
        }
        (Value::Object(map), None) => {
            map.shift_remove(&name).unwrap_or_else(|| panic!("no {pointer}"));
        }
        (Value::Array(items), Some(value)) => {
            items[name.parse::<usize>().expect("index")] = value.clone();
        }
        _ => panic!("nothing below {pointer}"),
    }
    document
}

/// A share; pairs are thousands, not billions.
fn ratio(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let ratio = part as f64 / whole as f64;
    ratio
}

/// How an operator did.
#[derive(Default)]
struct Tally {
    pairs: usize,
    /// Pairs of which just the label was said.
    met: usize,
    /// Pairs that break, and those of them of which it was said.
    breaking: (usize, usize),
    /// Pairs that break nothing of which the opposite was said.
    false_alarms: usize,
}

impl Tally {
    fn add(&mut self, pair: &Pair, comparison: &Comparison) -> bool {
        let is_met = pair.label.is_met(comparison);
        let is_called = comparison.verdict == Verdict::Breaking;
        self.pairs += 1;
        self.met += usize::from(is_met);
        if pair.label.is_breaking() {
            self.breaking.0 += 1;
            self.breaking.1 += usize::from(is_called);
        } else {
            self.false_alarms += usize::from(is_called);
        }
        is_met
    }

    fn row(&self, name: &str) -> String {
        let called = self.breaking.1 + self.false_alarms;
        let share = |part: usize, whole: usize| match whole {
            0 => "   -  ".to_owned(),
            whole => format!("{:5.1} %", 100.0 * ratio(part, whole)),
        };
        format!(
            "{name:34} {:5} pairs, rule and level {}, recall {}, precision {}",
            self.pairs,
            share(self.met, self.pairs),
            share(self.breaking.1, self.breaking.0),
            share(self.breaking.1, called),
        )
    }
}

/// Compares all pairs, prints how it went, and holds the floors: every break is found, no break is made up, and rule
/// and level are the labelled ones in this share.
fn hold(title: &str, pairs: &[Pair], fewest: usize, floor: f64) {
    let mut operators: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut areas: BTreeMap<Area, Tally> = BTreeMap::new();
    let mut all = Tally::default();
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for pair in pairs {
        let comparison = pair.compared();
        operators.entry(pair.operator).or_default().add(pair, &comparison);
        areas.entry(pair.area).or_default().add(pair, &comparison);
        if !all.add(pair, &comparison) {
            let got = comparison.changes.iter().take(4);
            let got: Vec<String> = got
                .map(|one| {
                    format!(
                        "{} {} at {} ({})",
                        one.level, one.rule.id, one.new.pointer, one.message
                    )
                })
                .collect();
            let told = format!("{:?}, got {got:#?}", pair.label);
            wrong.entry(pair.operator).or_default().push(told);
        }
    }
    println!("# {title}");
    for (name, tally) in &operators {
        println!("{}", tally.row(name));
    }
    for (area, tally) in &areas {
        println!("{}", tally.row(&format!("{area:?}")));
    }
    println!("{}", all.row("all"));
    for (operator, told) in &wrong {
        println!("{operator}: {} not as labelled, such as {}", told.len(), told[0]);
    }
    assert!(all.pairs >= fewest, "{title}: {} pairs, {fewest} are wanted", all.pairs);
    assert_eq!(all.breaking.0, all.breaking.1, "{title}: a break is not called one");
    assert_eq!(all.false_alarms, 0, "{title}: what breaks nothing is called a break");
    let share = ratio(all.met, all.pairs);
    assert!(share >= floor, "{title}: {share:.4} as labelled, {floor} is wanted");
}

fn bases() -> [Value; 3] {
    [include_str!("bank.json"), include_str!("courier.json"), include_str!("../compare/shop.json")]
        .map(|text| sites::inlined(&serde_json::from_str(text).expect("is JSON")))
}

#[test]
fn schemas_of_apis() {
    let pairs: Vec<Pair> = bases().iter().flat_map(sites::pairs).collect();
    for area in [Area::Request, Area::Response, Area::Errors, Area::Event] {
        let count = pairs.iter().filter(|pair| pair.area == area).count();
        assert!(count >= 20, "{area:?}: {count}");
    }
    hold("schemas of APIs", &pairs, 1_000, 1.0);
}

#[test]
fn what_is_around_schemas() {
    let [bank, courier, _] = bases();
    let pairs: Vec<Pair> = [bank, courier].iter().flat_map(operations::pairs).collect();
    for area in [
        Area::Request,
        Area::Response,
        Area::Errors,
        Area::Authentication,
        Area::Limits,
        Area::Defaults,
    ] {
        let count = pairs.iter().filter(|pair| pair.area == area).count();
        assert!(count >= 20, "{area:?}: {count}");
    }
    hold("around schemas", &pairs, 200, 1.0);
}

#[test]
fn schemas_of_registries() {
    let pairs: Vec<Pair> = bases()[..1].iter().flat_map(sites::registry_pairs).collect();
    hold("JSON Schemas", &pairs, 200, 1.0);
}

#[test]
fn events_over_channels() {
    hold("AsyncAPI", &events::pairs(), 300, 1.0);
}

#[test]
fn schemas_of_real_apis() {
    let Some(bases) = real::bases() else { return };
    let pairs: Vec<Pair> = bases.iter().flat_map(sites::pairs).collect();
    hold("schemas of real APIs", &pairs, 500, 0.98);
}
