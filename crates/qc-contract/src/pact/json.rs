//! JSON bodies.

use serde_json::{Map, Value};

use super::Difference;
use super::body::Allowance;
use super::path::Step;
use super::rules::{Matcher, Matchers, Part, Rules, Variant, escaped};
use super::values::{are_alike, are_equal, check, unequal};
use crate::mismatch::kind;

/// Most differences that are looked for.
const DIFFERENCE_LIMIT: usize = 200;

pub(super) fn compare(
    expected: &Value,
    actual: &Value,
    rules: &Rules,
    allowance: Allowance,
    found: &mut Vec<Difference>,
) {
    let mut comparing = Comparing { rules, allowance, place: Vec::new(), found: Vec::new() };
    comparing.value(expected, actual);
    found.extend(comparing.found);
}

struct Comparing<'r> {
    rules: &'r Rules,
    allowance: Allowance,
    place: Vec<Step>,
    found: Vec<Difference>,
}

impl<'r> Comparing<'r> {
    fn differs(&mut self, message: impl Into<String>) {
        if self.found.len() < DIFFERENCE_LIMIT {
            self.found.push(Difference::new(pointer(&self.place), message));
        }
    }

    fn best(&self) -> Option<(&'r Matchers, bool)> {
        self.rules.best(Part::Body, &self.place)
    }

    fn below(&mut self, step: Step, expected: &Value, actual: &Value) {
        self.place.push(step);
        self.value(expected, actual);
        self.place.pop();
    }

    fn value(&mut self, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => self.object(expected, actual),
            (Value::Array(expected), Value::Array(actual)) => self.array(expected, actual),
            _ => match self.best() {
                Some((matchers, is_inherited)) => {
                    for why in check(matchers, is_inherited, expected, actual) {
                        self.differs(why);
                    }
                    // A matcher of text says nothing about a list where an object was expected.
                    let is_container = expected.is_object() || expected.is_array();
                    if is_container && is_inherited && !are_alike(expected, actual) {
                        self.differs(format!(
                            "must be {}, but is {}",
                            kind(expected),
                            kind(actual)
                        ));
                    }
                }
                None if !are_equal(expected, actual) => self.differs(unequal(expected, actual)),
                None => {}
            },
        }
    }

    fn object(&mut self, expected: &Map<String, Value>, actual: &Map<String, Value>) {
        let matchers = self.best();
        let all = matchers.map_or(&[][..], |(matchers, _)| &matchers.all);
        let is_inherited = matchers.is_some_and(|(_, is_inherited)| is_inherited);
        if all.iter().any(|matcher| matches!(matcher, Matcher::Equality)) {
            if !are_equal(&Value::Object(expected.clone()), &Value::Object(actual.clone())) {
                self.differs("must be the expected object");
            }
            return;
        }
        if !is_inherited
            && all.iter().any(|matcher| matches!(matcher, Matcher::NotEmpty))
            && actual.is_empty()
        {
            self.differs("must not be empty");
        }
        if !is_inherited && all.iter().any(is_about_entries) {
            self.entries(all, expected, actual);
            return;
        }
        let has_wildcard = self.rules.has_wildcard_below(Part::Body, &self.place);
        if expected.is_empty()
            && !actual.is_empty()
            && self.allowance == Allowance::Exact
            && matchers.is_none()
        {
            self.differs("must be empty");
            return;
        }
        let example = expected.values().next();
        for (name, wanted) in expected {
            match actual.get(name) {
                Some(given) => self.below(Step::Name(name.clone()), wanted, given),
                None if has_wildcard => {}
                None => self.differs(format!("`{name}` is missing")),
            }
        }
        for (name, given) in actual.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            match example {
                // The rule is for whatever fields there are; the first one is the example.
                Some(example) if has_wildcard && self.allowance == Allowance::Exact => {
                    self.below(Step::Name(name.clone()), example, given);
                }
                _ if has_wildcard || self.allowance == Allowance::More => {}
                _ => self.differs(format!("`{}` is not expected", short(name))),
            }
        }
    }

    /// Objects whose names are data.
    fn entries(
        &mut self,
        all: &[Matcher],
        expected: &Map<String, Value>,
        actual: &Map<String, Value>,
    ) {
        for matcher in all {
            match matcher {
                Matcher::Values => {
                    for (name, given) in actual {
                        let example = expected.get(name).or_else(|| expected.values().next());
                        if let Some(example) = example {
                            self.below(Step::Name(name.clone()), example, given);
                        }
                    }
                }
                Matcher::EachKey(inner) => {
                    let matchers = Matchers { any: false, all: inner.clone() };
                    let example = expected
                        .keys()
                        .next()
                        .map_or(Value::Null, |name| Value::from(name.as_str()));
                    for name in actual.keys() {
                        let why = check(&matchers, false, &example, &Value::from(name.as_str()));
                        if let Some(why) = why.first() {
                            self.differs(format!("the name `{}` {why}", short(name)));
                        }
                    }
                }
                Matcher::EachValue(inner) => {
                    let matchers = Matchers { any: false, all: inner.clone() };
                    for (name, given) in actual {
                        let example = expected.get(name).or_else(|| expected.values().next());
                        let example = example.unwrap_or(given);
                        self.each_value(&matchers, Step::Name(name.clone()), example, given);
                    }
                }
                _ => {}
            }
        }
    }

    fn each_value(&mut self, matchers: &Matchers, step: Step, example: &Value, given: &Value) {
        self.place.push(step);
        for why in check(matchers, false, example, given) {
            self.differs(why);
        }
        let is_nested = matches!(
            (example, given),
            (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_))
        );
        if is_nested {
            self.value(example, given);
        }
        self.place.pop();
    }

    fn array(&mut self, expected: &[Value], actual: &[Value]) {
        let Some((matchers, is_inherited)) = self.best() else {
            return self.plain_array(expected, actual);
        };
        if matchers.all.iter().any(|matcher| matches!(matcher, Matcher::Equality)) {
            if !are_equal(&Value::from(expected), &Value::from(actual)) {
                self.differs("must be the expected list");
            }
            return;
        }
        let variants = matchers.all.iter().find_map(|matcher| match matcher {
            Matcher::ArrayContains(variants) => Some(variants),
            _ => None,
        });
        if let Some(variants) = variants.filter(|_| !is_inherited) {
            return self.contains(variants, expected, actual);
        }
        for why in check(matchers, is_inherited, &Value::from(expected), &Value::from(actual)) {
            self.differs(why);
        }
        let each = matchers.all.iter().find_map(|matcher| match matcher {
            Matcher::EachValue(inner) if !is_inherited => {
                Some(Matchers { any: false, all: inner.clone() })
            }
            _ => None,
        });
        for (at, given) in actual.iter().enumerate() {
            let Some(example) = expected.get(at).or_else(|| expected.first()) else { break };
            match &each {
                Some(each) => self.each_value(each, Step::Index(at), example, given),
                None => self.below(Step::Index(at), example, given),
            }
        }
    }

    fn plain_array(&mut self, expected: &[Value], actual: &[Value]) {
        if expected.len() != actual.len() {
            let message = format!("must have {} items, but has {}", expected.len(), actual.len());
            self.differs(message);
        }
        for (at, (wanted, given)) in expected.iter().zip(actual).enumerate() {
            self.below(Step::Index(at), wanted, given);
        }
    }

    /// Each variant must be somewhere in the list.
    fn contains(&mut self, variants: &[Variant], expected: &[Value], actual: &[Value]) {
        for (at, variant) in variants.iter().enumerate() {
            let Some(example) = expected.get(variant.example) else { continue };
            let is_there = actual.iter().any(|given| {
                let mut found = Vec::new();
                compare(example, given, &variant.rules, self.allowance, &mut found);
                found.is_empty()
            });
            if !is_there {
                self.differs(format!("no item is as variant {at} expects"));
            }
        }
    }
}

fn is_about_entries(matcher: &Matcher) -> bool {
    matches!(matcher, Matcher::Values | Matcher::EachKey(_) | Matcher::EachValue(_))
}

fn short(name: &str) -> String {
    if name.chars().count() <= 64 {
        name.to_owned()
    } else {
        name.chars().take(63).collect::<String>() + "…"
    }
}

pub(super) fn pointer(place: &[Step]) -> String {
    let mut pointer = String::from("/body");
    for step in place {
        pointer.push('/');
        match step {
            Step::Name(name) => pointer.push_str(&escaped(name)),
            Step::Index(at) => pointer.push_str(&at.to_string()),
            Step::Element(names, at) => {
                let name = names.first().map_or("", String::as_str);
                pointer.push_str(&escaped(name));
                if *at > 0 {
                    pointer.push('[');
                    pointer.push_str(&at.to_string());
                    pointer.push(']');
                }
            }
        }
    }
    pointer
}
