//! `listen`, and filters of events.

use std::sync::Arc;

use qc_document::{Node, NodeValue};
use qc_expression::Expression;
use regex::RegexBuilder;

use super::{Compiler, variables::Stage};
use crate::{
    codes,
    correlation::{canonical, site_of},
    dsl::{self, Text, is_expression},
    event_filter::{Correlation, EventFilter, Pattern},
    program::{EachEvent, Listen, Until},
};

/// Most memory of one regular expression, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// Characters that make a text a regular expression too. A dot and a dash stand in most types and
/// sources, where they mean themselves.
const REGEX_MARKS: [char; 13] = ['*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\'];

/// Where a filter stands: what its expressions may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// What a task sees.
    Task,
    /// Nothing but the event: there is no run yet.
    Event,
}

impl Compiler<'_> {
    pub(super) fn listen(
        &mut self,
        listen: &dsl::Listen,
        body: &str,
        depth: usize,
    ) -> Option<Listen> {
        let filters = self.filters(&listen.to.filters, Seen::Task);
        let until = match &listen.to.until {
            None => Some(None),
            Some(dsl::Until::Condition(text)) => self
                .expression(text, Stage::Definition)
                .map(|condition| Some(Until::Condition(condition))),
            Some(dsl::Until::Events(strategy)) => self
                .filters(&strategy.filters, Seen::Task)
                .map(|filters| Some(Until::Events { mode: strategy.mode, filters })),
        };
        let each = listen.each.as_ref().map(|each| self.each_event(each, body, depth));
        Some(Listen {
            mode: listen.to.mode,
            filters: filters?,
            until: until?,
            read: listen.read,
            each,
        })
    }

    fn each_event(&mut self, each: &dsl::EachEvent, body: &str, depth: usize) -> EachEvent {
        self.check_variables(&each.item, &each.at, "item");
        let outer = self.locals.len();
        self.locals.extend([Arc::clone(&each.item.text), Arc::clone(&each.at.text)]);
        let tasks = each.tasks.as_ref().map(|tasks| self.list(tasks, body, depth));
        let output = self.mould(&each.output, Stage::Definition);
        let export = self.mould(&each.export, Stage::Export);
        self.locals.truncate(outer);
        EachEvent { body: tasks, output, export }
    }

    /// Compiles filters; none at all stand for every event.
    pub(super) fn filters(
        &mut self,
        filters: &[dsl::EventFilter],
        seen: Seen,
    ) -> Option<Vec<EventFilter>> {
        if filters.is_empty() {
            return Some(vec![EventFilter::every()]);
        }
        // All of them are compiled, so that all problems are found.
        let compiled: Vec<Option<EventFilter>> =
            filters.iter().map(|filter| self.filter(filter, seen)).collect();
        compiled.into_iter().collect()
    }

    fn filter(&mut self, filter: &dsl::EventFilter, seen: Seen) -> Option<EventFilter> {
        let properties: Vec<Option<(String, Pattern)>> = filter
            .properties
            .iter()
            .map(|(name, node)| Some((name.text.to_string(), self.pattern(node, seen)?)))
            .collect();
        let correlate: Vec<Option<Correlation>> = filter
            .correlate
            .iter()
            .map(|correlation| self.correlation(correlation, seen))
            .collect();
        let properties: Vec<(String, Pattern)> = properties.into_iter().collect::<Option<_>>()?;
        let correlate: Vec<Correlation> = correlate.into_iter().collect::<Option<_>>()?;
        let event_type = properties.iter().find_map(|(name, pattern)| match pattern {
            Pattern::Text { text, regex: None } if name == "type" => Some(text.clone()),
            _ => None,
        });
        let site = site_of(correlate.iter().map(|correlation| correlation.from.source()));
        Some(EventFilter { properties, correlate, event_type, site })
    }

    fn pattern(&mut self, node: &Node, seen: Seen) -> Option<Pattern> {
        match &node.value {
            NodeValue::String(text) if is_expression(text) => {
                let text = Text { text: Arc::clone(text), span: node.span };
                self.filter_expression(&text, seen)
            }
            NodeValue::String(text) => self.text_pattern(text, node),
            NodeValue::Mapping(entries) => {
                let entries: Vec<Option<(String, Pattern)>> = entries
                    .iter()
                    .map(|(key, value)| Some((key.name.to_string(), self.pattern(value, seen)?)))
                    .collect();
                entries.into_iter().collect::<Option<_>>().map(Pattern::Object)
            }
            _ => self.constant(node),
        }
    }

    fn filter_expression(&mut self, text: &Text, seen: Seen) -> Option<Pattern> {
        match seen {
            Seen::Task => self.expression(text, Stage::Definition).map(Pattern::Expression),
            Seen::Event => self.expression(text, Stage::Nothing).map(Pattern::Expression),
        }
    }

    /// A text stands for itself, and for what it matches as a regular expression when it has the
    /// marks of one.
    fn text_pattern(&mut self, text: &str, node: &Node) -> Option<Pattern> {
        if text.contains("${") {
            let message = format!("`{text}` has an expression in it and is more than that");
            let help =
                "write the whole property as one expression, such as `${ startswith(\"a\") }`";
            self.report(codes::EVENT_FILTER, node.span, message).help = Some(help.to_owned());
            return None;
        }
        if !text.contains(REGEX_MARKS) {
            return Some(Pattern::Text { text: text.to_owned(), regex: None });
        }
        let whole = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(REGEX_LIMIT).build();
        let Ok(regex) = whole else {
            let message = format!("`{text}` is no regular expression");
            let help = "a text with one of `* + ? ( ) [ ] { } | ^ $ \\` is matched as a regular \
                        expression too: put a backslash before what means itself";
            self.report(codes::EVENT_FILTER, node.span, message).help = Some(help.to_owned());
            return None;
        };
        Some(Pattern::Text { text: text.to_owned(), regex: Some(regex) })
    }

    /// A literal that must be equal.
    fn constant(&mut self, node: &Node) -> Option<Pattern> {
        let value = node.to_value();
        if value.to_string().contains("${") {
            let message = "an expression within a list of an event filter";
            let help = "write the whole list as one expression";
            self.report(codes::EVENT_FILTER, node.span, message).help = Some(help.to_owned());
            return None;
        }
        Some(Pattern::Equal(canonical(value)))
    }

    fn correlation(&mut self, correlation: &dsl::Correlation, seen: Seen) -> Option<Correlation> {
        let from = self.expression(&correlation.from, Stage::Nothing);
        let expect = match (&correlation.expect, seen) {
            (None, _) => Some(None),
            (Some(text), Seen::Task) => self.wording(text, Stage::Definition).map(Some),
            (Some(text), Seen::Event) => self.wording(text, Stage::Nothing).map(Some),
        };
        let from: Expression = from?.expression;
        Some(Correlation { name: Arc::clone(&correlation.name.text), from, expect: expect? })
    }
}
