//! What schemas say beyond restrictions: texts, defaults, discriminators, XML.

use std::collections::BTreeMap;

use qc_document::Node;

use super::super::annotation::annotation;
use super::super::found::{Found, Said};
use super::super::rules::{self, Level, Rule};
use super::super::shape::{Conj, same_value};
use super::super::side::{Side, Spot};
use super::{Context, Pair, Walker, Wire};
use crate::documents::last_segment;
use crate::mismatch::Direction;

/// Words that restrict nothing and change nothing.
const TEXTS: [&str; 7] =
    ["title", "description", "summary", "example", "examples", "externalDocs", "$comment"];

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_words(
        &mut self,
        old: &Conj<'d>,
        new: &Conj<'d>,
        context: Context,
        around: (Spot<'d>, Spot<'d>),
        pair: &mut Pair<'d>,
    ) {
        for word in TEXTS {
            let spots = (annotation(self.old, old, word), annotation(self.new, new, word));
            if !same(spots) {
                let message = format!("`{word}` is another");
                let said = (Said::maybe(spots.0, around.0), Said::maybe(spots.1, around.1));
                pair.push(Found::new(&rules::SCHEMA_TEXT_CHANGED, said.0, said.1, message));
                break;
            }
        }
        // Parameters compare their defaults themselves.
        let spots = (annotation(self.old, old, "default"), annotation(self.new, new, "default"));
        if context.wire != Wire::Text && !same(spots) {
            let rule: &'static Rule = match context.way {
                Direction::Request => &rules::REQUEST_DEFAULT_CHANGED,
                Direction::Response => &rules::RESPONSE_DEFAULT_CHANGED,
            };
            let said = (Said::maybe(spots.0, around.0), Said::maybe(spots.1, around.1));
            pair.push(Found::new(rule, said.0, said.1, "the default is another"));
        }
        let spots = (annotation(self.old, old, "xml"), annotation(self.new, new, "xml"));
        if !same(spots) {
            let said = (Said::maybe(spots.0, around.0), Said::maybe(spots.1, around.1));
            let found = Found::new(&rules::XML_CHANGED, said.0, said.1, "`xml` is another");
            let is_xml = context.wire == Wire::Xml;
            pair.push(if is_xml { found } else { found.at_most(Level::Cosmetic) });
        }
        let spots =
            (annotation(self.old, old, "$vocabulary"), annotation(self.new, new, "$vocabulary"));
        if !same(spots) {
            let said = (Said::maybe(spots.0, around.0), Said::maybe(spots.1, around.1));
            let message = "`$vocabulary` is another";
            pair.push(Found::new(&rules::VOCABULARY_CHANGED, said.0, said.1, message));
        }
        self.compare_discriminators(old, new, around, pair);
    }

    fn compare_discriminators(
        &mut self,
        old: &Conj<'d>,
        new: &Conj<'d>,
        around: (Spot<'d>, Spot<'d>),
        pair: &mut Pair<'d>,
    ) {
        let spots = (
            annotation(self.old, old, "discriminator"),
            annotation(self.new, new, "discriminator"),
        );
        let said = (Said::maybe(spots.0, around.0), Said::maybe(spots.1, around.1));
        let mut push = |rule: &'static Rule, message: String| {
            pair.push(Found::new(rule, said.0.clone(), said.1.clone(), message));
        };
        let (one, other) = match spots {
            (None, None) => return,
            (None, Some(_)) => return push(&rules::DISCRIMINATOR_ADDED, "there is one now".into()),
            (Some(_), None) => return push(&rules::DISCRIMINATOR_REMOVED, "it is gone".into()),
            (Some(one), Some(other)) => (one, other),
        };
        // In Swagger 2.0 it is the name alone.
        let property = |spot: Spot<'d>| spot.text("propertyName").or_else(|| spot.node.as_str());
        if property(one) != property(other) {
            let name = |spot: Spot<'d>| property(spot).unwrap_or_default().to_owned();
            let message = format!("`{}` became `{}`", name(one), name(other));
            push(&rules::DISCRIMINATOR_PROPERTY_CHANGED, message);
        }
        let (was, is) = (mapping(self.old, one), mapping(self.new, other));
        for (value, target) in &was {
            match is.get(value) {
                None => push(&rules::DISCRIMINATOR_VALUE_REMOVED, format!("`{value}` is gone")),
                Some(now) if now != target => {
                    let message = format!("`{value}` names `{now}` in place of `{target}`");
                    push(&rules::DISCRIMINATOR_VALUE_REMOVED, message);
                }
                Some(_) => {}
            }
        }
        for value in is.keys().filter(|value| !was.contains_key(*value)) {
            push(&rules::DISCRIMINATOR_VALUE_ADDED, format!("`{value}` names an alternative now"));
        }
    }
}

/// Values and the names of the schemas that they mean, however the reference is written.
fn mapping<'d>(side: &Side<'d>, discriminator: Spot<'d>) -> BTreeMap<&'d str, String> {
    let mut mapping = BTreeMap::new();
    for (value, target) in discriminator.entries("mapping") {
        let text = target.node.as_str().unwrap_or_default();
        let name =
            if text.contains('#') || text.contains('/') { last_segment(text) } else { text.into() };
        // A reference that leads nowhere is another than one that does.
        let leads = !text.contains('#') || side.target(target.file, text).is_some();
        mapping.insert(value, if leads { name } else { text.to_owned() });
    }
    mapping
}

pub(super) fn same(spots: (Option<Spot<'_>>, Option<Spot<'_>>)) -> bool {
    match (spots.0, spots.1) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            same_value(one.node, other.node) || same_number(one.node, other.node)
        }
        _ => false,
    }
}

/// Numbers in quotes, written in two ways.
fn same_number(one: &Node, other: &Node) -> bool {
    let number = |node: &Node| node.as_str()?.parse::<f64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => false,
    }
}
