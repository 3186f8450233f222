//! Requests, responses and messages, part by part.

use percent_encoding::percent_decode_str;
use qc_model::Finding;
use serde_json::{Map, Value};

use super::body::{Allowance, compare_bodies};
use super::file::{read_message, read_request, read_response};
use super::headers::compare_headers;
use super::path::Step;
use super::rules::{Matcher, Part, Rules, escaped};
use super::values::{check, check_all_text, in_bounds, unequal};
use super::{Body, Difference, Message, Query, Request, Response, Specification};
use crate::codes;

/// Most differences that are told of one thing.
const DIFFERENCE_LIMIT: usize = 200;

impl Difference {
    pub(super) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl Request {
    /// An actual request.
    pub fn actual(
        method: &str,
        path: &str,
        query: &str,
        headers: Vec<(String, Vec<String>)>,
        body: Body,
    ) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Query::parse(query),
            headers,
            body,
            rules: Rules::default(),
            specification: Specification::V4,
        }
    }

    /// A request as an interaction of a file writes it.
    pub fn from_value(value: &Value, specification: Specification) -> Result<Self, Vec<Finding>> {
        let mut problems = Vec::new();
        let request = read_request(value, specification, "", &mut problems);
        problems_or(request, problems)
    }

    /// What about an actual request is not as this one.
    pub fn compare(&self, actual: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        if !self.method.eq_ignore_ascii_case(&actual.method) {
            let message = format!("must be `{}`", self.method.to_ascii_uppercase());
            found.push(Difference::new("/method", message));
        }
        match self.rules.best(Part::Path, &[]) {
            Some((matchers, _)) => {
                let why = check_all_text(matchers, &self.path, &actual.path);
                found.extend(why.into_iter().map(|why| Difference::new("/path", why)));
            }
            None if self.path != actual.path => {
                found.push(Difference::new("/path", format!("must be `{}`", self.path)));
            }
            None => {}
        }
        self.compare_query(actual, &mut found);
        compare_headers(&self.headers, &actual.headers, &self.rules, &mut found);
        compare_bodies(&self.body, &actual.body, &self.rules, Allowance::Exact, &mut found);
        found.truncate(DIFFERENCE_LIMIT);
        found
    }

    fn compare_query(&self, actual: &Self, found: &mut Vec<Difference>) {
        if self.specification == Specification::V1 {
            let raw = |query: &Query| decoded(query.raw.as_deref().unwrap_or_default());
            if raw(&self.query) != raw(&actual.query) {
                found.push(Difference::new("/query", "is not the expected query"));
            }
            return;
        }
        compare_fields(&self.query, &actual.query, &self.rules, Part::Query, "/query", found);
    }
}

impl Response {
    /// An actual response.
    pub fn actual(status: u64, headers: Vec<(String, Vec<String>)>, body: Body) -> Self {
        Self { status: Some(status), headers, body, rules: Rules::default() }
    }

    /// A response as an interaction of a file writes it.
    pub fn from_value(value: &Value, specification: Specification) -> Result<Self, Vec<Finding>> {
        let mut problems = Vec::new();
        let response = read_response(value, specification, "", &mut problems);
        problems_or(response, problems)
    }

    /// What about an actual response is not as this one.
    pub fn compare(&self, actual: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        if let Some(expected) = self.status {
            let actual = actual.status.unwrap_or(200);
            let why = match self.rules.best(Part::Status, &[]) {
                Some((matchers, _)) => {
                    check(matchers, false, &Value::from(expected), &Value::from(actual))
                }
                None if expected != actual => vec![format!("must be {expected}, but is {actual}")],
                None => Vec::new(),
            };
            found.extend(why.into_iter().map(|why| Difference::new("/status", why)));
        }
        compare_headers(&self.headers, &actual.headers, &self.rules, &mut found);
        compare_bodies(&self.body, &actual.body, &self.rules, Allowance::More, &mut found);
        found.truncate(DIFFERENCE_LIMIT);
        found
    }
}

impl Message {
    /// An actual message.
    pub fn actual(body: Body, metadata: Map<String, Value>) -> Self {
        Self { body, metadata, rules: Rules::default() }
    }

    /// A message as a file writes it.
    pub fn from_value(value: &Value, specification: Specification) -> Result<Self, Vec<Finding>> {
        let mut problems = Vec::new();
        let message = read_message(value, specification, "", &mut problems);
        problems_or(message, problems)
    }

    /// What about an actual message is not as this one.
    pub fn compare(&self, actual: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (name, expected) in &self.metadata {
            let pointer = format!("/metadata/{}", escaped(name));
            let same = actual.metadata.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            let Some((_, value)) = same else {
                // Its media type is that of its contents; a sender need not say it twice.
                if !name.eq_ignore_ascii_case("contentType") {
                    found.push(Difference::new(pointer, "is missing"));
                }
                continue;
            };
            let why = match self.rules.for_name(Part::Metadata, name) {
                Some(matchers) => check(matchers, false, expected, value),
                None if expected != value => vec![unequal(expected, value)],
                None => Vec::new(),
            };
            found.extend(why.into_iter().map(|why| Difference::new(pointer.clone(), why)));
        }
        compare_bodies(&self.body, &actual.body, &self.rules, Allowance::More, &mut found);
        found.truncate(DIFFERENCE_LIMIT);
        found
    }
}

fn problems_or<T>(value: T, problems: super::file::Problems) -> Result<T, Vec<Finding>> {
    if problems.is_empty() {
        return Ok(value);
    }
    Err(problems.into_iter().map(super::file::Problem::without_place).collect())
}

impl Query {
    /// A query as it stands in a URL, with or without its `?`.
    pub fn parse(text: &str) -> Self {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        let plain = text.strip_prefix('?').unwrap_or(text);
        for pair in plain.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => fields.push((name, vec![value])),
            }
        }
        Self { raw: Some(text.to_owned()), fields }
    }

    fn values(&self, name: &str) -> Option<&Vec<String>> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, values)| values)
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Compares named lists of values: queries and forms. Neither may have more than the other.
pub(super) fn compare_fields(
    expected: &Query,
    actual: &Query,
    rules: &Rules,
    part: Part,
    pointer: &str,
    found: &mut Vec<Difference>,
) {
    for (name, wanted) in &expected.fields {
        let pointer = format!("{pointer}/{}", escaped(name));
        let Some(values) = actual.values(name) else {
            found.push(Difference::new(pointer, "is missing"));
            continue;
        };
        let place = [Step::Name(name.clone())];
        let counts = rules.best(part, &place).map(|(matchers, _)| {
            matchers
                .all
                .iter()
                .any(|matcher| matches!(matcher, Matcher::Type { .. } | Matcher::Regex(_)))
        });
        if counts != Some(true) && wanted.len() != values.len() {
            let message = format!("must have {} values, but has {}", wanted.len(), values.len());
            found.push(Difference::new(pointer.clone(), message));
        }
        if let Some((matchers, _)) = rules.best(part, &place) {
            for matcher in &matchers.all {
                if let Matcher::Type { min, max } = matcher
                    && let Err(why) = in_bounds(values.len(), *min, *max)
                {
                    found.push(Difference::new(pointer.clone(), why));
                }
            }
        }
        for (at, value) in values.iter().enumerate() {
            let place = [Step::Name(name.clone()), Step::Index(at)];
            let example = wanted.get(at).or(wanted.last()).map_or("", String::as_str);
            let why = match rules.best(part, &place) {
                Some((matchers, _)) => check_all_text(matchers, example, value),
                None if wanted.get(at).is_some_and(|wanted| wanted != value) => {
                    vec![format!("must be `{example}`")]
                }
                None => Vec::new(),
            };
            found
                .extend(why.into_iter().map(|why| Difference::new(format!("{pointer}/{at}"), why)));
        }
    }
    for (name, _) in &actual.fields {
        if expected.values(name).is_none() && !rules.has_wildcard_below(part, &[]) {
            let message = "is not expected";
            found.push(Difference::new(format!("{pointer}/{}", escaped(name)), message));
        }
    }
}

impl super::file::Problem {
    fn without_place(self) -> Finding {
        let (pointer, code, message) = self.into_parts();
        let at = if pointer.is_empty() { String::new() } else { format!(" (at `{pointer}`)") };
        let is_rule = code == codes::PACT_RULE;
        let finding = Finding::error(code, format!("{message}{at}"));
        if is_rule { finding.help("mend the rule in the consumer's test") } else { finding }
    }
}
