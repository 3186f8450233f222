//! Messages of an operation over a channel: which became which, and what each carries.

use super::super::found::Said;
use super::super::rules::{self, Rule};
use super::super::shape::Conj;
use super::super::side::{Side, Spot, Which};
use super::super::walk::Wire;
use super::{Comparing, Scope, conj};
use crate::asyncapi::Message;
use crate::mismatch::Direction;

/// Texts about a message.
const TEXTS: [&str; 6] = ["title", "summary", "description", "tags", "externalDocs", "examples"];

/// The rules for messages that travel one way.
struct Rules {
    removed: &'static Rule,
    added: &'static Rule,
    schema_removed: &'static Rule,
    schema_added: &'static Rule,
    headers_removed: &'static Rule,
}

fn rules_of(way: Direction) -> Rules {
    match way {
        Direction::Request => Rules {
            removed: &rules::RECEIVED_MESSAGE_REMOVED,
            added: &rules::RECEIVED_MESSAGE_ADDED,
            schema_removed: &rules::REQUEST_SCHEMA_REMOVED,
            schema_added: &rules::REQUEST_SCHEMA_ADDED,
            headers_removed: &rules::RECEIVED_MESSAGE_HEADERS_REMOVED,
        },
        Direction::Response => Rules {
            removed: &rules::SENT_MESSAGE_REMOVED,
            added: &rules::SENT_MESSAGE_ADDED,
            schema_removed: &rules::RESPONSE_SCHEMA_REMOVED,
            schema_added: &rules::RESPONSE_SCHEMA_ADDED,
            headers_removed: &rules::SENT_MESSAGE_HEADERS_REMOVED,
        },
    }
}

/// A message with what tells it apart from others.
struct Known<'d> {
    message: &'d Message,
    /// The CloudEvents type that its payload fixes.
    kind: Option<&'d str>,
}

/// Pairs of messages, and what is left on either side. What is on the wire counts before what the description calls it;
/// where one of each is left, the one became the other.
fn paired<'k, 'd>(
    old: &'k [Known<'d>],
    new: &'k [Known<'d>],
) -> (Vec<(&'d Message, &'d Message)>, Vec<&'d Message>, Vec<&'d Message>) {
    type Likeness = fn(&Known<'_>, &Known<'_>) -> bool;
    let passes: [Likeness; 4] = [
        |one, other| {
            one.kind.is_some() && one.kind == other.kind && one.message.id == other.message.id
        },
        |one, other| one.kind.is_some() && one.kind == other.kind,
        |one, other| one.message.id == other.message.id,
        |one, other| one.message.name.is_some() && one.message.name == other.message.name,
    ];
    let mut left: (Vec<&Known<'d>>, Vec<&Known<'d>>) = (old.iter().collect(), new.iter().collect());
    let mut pairs = Vec::new();
    for is_like in passes {
        left.0.retain(|one| {
            let Some(at) = left.1.iter().position(|other| is_like(one, other)) else {
                return true;
            };
            pairs.push((one.message, left.1.remove(at).message));
            false
        });
    }
    if let ([one], [other]) = (&left.0[..], &left.1[..]) {
        pairs.push((one.message, other.message));
        left = (Vec::new(), Vec::new());
    }
    let bare = |list: Vec<&Known<'d>>| list.into_iter().map(|known| known.message).collect();
    (pairs, bare(left.0), bare(left.1))
}

fn headers<'d>(side: &Side<'d>, message: &Message) -> Option<Conj<'d>> {
    let schemas: Vec<Spot<'d>> =
        message.headers.iter().filter_map(|schema| side.schema(schema)).collect();
    if schemas.is_empty() { None } else { Some(Conj::of(schemas)) }
}

impl<'d> Comparing<'_, 'd> {
    /// The messages of an operation or of its reply. `way` says whether consumers send or read them.
    pub(super) fn compare_messages(
        &mut self,
        old: &'d [Message],
        new: &'d [Message],
        way: Direction,
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let known = (self.known(Which::Old, old), self.known(Which::New, new));
        let (pairs, gone, added) = paired(&known.0, &known.1);
        let rules = rules_of(way);
        let above = if scope.part.is_empty() { String::new() } else { format!("{}, ", scope.part) };
        let part = |message: &Message| scope.part(format!("{above}message `{}`", message.id));
        for (one, other) in pairs {
            self.compare_message(one, other, way, &rules, &part(other));
        }
        for one in gone {
            let said = (Said::new(self.old.at(&one.at), &*one.id), Said::absent(around.1));
            let message = format!("the message `{}` is gone", one.id);
            self.say(rules.removed, said.0, said.1, message, &part(one));
        }
        for other in added {
            let said = (Said::absent(around.0), Said::new(self.new.at(&other.at), &*other.id));
            let message = format!("there is a message `{}`", other.id);
            self.say(rules.added, said.0, said.1, message, &part(other));
        }
    }

    fn known(&mut self, which: Which, messages: &'d [Message]) -> Vec<Known<'d>> {
        let side = if which == Which::Old { self.old } else { self.new };
        let mut known = Vec::with_capacity(messages.len());
        for message in messages {
            let payload = message.payload.as_ref().and_then(|payload| side.schema(payload));
            let envelope =
                payload.and_then(|payload| self.walker.envelope(which, &Conj::one(payload)));
            known.push(Known { message, kind: envelope.and_then(|envelope| envelope.kind()) });
        }
        known
    }

    fn compare_message(
        &mut self,
        old: &'d Message,
        new: &'d Message,
        way: Direction,
        rules: &Rules,
        scope: &Scope,
    ) {
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let of = |key: &str| {
            (Said::maybe(spots.0.get(key), spots.0), Said::maybe(spots.1.get(key), spots.1))
        };
        if old.id != new.id || old.name != new.name {
            let said = (Said::new(spots.0, &*old.id), Said::new(spots.1, &*new.id));
            let message = format!("the message `{}` is called otherwise", old.id);
            self.say(&rules::MESSAGE_NAME_CHANGED, said.0, said.1, message, scope);
        }
        let media = |message: &Message| {
            message.content_type.as_deref().map(|text| text.to_ascii_lowercase().replace(' ', ""))
        };
        if media(old) != media(new) {
            let said = of("contentType");
            let rule = &rules::MESSAGE_CONTENT_TYPE_CHANGED;
            self.say(rule, said.0, said.1, "the media type is another", scope);
        }
        let (rule, message): (&'static Rule, _) = match (&old.correlation, &new.correlation) {
            (one, other) if one == other => (&rules::CORRELATION_ID_CHANGED, ""),
            (Some(_), None) => (&rules::CORRELATION_ID_REMOVED, "no correlation id is described"),
            (None, _) => (&rules::CORRELATION_ID_ADDED, "a correlation id is described"),
            _ => (&rules::CORRELATION_ID_CHANGED, "the correlation id is in another place"),
        };
        if !message.is_empty() {
            let said = of("correlationId");
            self.say(rule, said.0, said.1, message, scope);
        }
        self.compare_texts(&rules::EVENT_TEXT_CHANGED, spots, &TEXTS, scope);
        self.compare_bindings(spots, scope);
        self.compare_message_headers((old, new), way, rules, spots, scope);
        self.compare_payloads((old, new), way, rules, spots, scope);
    }

    fn compare_payloads(
        &mut self,
        (old, new): (&'d Message, &'d Message),
        way: Direction,
        rules: &Rules,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        match (old.payload.as_ref(), new.payload.as_ref()) {
            (None, None) => {}
            (None, Some(schema)) => {
                let said = (Said::absent(spots.0), Said::maybe(self.new.schema(schema), spots.1));
                self.say(rules.schema_added, said.0, said.1, "there is a payload now", scope);
            }
            (Some(schema), None) => {
                let said = (Said::maybe(self.old.schema(schema), spots.0), Said::absent(spots.1));
                self.say(rules.schema_removed, said.0, said.1, "the payload is gone", scope);
            }
            (Some(one), Some(other)) => {
                let one = conj(self.old, Some(one), spots.0);
                let other = conj(self.new, Some(other), spots.1);
                for found in self.walker.compare_envelopes(&one, &other) {
                    self.tell(&found, scope);
                }
                self.compare_schemas(&one, &other, way, Wire::Document, scope);
            }
        }
    }

    fn compare_message_headers(
        &mut self,
        (old, new): (&'d Message, &'d Message),
        way: Direction,
        rules: &Rules,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let scope = &scope.part(format!("{}, headers", scope.part));
        match (headers(self.old, old), headers(self.new, new)) {
            (None, None) => {}
            (Some(one), Some(other)) => {
                self.compare_schemas(&one, &other, way, Wire::Document, scope);
            }
            (Some(one), None) => {
                let said = (Said::value(one.anchor(self.old)), Said::absent(spots.1));
                let message = "headers are not described any more";
                self.say(rules.headers_removed, said.0, said.1, message, scope);
            }
            (None, Some(other)) => {
                let objects = self.walker.kinds(Which::New, &other);
                let is_required =
                    objects.alternatives.iter().any(|one| !one.facets.required.is_empty());
                let rule: &'static Rule = match (way, is_required) {
                    (Direction::Request, true) => &rules::RECEIVED_MESSAGE_HEADERS_REQUIRED,
                    (Direction::Request, false) => &rules::RECEIVED_MESSAGE_HEADERS_ADDED,
                    (Direction::Response, _) => &rules::SENT_MESSAGE_HEADERS_ADDED,
                };
                let said = (Said::absent(spots.0), Said::value(other.anchor(self.new)));
                self.say(rule, said.0, said.1, "headers are described now", scope);
            }
        }
    }
}
