//! Parameters of an operation.

use std::collections::BTreeMap;

use super::super::annotation::annotation;
use super::super::found::Said;
use super::super::lifecycle::{self, Standing};
use super::super::rules::{self, Level, Rule, Subject};
use super::super::shape::{Conj, Kind, Types};
use super::super::side::{Spot, Which};
use super::super::walk::{Bound, Wire};
use super::{Comparing, Scope, conj};
use crate::mismatch::Direction;
use crate::model::{Operation, Parameter, ParameterLocation, Style};

/// Words about a parameter that change nothing.
const TEXTS: [&str; 3] = ["description", "example", "examples"];

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_parameters(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        renamed: &BTreeMap<&'d str, &'d str>,
        scope: &Scope,
    ) {
        let mut matched = Vec::new();
        for one in &old.parameters {
            let name = match one.location {
                ParameterLocation::Path => renamed.get(&*one.name).copied().unwrap_or(&one.name),
                _ => &one.name,
            };
            let other = match one.location {
                // Its name is not on the wire.
                ParameterLocation::Querystring => {
                    new.parameters.iter().find(|other| other.location == one.location)
                }
                location => new.parameter(location, name),
            };
            if let Some(other) = other {
                matched.push(std::ptr::from_ref(other));
                self.compare_parameter(one, other, scope);
                continue;
            }
            // Gone from here, and there where it was not.
            let moved = new.parameters.iter().find(|other| {
                other.name == one.name && old.parameter(other.location, &other.name).is_none()
            });
            if let Some(other) = moved {
                matched.push(std::ptr::from_ref(other));
            }
            self.parameter_gone(one, moved, spots, scope);
        }
        for other in &new.parameters {
            if !matched.contains(&std::ptr::from_ref(other)) {
                self.parameter_added(other, spots, scope);
            }
        }
    }

    fn parameter_gone(
        &mut self,
        old: &'d Parameter,
        moved: Option<&'d Parameter>,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let spot = self.old.at(&old.at);
        let scope = &scoped(old, scope);
        if let Some(moved) = moved {
            let message = format!(
                "`{}` moved from {} to {}",
                old.name,
                old.location.as_str(),
                moved.location.as_str()
            );
            let said =
                (Said::new(spot, &*old.name), Said::new(self.new.at(&moved.at), &*moved.name));
            return self.say(&rules::PARAMETER_MOVED, said.0, said.1, message, scope);
        }
        let standing = Standing::at(spot);
        let announced = lifecycle::removal(Subject::Parameter, &standing, spots.1, self.calendar);
        if let Some(mut found) = announced {
            // A deprecated parameter is ignored when it is still sent.
            if found.level == Level::Risky {
                found.level = Level::Additive;
            }
            return self.tell(&found, scope);
        }
        let said = (Said::new(spot, &*old.name), Said::absent(spots.1));
        let message = format!("the {} parameter `{}` is gone", old.location.as_str(), old.name);
        let level = if scope.is_event() { Level::Risky } else { Level::Breaking };
        let found = super::Found::new(&rules::PARAMETER_REMOVED, said.0, said.1, message);
        self.tell(&found.at_most(level), scope);
    }

    fn parameter_added(&mut self, new: &'d Parameter, spots: (Spot<'d>, Spot<'d>), scope: &Scope) {
        let spot = self.new.at(&new.at);
        let rule: &'static Rule = if new.required && !scope.is_event() {
            &rules::PARAMETER_ADDED_REQUIRED
        } else {
            &rules::PARAMETER_ADDED_OPTIONAL
        };
        let said = (Said::absent(spots.0), Said::new(spot, &*new.name));
        let message = format!("there is a {} parameter `{}`", new.location.as_str(), new.name);
        self.say(rule, said.0, said.1, message, &scoped(new, scope));
    }

    fn compare_parameter(&mut self, old: &'d Parameter, new: &'d Parameter, scope: &Scope) {
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let scope = &scoped(new, scope);
        let standings = (Standing::at(spots.0), Standing::at(spots.1));
        let mut found = Vec::new();
        let calendar = self.calendar;
        lifecycle::changes(Subject::Parameter, &standings.0, &standings.1, calendar, &mut found);
        for found in &found {
            self.tell(found, scope);
        }
        self.compare_forms(old, new, spots, scope);
        self.compare_texts(&rules::PARAMETER_TEXT_CHANGED, spots, &TEXTS, scope);
        let schemas = (
            conj(self.old, old.schema.as_ref(), spots.0),
            conj(self.new, new.schema.as_ref(), spots.1),
        );
        if !(old.required && new.required) {
            self.compare_defaults(&schemas, spots, scope);
        }
        let wire = if new.media_type.is_some() { Wire::Document } else { Wire::Text };
        let new_schema = self.as_one_item(old, new, &schemas).unwrap_or(schemas.1);
        self.compare_schemas(&schemas.0, &new_schema, scope.request, wire, scope);
    }

    /// Whether it must be there and how it is written.
    fn compare_forms(
        &mut self,
        old: &'d Parameter,
        new: &'d Parameter,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let mut differs = |key: &str, rule: &'static Rule, message: &str| {
            let said =
                (Said::maybe(spots.0.get(key), spots.0), Said::maybe(spots.1.get(key), spots.1));
            self.say(rule, said.0, said.1, message, scope);
        };
        match (old.required, new.required) {
            (false, true) => {
                differs("required", &rules::PARAMETER_BECAME_REQUIRED, "it has to be sent");
            }
            (true, false) => {
                differs("required", &rules::PARAMETER_BECAME_OPTIONAL, "it can be left out");
            }
            _ => {}
        }
        if old.media_type != new.media_type {
            let message = "its value is written in another media type";
            differs("content", &rules::PARAMETER_MEDIA_TYPE_CHANGED, message);
        } else if (old.style, old.explode) != (new.style, new.explode) {
            let key = if old.style == new.style { "explode" } else { "style" };
            let message = "lists and objects are written in another way";
            differs(key, &rules::PARAMETER_STYLE_CHANGED, message);
        }
        if new.location == ParameterLocation::Query {
            match (old.allow_reserved, new.allow_reserved) {
                (true, false) => {
                    let message = "reserved characters have to be escaped";
                    differs("allowReserved", &rules::PARAMETER_RESERVED_REFUSED, message);
                }
                (false, true) => {
                    let message = "reserved characters may stay bare";
                    differs("allowReserved", &rules::PARAMETER_RESERVED_ALLOWED, message);
                }
                _ => {}
            }
            match (spots.0.flag("allowEmptyValue"), spots.1.flag("allowEmptyValue")) {
                (true, false) => {
                    let message = "it may not be sent without a value";
                    differs("allowEmptyValue", &rules::PARAMETER_EMPTY_REFUSED, message);
                }
                (false, true) => {
                    let message = "it may be sent without a value";
                    differs("allowEmptyValue", &rules::PARAMETER_EMPTY_ALLOWED, message);
                }
                _ => {}
            }
        }
    }

    fn compare_defaults(
        &mut self,
        schemas: &(Conj<'d>, Conj<'d>),
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let old = annotation(self.old, &schemas.0, "default");
        let new = annotation(self.new, &schemas.1, "default");
        let rule: &'static Rule = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => &rules::PARAMETER_DEFAULT_ADDED,
            (Some(_), None) => &rules::PARAMETER_DEFAULT_REMOVED,
            (Some(one), Some(other)) if super::super::shape::same_value(one.node, other.node) => {
                return;
            }
            _ => &rules::PARAMETER_DEFAULT_CHANGED,
        };
        let said = (Said::maybe(old, spots.0), Said::maybe(new, spots.1));
        self.say(rule, said.0, said.1, "what is assumed when it is left out is another", scope);
    }

    /// In a query, a list of one is written as its item is: where a list is expected now, the item is compared.
    fn as_one_item(
        &mut self,
        old: &'d Parameter,
        new: &'d Parameter,
        schemas: &(Conj<'d>, Conj<'d>),
    ) -> Option<Conj<'d>> {
        let is_form = new.style == Style::Form && new.explode && old.style == Style::Form;
        if new.location != ParameterLocation::Query || !is_form || new.media_type.is_some() {
            return None;
        }
        let was = self.walker.kinds(Which::Old, &schemas.0);
        let is = self.walker.kinds(Which::New, &schemas.1);
        let is_list = is.types.without(Types::NULL) == Types::ARRAY;
        let was_scalar = !was.types.has(Types::ARRAY.or(Types::OBJECT));
        if !is_list || !was_scalar {
            return None;
        }
        let lists = is.of_kind(Kind::Array);
        let [only] = &lists[..] else { return None };
        let fewest = only.facets.counts.get("minItems").map_or(0, |held| held.value);
        if fewest > 1 || only.facets.items.is_empty() {
            return None;
        }
        Some(Conj::of(only.facets.items.clone()))
    }
}

fn scoped(parameter: &Parameter, scope: &Scope) -> Scope {
    let mut scope =
        scope.part(format!("{} parameter `{}`", parameter.location.as_str(), parameter.name));
    // Names of headers of events say nothing about what is asked of consumers.
    if scope.is_event() {
        scope.bound = Bound { cap: scope.bound.cap.min(Level::Risky), ..scope.bound };
    }
    scope.request = match scope.request {
        Direction::Request => Direction::Request,
        Direction::Response => Direction::Response,
    };
    scope
}
