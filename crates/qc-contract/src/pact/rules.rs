//! Matching rules: which matcher speaks about which place.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::dates::Format;
use super::file::{Problem, Problems};
use super::path::{Expression, Step};

/// The part of an interaction that a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Part {
    Method,
    Path,
    Query,
    Header,
    Body,
    Status,
    Metadata,
}

/// All rules of a request, a response or a message.
#[derive(Clone, Default, Debug)]
pub(super) struct Rules {
    parts: BTreeMap<Part, Vec<(Expression, Matchers)>>,
}

/// The matchers of one place.
#[derive(Clone, Default, Debug)]
pub(super) struct Matchers {
    /// Whether one of them is enough.
    pub(super) any: bool,
    pub(super) all: Vec<Matcher>,
}

/// One matcher.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Equality,
    Type {
        min: Option<usize>,
        max: Option<usize>,
    },
    Regex(Pattern),
    Include(String),
    Number,
    Integer,
    Decimal,
    Boolean,
    Null,
    /// A date, a time or both; the word is for messages.
    Date(&'static str, Vec<Format>),
    ContentType(String),
    ArrayContains(Vec<Variant>),
    Values,
    EachKey(Vec<Matcher>),
    EachValue(Vec<Matcher>),
    Status(StatusClass),
    NotEmpty,
    Semver,
}

/// An element that an array contains: the place of its example, and its own rules.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) example: usize,
    pub(super) rules: Rules,
}

/// A regular expression that a text matches as a whole.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) source: String,
    compiled: fancy_regex::Regex,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

/// Most backtracking steps that a pattern may take on one text.
const BACKTRACK_LIMIT: usize = 100_000;
/// Largest compiled pattern, in bytes.
const PATTERN_SIZE_LIMIT: usize = 2 << 20;

impl Pattern {
    pub(super) fn new(source: &str) -> Result<Self, String> {
        let compiled = fancy_regex::RegexBuilder::new(&format!("^(?:{source})$"))
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(PATTERN_SIZE_LIMIT)
            .delegate_dfa_size_limit(PATTERN_SIZE_LIMIT)
            .build();
        match compiled {
            Ok(compiled) => Ok(Self { source: source.to_owned(), compiled }),
            Err(error) => Err(error.to_string().chars().take(200).collect()),
        }
    }

    /// A pattern that takes too long on a text does not match it.
    pub(super) fn fits(&self, text: &str) -> bool {
        self.compiled.is_match(text).unwrap_or(false)
    }
}

/// Statuses that are as good as one another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum StatusClass {
    Range(&'static str, u64, u64),
    List(Vec<u64>),
}

impl StatusClass {
    pub(super) fn holds(&self, status: u64) -> bool {
        match self {
            Self::Range(_, low, high) => (*low..=*high).contains(&status),
            Self::List(list) => list.contains(&status),
        }
    }
}

const CLASSES: [(&str, u64, u64); 7] = [
    ("info", 100, 199),
    ("success", 200, 299),
    ("redirect", 300, 399),
    ("clientError", 400, 499),
    ("serverError", 500, 599),
    ("nonError", 0, 399),
    ("error", 400, 599),
];

impl Rules {
    /// The rules as they stand in a file, of whatever version.
    pub(super) fn read(value: Option<&Value>, pointer: &str, problems: &mut Problems) -> Self {
        let mut rules = Self::default();
        let Some(value) = value.filter(|value| !value.is_null()) else { return rules };
        let Some(map) = value.as_object() else {
            problems.push(Problem::malformed(pointer, "matching rules must be an object"));
            return rules;
        };
        for (key, value) in map {
            let below = format!("{pointer}/{}", escaped(key));
            if key.starts_with('$') {
                rules.read_flat(key, value, &below, problems);
            } else {
                rules.read_part(key, value, &below, problems);
            }
        }
        rules
    }

    /// Version 2: `$.body.a`, `$.headers.X`, `$.query.q`, `$.path`.
    fn read_flat(&mut self, key: &str, value: &Value, pointer: &str, problems: &mut Problems) {
        let parts = [
            ("$.body", Part::Body),
            ("$.headers", Part::Header),
            ("$.header", Part::Header),
            ("$.query", Part::Query),
            ("$.path", Part::Path),
            ("$.status", Part::Status),
            ("$.method", Part::Method),
            ("$.metadata", Part::Metadata),
            ("$.metaData", Part::Metadata),
            ("$.content", Part::Body),
            ("$['body']", Part::Body),
        ];
        let found = parts.iter().find_map(|(prefix, part)| {
            let rest = key.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((*part, rest))
        });
        let Some((part, rest)) = found else {
            problems
                .push(Problem::rule(pointer, format!("`{key}` names no part of the interaction")));
            return;
        };
        if let Some(matcher) = Matcher::read(value, pointer, problems) {
            let matchers = Matchers { any: false, all: vec![matcher] };
            self.add(part, &format!("${rest}"), matchers, pointer, problems);
        }
    }

    /// Since version 3: a part, and in it the places.
    fn read_part(&mut self, key: &str, value: &Value, pointer: &str, problems: &mut Problems) {
        let part = match key {
            "method" => Part::Method,
            "path" => Part::Path,
            "query" => Part::Query,
            "header" | "headers" => Part::Header,
            "body" | "content" | "contents" => Part::Body,
            "status" => Part::Status,
            "metadata" | "metaData" => Part::Metadata,
            _ => {
                problems.push(Problem::rule(
                    pointer,
                    format!("`{key}` names no part of the interaction"),
                ));
                return;
            }
        };
        let Some(map) = value.as_object() else {
            problems.push(Problem::malformed(pointer, "the rules of a part must be an object"));
            return;
        };
        if map.get("matchers").is_some_and(Value::is_array) {
            let matchers = Matchers::read(map, pointer, problems);
            self.add(part, "$", matchers, pointer, problems);
            return;
        }
        for (place, value) in map {
            let below = format!("{pointer}/{}", escaped(place));
            let Some(map) = value.as_object() else {
                problems.push(Problem::malformed(&below, "the rules of a place must be an object"));
                continue;
            };
            let matchers = Matchers::read(map, &below, problems);
            self.add(part, place, matchers, &below, problems);
        }
    }

    fn add(
        &mut self,
        part: Part,
        place: &str,
        matchers: Matchers,
        pointer: &str,
        problems: &mut Problems,
    ) {
        match Expression::parse(place) {
            Ok(expression) if !matchers.all.is_empty() => {
                self.parts.entry(part).or_default().push((expression, matchers));
            }
            Ok(_) => {}
            Err(why) => {
                problems.push(Problem::rule(pointer, format!("`{place}` is no path: {why}")));
            }
        }
    }

    /// The matchers for a place, and whether they are inherited from a place above.
    pub(super) fn best(&self, part: Part, place: &[Step]) -> Option<(&Matchers, bool)> {
        let rules = self.parts.get(&part)?;
        let weighed = rules.iter().filter_map(|(expression, matchers)| {
            expression.weight(place).map(|weight| (weight, expression, matchers))
        });
        let (_, expression, matchers) = weighed.max_by_key(|(weight, _, _)| *weight)?;
        Some((matchers, !expression.reaches(place)))
    }

    /// The matchers for a header or a metadata field, whose names do not care about case.
    pub(super) fn for_name(&self, part: Part, name: &str) -> Option<&Matchers> {
        use super::path::Token;
        self.parts.get(&part)?.iter().find_map(|(expression, matchers)| {
            let fits = match expression.tokens.first() {
                Some(Token::Name(own)) => own.eq_ignore_ascii_case(name),
                Some(Token::Any) => true,
                _ => false,
            };
            fits.then_some(matchers)
        })
    }

    /// Whether a wildcard speaks about the fields of a place.
    pub(super) fn has_wildcard_below(&self, part: Part, place: &[Step]) -> bool {
        let rules = self.parts.get(&part).into_iter().flatten();
        rules.into_iter().any(|(expression, _)| expression.is_wildcard_below(place))
    }
}

impl Matchers {
    fn read(map: &Map<String, Value>, pointer: &str, problems: &mut Problems) -> Self {
        let any = map
            .get("combine")
            .and_then(Value::as_str)
            .is_some_and(|c| c.eq_ignore_ascii_case("or"));
        let mut all = Vec::new();
        match map.get("matchers") {
            Some(Value::Array(matchers)) => {
                for (index, matcher) in matchers.iter().enumerate() {
                    let pointer = format!("{pointer}/matchers/{index}");
                    all.extend(Matcher::read(matcher, &pointer, problems));
                }
            }
            Some(_) => problems.push(Problem::malformed(pointer, "`matchers` must be a list")),
            // Some writers leave the list out when there is one.
            None => all.extend(Matcher::read(&Value::Object(map.clone()), pointer, problems)),
        }
        Self { any, all }
    }
}

impl Matcher {
    fn read(value: &Value, pointer: &str, problems: &mut Problems) -> Option<Self> {
        let Some(map) = value.as_object() else {
            problems.push(Problem::malformed(pointer, "a matcher must be an object"));
            return None;
        };
        match Self::parse(map, pointer, problems) {
            Ok(matcher) => Some(matcher),
            Err(why) => {
                problems.push(Problem::rule(pointer, why));
                None
            }
        }
    }

    fn parse(
        map: &Map<String, Value>,
        pointer: &str,
        problems: &mut Problems,
    ) -> Result<Self, String> {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let count = |key: &str| {
            let count = map.get(key).and_then(Value::as_u64);
            count.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        };
        let of_type = || Self::Type { min: count("min"), max: count("max") };
        let Some(named) = text("match") else {
            let keys = ["regex", "date", "time", "timestamp"];
            if map.contains_key("min") || map.contains_key("max") {
                return Ok(of_type());
            }
            return match keys.iter().find(|key| map.contains_key(**key)) {
                Some(&"regex") => Self::regex(map),
                Some(kind) => date(kind, text(kind)),
                None => Err("the matcher does not say what it matches".to_owned()),
            };
        };
        let list = |key: &str, problems: &mut Problems| -> Vec<Self> {
            let rules = map.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
            rules
                .filter_map(|(at, rule)| {
                    Self::read(rule, &format!("{pointer}/{key}/{at}"), problems)
                })
                .collect()
        };
        Ok(match named {
            "equality" => Self::Equality,
            "type" | "min-type" | "max-type" | "minType" | "maxType" => of_type(),
            "regex" => return Self::regex(map),
            "include" => {
                Self::Include(text("value").ok_or("`include` needs a `value`")?.to_owned())
            }
            "number" => Self::Number,
            "integer" => Self::Integer,
            "decimal" | "real" => Self::Decimal,
            "boolean" => Self::Boolean,
            "null" => Self::Null,
            "date" | "time" | "timestamp" | "datetime" => {
                let kind = if named == "datetime" { "timestamp" } else { named };
                return date(kind, text("format").or(text(named)));
            }
            "contentType" | "content-type" => {
                Self::ContentType(text("value").ok_or("`contentType` needs a `value`")?.to_owned())
            }
            "arrayContains" | "array-contains" => Self::variants(map, pointer, problems)?,
            "values" => Self::Values,
            "eachKey" | "each-key" => Self::EachKey(list("rules", problems)),
            "eachValue" | "each-value" => Self::EachValue(list("rules", problems)),
            "statusCode" | "status-code" => Self::Status(status_class(map.get("status"))?),
            "notEmpty" | "not-empty" => Self::NotEmpty,
            "semver" => Self::Semver,
            other => return Err(format!("the matcher `{other}` is not known")),
        })
    }

    fn regex(map: &Map<String, Value>) -> Result<Self, String> {
        let source =
            map.get("regex").and_then(Value::as_str).ok_or("`regex` needs an expression")?;
        let pattern = Pattern::new(source);
        pattern.map(Self::Regex).map_err(|why| format!("the expression cannot be used: {why}"))
    }

    fn variants(
        map: &Map<String, Value>,
        pointer: &str,
        problems: &mut Problems,
    ) -> Result<Self, String> {
        let Some(variants) = map.get("variants").and_then(Value::as_array) else {
            return Err("`arrayContains` needs its `variants`".to_owned());
        };
        let mut read = Vec::new();
        for (at, variant) in variants.iter().enumerate() {
            let example = variant
                .get("index")
                .and_then(Value::as_u64)
                .map_or(at, |index| usize::try_from(index).unwrap_or(usize::MAX));
            let pointer = format!("{pointer}/variants/{at}/rules");
            let mut rules = Rules::default();
            for (place, value) in
                variant.get("rules").and_then(Value::as_object).into_iter().flatten()
            {
                let pointer = format!("{pointer}/{}", escaped(place));
                let Some(map) = value.as_object() else {
                    problems.push(Problem::malformed(
                        &pointer,
                        "the rules of a place must be an object",
                    ));
                    continue;
                };
                let matchers = Matchers::read(map, &pointer, problems);
                rules.add(Part::Body, place, matchers, &pointer, problems);
            }
            read.push(Variant { example, rules });
        }
        Ok(Self::ArrayContains(read))
    }
}

fn date(kind: &str, pattern: Option<&str>) -> Result<Matcher, String> {
    let (word, usual): (&'static str, &[&str]) = match kind {
        "date" => ("date", &["yyyy-MM-dd"]),
        "time" => ("time", &["HH:mm:ss", "HH:mm", "HH:mm:ss.SSS", "HH:mm:ssXXX"]),
        _ => (
            "timestamp",
            &[
                "yyyy-MM-dd'T'HH:mm:ss",
                "yyyy-MM-dd'T'HH:mm:ssXXX",
                "yyyy-MM-dd'T'HH:mm:ss.S",
                "yyyy-MM-dd'T'HH:mm:ss.SXXX",
                "yyyy-MM-dd HH:mm:ss",
            ],
        ),
    };
    let patterns = pattern.filter(|pattern| !pattern.is_empty());
    let formats: Result<Vec<Format>, String> = match &patterns {
        Some(own) => Format::parse(own).map(|format| vec![format]),
        None => usual.iter().map(|pattern| Format::parse(pattern)).collect(),
    };
    Ok(Matcher::Date(word, formats?))
}

fn status_class(value: Option<&Value>) -> Result<StatusClass, String> {
    match value {
        Some(Value::String(name)) => {
            let class = CLASSES.iter().find(|(known, _, _)| known == name);
            let (name, low, high) =
                class.ok_or_else(|| format!("`{name}` is no class of statuses"))?;
            Ok(StatusClass::Range(name, *low, *high))
        }
        Some(Value::Array(list)) => {
            Ok(StatusClass::List(list.iter().filter_map(Value::as_u64).collect()))
        }
        Some(Value::Number(one)) => Ok(StatusClass::List(one.as_u64().into_iter().collect())),
        _ => Err("`statusCode` needs a `status`".to_owned()),
    }
}

/// A name as a segment of a pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
