//! Two descriptions of an API side by side: operations and all that they exchange.

mod bodies;
mod definitions;
mod document;
mod exchanges;
mod headers;
mod limits;
mod media;
mod messages;
mod operations;
mod parameters;
mod responses;
mod security;
mod servers;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::found::{Found, Said};
use super::lifecycle::Calendar;
use super::outcome::{Outcome, Use};
use super::rules::{Area, Level, Rule};
use super::shape::Conj;
use super::side::{Side, Spot};
use super::walk::{Bound, Context, PairId, Walker, Wire};
use crate::mismatch::Direction;
use crate::model::{Operation, SchemaAt, SecurityScheme, Server};
use crate::openapi::OpenApi;

/// Two descriptions, while they are compared.
pub(super) struct Comparing<'s, 'd> {
    pub(super) old_api: Offered<'d>,
    pub(super) new_api: Offered<'d>,
    pub(super) old: &'s Side<'d>,
    pub(super) new: &'s Side<'d>,
    pub(super) walker: Walker<'s, 'd>,
    pub(super) calendar: Calendar,
    pub(super) outcome: Outcome<'d>,
}

/// What an API offers over HTTP. A description of channels offers nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offered<'d> {
    operations: &'d [Operation],
    webhooks: &'d [Operation],
    schemes: &'d [(Arc<str>, SecurityScheme)],
    servers: &'d [Server],
}

impl<'d> Offered<'d> {
    pub(super) fn of(api: &'d OpenApi) -> Self {
        Self {
            operations: api.operations(),
            webhooks: api.webhooks(),
            schemes: api.security_schemes(),
            servers: api.servers(),
        }
    }

    fn is_empty(self) -> bool {
        self.operations.is_empty() && self.webhooks.is_empty()
    }
}

/// Where in an API something is used, and what that means for its weight.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The operation, such as `POST /pets`.
    operation: Use,
    /// The part of it, such as `answer 200, application/json`.
    part: String,
    /// Which way what is called a request travels: what an API sends by itself is read by its consumers.
    request: Direction,
    /// What everything here weighs at most.
    bound: Bound,
    /// Whether it is about failures.
    is_error: bool,
}

impl Scope {
    fn part(&self, part: impl Into<String>) -> Self {
        Self { part: part.into(), ..self.clone() }
    }

    fn answer(&self) -> Direction {
        match self.request {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        }
    }

    /// Whether the API sends the requests here.
    fn is_event(&self) -> bool {
        self.request == Direction::Response
    }
}

impl<'d> Comparing<'_, 'd> {
    /// Compares everything.
    pub(super) fn all(&mut self) {
        self.compare_documents();
        self.compare_servers();
        self.compare_definitions();
        self.compare_operations();
        if self.old_api.is_empty() && self.new_api.is_empty() {
            self.compare_only_schemas();
        } else {
            self.compare_unused();
        }
        if self.walker.cut_short {
            self.outcome.is_cut_short = true;
        }
    }

    fn tell(&mut self, found: &Found<'d>, scope: &Scope) {
        let level = found.level.min(scope.bound.cap);
        let area = if scope.is_error && found.rule.area != Area::Lifecycle {
            Area::Errors
        } else {
            found.rule.area
        };
        self.outcome.add(found, level, area, &scope.operation, &scope.part);
    }

    fn say(
        &mut self,
        rule: &'static Rule,
        old: Said<'d>,
        new: Said<'d>,
        message: impl Into<String>,
        scope: &Scope,
    ) {
        self.tell(&Found::new(rule, old, new, message), scope);
    }

    /// Tells what a pair of schemas found, as it is used here.
    fn tell_pair(&mut self, pair: PairId, scope: &Scope) {
        let Self { walker, outcome, .. } = self;
        walker.collect(pair, scope.bound, |found, level| {
            let area = if scope.is_error { Area::Errors } else { found.rule.area };
            outcome.add_kept(found, level, area, &scope.operation, &scope.part);
        });
    }

    fn compare_schemas(
        &mut self,
        old: &Conj<'d>,
        new: &Conj<'d>,
        way: Direction,
        wire: Wire,
        scope: &Scope,
    ) {
        let pair = self.walker.pair(old, new, Context { way, wire });
        self.tell_pair(pair, scope);
    }

    /// Texts and examples of something: one finding, of this rule.
    fn compare_texts(
        &mut self,
        rule: &'static Rule,
        spots: (Spot<'d>, Spot<'d>),
        keys: &[&str],
        scope: &Scope,
    ) {
        let differs = keys.iter().find(|key| {
            let values = (spots.0.get(key), spots.1.get(key));
            match values {
                (None, None) => false,
                (Some(one), Some(other)) => !super::shape::same_value(one.node, other.node),
                _ => true,
            }
        });
        if let Some(key) = differs {
            let old = Said::maybe(spots.0.get(key), spots.0);
            let new = Said::maybe(spots.1.get(key), spots.1);
            self.say(rule, old, new, format!("`{key}` is another"), scope);
        }
    }
}

/// A schema of the model as a conjunction; what is not described admits everything.
fn conj<'d>(side: &Side<'d>, schema: Option<&SchemaAt>, around: Spot<'d>) -> Conj<'d> {
    match schema.and_then(|schema| side.schema(schema)) {
        Some(spot) => Conj::one(spot),
        None => Conj::anything(around),
    }
}

/// A scope for what belongs to no operation.
fn whole_document() -> Scope {
    Scope {
        operation: Use::from(""),
        part: String::new(),
        request: Direction::Request,
        bound: Bound::NONE,
        is_error: false,
    }
}

/// The names of either side, in order.
fn names_of<'d>(old: Spot<'d>, new: Spot<'d>, key: &str) -> BTreeSet<&'d str> {
    old.entries(key).chain(new.entries(key)).map(|(name, _)| name).collect()
}

/// What weighs nothing for consumers of an unstable operation.
const UNSTABLE: Bound = Bound { cap: Level::Cosmetic, provable: Level::Cosmetic };
