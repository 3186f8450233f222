//! XML bodies: elements by name and place among those of the same name, attributes, text. Names are compared with
//! their namespaces, prefixes do not matter.

use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::Difference;
use super::body::Allowance;
use super::json::pointer;
use super::path::Step;
use super::rules::{Matcher, Matchers, Part, Rules};
use super::values::{check_all_text, in_bounds};

/// Most nodes of one document, and its deepest nesting.
const NODE_LIMIT: u32 = 200_000;
const DEPTH_LIMIT: usize = 200;
/// Most differences that are looked for.
const DIFFERENCE_LIMIT: usize = 200;

pub(super) fn compare(
    expected: &str,
    actual: &str,
    rules: &Rules,
    allowance: Allowance,
    found: &mut Vec<Difference>,
) {
    let parse = |text| {
        let options = ParsingOptions { nodes_limit: NODE_LIMIT, ..ParsingOptions::default() };
        Document::parse_with_options(text, options)
    };
    let wanted = match parse(expected) {
        Ok(wanted) => wanted,
        Err(error) => {
            found.push(Difference::new("/body", format!("the expected body is not XML: {error}")));
            return;
        }
    };
    match parse(actual) {
        Ok(given) => {
            let mut comparing =
                Comparing { rules, allowance, place: Vec::new(), found: Vec::new() };
            let (wanted, given) = (wanted.root_element(), given.root_element());
            comparing.place.push(step(wanted, 0));
            comparing.element(wanted, given);
            found.extend(comparing.found);
        }
        Err(error) => found.push(Difference::new("/body", format!("is not XML: {error}"))),
    }
}

/// The names under which a rule may speak of an element or an attribute.
fn names(local: &str, namespace: Option<&str>, prefix: Option<&str>) -> Vec<String> {
    let mut names = vec![local.to_owned()];
    names.extend(prefix.map(|prefix| format!("{prefix}:{local}")));
    names.extend(namespace.map(|namespace| format!("{namespace}:{local}")));
    names
}

fn step(node: Node<'_, '_>, at: usize) -> Step {
    let name = node.tag_name();
    let prefix = name.namespace().and_then(|uri| node.lookup_prefix(uri));
    Step::Element(names(name.name(), name.namespace(), prefix), at)
}

struct Comparing<'r> {
    rules: &'r Rules,
    allowance: Allowance,
    place: Vec<Step>,
    found: Vec<Difference>,
}

type Grouped<'a, 'd> = BTreeMap<(String, String), Vec<Node<'a, 'd>>>;

impl<'r> Comparing<'r> {
    fn differs(&mut self, message: impl Into<String>) {
        if self.found.len() < DIFFERENCE_LIMIT {
            self.found.push(Difference::new(pointer(&self.place), message));
        }
    }

    fn best(&self) -> Option<(&'r Matchers, bool)> {
        self.rules.best(Part::Body, &self.place)
    }

    fn element(&mut self, expected: Node<'_, '_>, actual: Node<'_, '_>) {
        if self.place.len() > DEPTH_LIMIT {
            self.differs("is nested too deeply");
            return;
        }
        if expected.tag_name() != actual.tag_name() {
            self.differs(format!("must be the element `{}`", expected.tag_name().name()));
            return;
        }
        self.attributes(expected, actual);
        self.children(expected, actual);
        self.text(expected, actual);
    }

    fn attributes(&mut self, expected: Node<'_, '_>, actual: Node<'_, '_>) {
        for attribute in expected.attributes() {
            let name = attribute.name();
            let same = |other: &roxmltree::Attribute<'_, '_>| {
                other.name() == name && other.namespace() == attribute.namespace()
            };
            let Some(given) = actual.attributes().find(same) else {
                self.differs(format!("the attribute `{name}` is missing"));
                continue;
            };
            let prefix = attribute.namespace().and_then(|uri| expected.lookup_prefix(uri));
            let names = names(name, attribute.namespace(), prefix);
            let names = names.into_iter().map(|name| format!("@{name}")).collect();
            self.place.push(Step::Element(names, 0));
            self.compare_text(attribute.value(), given.value());
            self.place.pop();
        }
        if self.allowance == Allowance::More {
            return;
        }
        for attribute in actual.attributes() {
            let same = |other: &roxmltree::Attribute<'_, '_>| {
                other.name() == attribute.name() && other.namespace() == attribute.namespace()
            };
            if !expected.attributes().any(|other| same(&other)) {
                self.differs(format!("the attribute `{}` is not expected", attribute.name()));
            }
        }
    }

    fn children(&mut self, expected: Node<'_, '_>, actual: Node<'_, '_>) {
        let (wanted, given) = (grouped(expected), grouped(actual));
        let rule = self.best();
        let lists = rule.is_some_and(|(matchers, _)| matchers.all.iter().any(is_about_lists));
        if let Some((matchers, false)) = rule {
            let count = actual.children().filter(Node::is_element).count();
            for matcher in &matchers.all {
                if let Matcher::Type { min, max } = matcher
                    && let Err(why) = in_bounds(count, *min, *max)
                {
                    self.differs(why);
                }
            }
        }
        for (name, wanted) in &wanted {
            let none = Vec::new();
            let given = given.get(name).unwrap_or(&none);
            self.group(wanted, given, lists);
        }
        for ((_, name), given) in given.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            // Where a rule speaks of the children, what it does not know is wrong even if more is allowed.
            let is_covered = lists && !expected.has_children();
            if !is_covered && (lists || self.allowance == Allowance::Exact) {
                let count = given.len();
                self.differs(format!("{count} elements `{name}` are not expected"));
            }
        }
    }

    /// The children of one name.
    fn group(&mut self, wanted: &[Node<'_, '_>], given: &[Node<'_, '_>], lists: bool) {
        let Some(first) = wanted.first() else { return };
        self.place.push(step(*first, 0));
        let own = self.best().is_some_and(|(matchers, _)| matchers.all.iter().any(is_about_lists));
        self.place.pop();
        let is_free = lists || own;
        let name = first.tag_name().name().to_owned();
        if given.is_empty() || (!is_free && given.len() < wanted.len()) {
            let message =
                format!("must have {} elements `{name}`, but has {}", wanted.len(), given.len());
            self.differs(message);
        }
        if !is_free && given.len() > wanted.len() && self.allowance == Allowance::Exact {
            let message =
                format!("must have {} elements `{name}`, but has {}", wanted.len(), given.len());
            self.differs(message);
        }
        for (at, node) in given.iter().enumerate() {
            let example = match wanted.get(at) {
                Some(own) => *own,
                None if is_free => *first,
                None => break,
            };
            self.place.push(step(example, at));
            self.element(example, *node);
            self.place.pop();
        }
    }

    fn text(&mut self, expected: Node<'_, '_>, actual: Node<'_, '_>) {
        let (wanted, given) = (own_text(expected), own_text(actual));
        self.place.push(Step::Name("#text".to_owned()));
        self.compare_text(&wanted, &given);
        self.place.pop();
    }

    fn compare_text(&mut self, wanted: &str, given: &str) {
        let is_text = self.place.last() == Some(&Step::Name("#text".to_owned()));
        match self.best() {
            // An element without text has none to check.
            Some(_) if is_text && wanted.is_empty() && given.is_empty() => {}
            Some((matchers, is_inherited)) => {
                let own = Matchers {
                    any: matchers.any,
                    all: matchers
                        .all
                        .iter()
                        .filter(|one| !is_inherited || !is_about_lists(one))
                        .cloned()
                        .collect(),
                };
                for why in check_all_text(&own, wanted, given) {
                    self.differs(why);
                }
            }
            None if wanted != given => {
                self.differs(format!(
                    "must be `{}`",
                    Value::from(wanted).as_str().unwrap_or_default()
                ));
            }
            None => {}
        }
    }
}

/// Rules that make a list of what they speak about.
fn is_about_lists(matcher: &Matcher) -> bool {
    matches!(matcher, Matcher::Type { .. } | Matcher::Values | Matcher::EachValue(_))
}

fn grouped<'a, 'd>(node: Node<'a, 'd>) -> Grouped<'a, 'd> {
    let mut groups = Grouped::new();
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name();
        let key = (name.namespace().unwrap_or_default().to_owned(), name.name().to_owned());
        groups.entry(key).or_default().push(child);
    }
    groups
}

fn own_text(node: Node<'_, '_>) -> String {
    let text: String =
        node.children().filter(Node::is_text).filter_map(|child| child.text()).collect();
    text.trim().to_owned()
}
