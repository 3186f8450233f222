//! Media types: which of the old ones became which of the new ones.

use super::super::found::Said;
use super::super::rules::{self, Level, Rule};
use super::super::side::Spot;
use super::super::walk::Wire;
use super::{Comparing, Found, Scope, conj};
use crate::mismatch::Direction;
use crate::model::Content;

/// Words about a media type that change nothing.
const TEXTS: [&str; 2] = ["example", "examples"];

/// Media types of a body, before and after.
struct Matched<'d> {
    both: Vec<(&'d Content, &'d Content)>,
    gone: Vec<&'d Content>,
    added: Vec<&'d Content>,
}

fn matched<'d>(old: &'d [Content], new: &'d [Content], way: Direction) -> Matched<'d> {
    let mut matched = Matched { both: Vec::new(), gone: Vec::new(), added: Vec::new() };
    let mut taken: Vec<*const Content> = Vec::new();
    for one in old {
        let free = |other: &&Content| !taken.contains(&std::ptr::from_ref(*other));
        let by =
            |fits: &dyn Fn(&Content) -> bool| new.iter().filter(free).find(|other| fits(other));
        let other = by(&|other| exact(&one.media_type) == exact(&other.media_type))
            .or_else(|| by(&|other| essence(&one.media_type) == essence(&other.media_type)))
            .or_else(|| {
                // A wider range takes what was taken before, and a narrower one comes from what could come.
                new.iter().find(|other| match way {
                    Direction::Request => spans(&other.media_type, &one.media_type),
                    Direction::Response => spans(&one.media_type, &other.media_type),
                })
            });
        match other {
            Some(other) => {
                taken.push(std::ptr::from_ref(other));
                matched.both.push((one, other));
            }
            None => matched.gone.push(one),
        }
    }
    matched.added =
        new.iter().filter(|other| !taken.contains(&std::ptr::from_ref(*other))).collect();
    matched
}

fn exact(media_type: &str) -> String {
    media_type.to_ascii_lowercase().replace(' ', "")
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a range such as `application/*` takes a media type.
fn spans(range: &str, media_type: &str) -> bool {
    let (range, media_type) = (essence(range), essence(media_type));
    match range.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => media_type.split('/').next() == Some(kind),
        _ => false,
    }
}

fn wire(media_type: &str) -> Wire {
    let essence = essence(media_type);
    if essence.ends_with("xml") {
        Wire::Xml
    } else if matches!(&*essence, "application/x-www-form-urlencoded" | "multipart/form-data") {
        Wire::TextInside
    } else {
        Wire::Document
    }
}

/// The rules for a body that travels one way.
struct Rules {
    removed: &'static Rule,
    added: &'static Rule,
    schema_removed: &'static Rule,
    schema_added: &'static Rule,
}

fn rules_of(way: Direction) -> Rules {
    match way {
        Direction::Request => Rules {
            removed: &rules::REQUEST_MEDIA_TYPE_REMOVED,
            added: &rules::REQUEST_MEDIA_TYPE_ADDED,
            schema_removed: &rules::REQUEST_SCHEMA_REMOVED,
            schema_added: &rules::REQUEST_SCHEMA_ADDED,
        },
        Direction::Response => Rules {
            removed: &rules::RESPONSE_MEDIA_TYPE_REMOVED,
            added: &rules::RESPONSE_MEDIA_TYPE_ADDED,
            schema_removed: &rules::RESPONSE_SCHEMA_REMOVED,
            schema_added: &rules::RESPONSE_SCHEMA_ADDED,
        },
    }
}

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_contents(
        &mut self,
        old: &'d [Content],
        new: &'d [Content],
        way: Direction,
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let rules = rules_of(way);
        let matched = matched(old, new, way);
        for (one, other) in &matched.both {
            let part = format!("{}, {}", scope.part, other.media_type);
            self.compare_content(one, other, way, &rules, &scope.part(part));
        }
        let replaced = scope.is_error && !matched.added.is_empty() && way == Direction::Response;
        for one in matched.gone {
            let rule = if replaced { &rules::ERROR_FORMAT_CHANGED } else { rules.removed };
            let said = (Said::new(self.old.at(&one.at), &*one.media_type), Said::absent(around.1));
            self.say(rule, said.0, said.1, format!("`{}` is gone", one.media_type), scope);
        }
        for other in matched.added {
            let said =
                (Said::absent(around.0), Said::new(self.new.at(&other.at), &*other.media_type));
            let message = format!("`{}` is there now", other.media_type);
            self.say(rules.added, said.0, said.1, message, scope);
        }
    }

    fn compare_content(
        &mut self,
        old: &'d Content,
        new: &'d Content,
        way: Direction,
        rules: &Rules,
        scope: &Scope,
    ) {
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let texts = match way {
            Direction::Request => &rules::REQUEST_BODY_TEXT_CHANGED,
            Direction::Response => &rules::RESPONSE_TEXT_CHANGED,
        };
        self.compare_texts(texts, spots, &TEXTS, scope);
        if way == Direction::Request {
            self.compare_texts(&rules::REQUEST_ENCODING_CHANGED, spots, &["encoding"], scope);
        }
        let schemas = (old.schema.as_ref(), new.schema.as_ref());
        let schema_spots = (
            schemas.0.and_then(|schema| self.old.schema(schema)),
            schemas.1.and_then(|schema| self.new.schema(schema)),
        );
        if let (Some(one), Some(other)) = schemas
            && (one.fields.is_some() || other.fields.is_some())
        {
            return self.compare_forms_of(old, new, way, scope);
        }
        match schema_spots {
            (None, None) => {}
            (None, Some(spot)) if says_nothing(spot) => {}
            (Some(spot), None) if says_nothing(spot) => {}
            (None, Some(spot)) => {
                let said = (Said::absent(spots.0), Said::value(spot));
                self.say(rules.schema_added, said.0, said.1, "there is a schema now", scope);
            }
            (Some(spot), None) => {
                let said = (Said::value(spot), Said::absent(spots.1));
                self.say(rules.schema_removed, said.0, said.1, "the schema is gone", scope);
            }
            (Some(_), Some(_)) => {
                let old = conj(self.old, schemas.0, spots.0);
                let new = conj(self.new, schemas.1, spots.1);
                self.compare_schemas(&old, &new, way, wire(&new_media(scope)), scope);
            }
        }
    }

    /// The fields of Swagger 2.0 forms, one by one.
    fn compare_forms_of(
        &mut self,
        old: &'d Content,
        new: &'d Content,
        way: Direction,
        scope: &Scope,
    ) {
        let fields = |content: &'d Content| {
            let schema = content.schema.as_ref();
            schema.and_then(|schema| schema.fields.clone()).unwrap_or_default()
        };
        let (olds, news) = (fields(old), fields(new));
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        for one in olds.iter() {
            let spot = self.old.at(&field_at(one));
            let Some(other) = news.iter().find(|other| other.name == one.name) else {
                let said = (Said::new(spot, &*one.name), Said::absent(spots.1));
                let message = format!("the field `{}` is gone", one.name);
                self.say(&rules::REQUEST_PROPERTY_REMOVED, said.0, said.1, message, scope);
                continue;
            };
            let other_spot = self.new.at(&field_at(other));
            let rule: Option<&'static Rule> = match (one.required, other.required) {
                (false, true) => Some(&rules::REQUEST_PROPERTY_BECAME_REQUIRED),
                (true, false) => Some(&rules::REQUEST_PROPERTY_BECAME_OPTIONAL),
                _ => None,
            };
            if let Some(rule) = rule {
                let said = (Said::new(spot, &*one.name), Said::new(other_spot, &*other.name));
                let message = format!("whether `{}` must be there is another", one.name);
                self.say(rule, said.0, said.1, message, scope);
            }
            let (one, other) = (super::Conj::one(spot), super::Conj::one(other_spot));
            self.compare_schemas(&one, &other, way, Wire::TextInside, scope);
        }
        for other in news.iter().filter(|other| !olds.iter().any(|one| one.name == other.name)) {
            let rule: &'static Rule = if other.required {
                &rules::REQUEST_PROPERTY_ADDED_REQUIRED
            } else {
                &rules::REQUEST_PROPERTY_ADDED_OPTIONAL
            };
            let said =
                (Said::absent(spots.0), Said::new(self.new.at(&field_at(other)), &*other.name));
            let message = format!("there is a field `{}` now", other.name);
            let found = Found::new(rule, said.0, said.1, message);
            self.tell(&found.at_most(Level::Breaking), scope);
        }
    }
}

fn field_at(field: &crate::model::FormField) -> crate::documents::At {
    crate::documents::At { file: field.file, pointer: field.pointer.to_string() }
}

/// The media type that a scope is about.
fn new_media(scope: &Scope) -> String {
    scope.part.rsplit(", ").next().unwrap_or_default().to_owned()
}

/// Whether a schema restricts nothing.
fn says_nothing(schema: Spot<'_>) -> bool {
    schema.node.as_bool() == Some(true) || schema.node.as_mapping().is_some_and(<[_]>::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_what_they_name() {
        assert!(spans("*/*", "text/plain"));
        assert!(spans("application/*", "application/json; charset=utf-8"));
        assert!(!spans("application/*", "text/plain"));
        assert!(!spans("application/json", "application/json"));
    }
}
