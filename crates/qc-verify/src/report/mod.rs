//! What came of a verification: every case with what was sent, what came, what was expected and what to do.

mod human;
mod json;
mod junit;

use std::collections::BTreeSet;

use qc_contract::{Operation, StatusPattern};
use qc_model::Place;
use serde_json::Value;

use crate::cases::{Case, Kind, NotTried};
use crate::judge::{Outcome, Problem, Verdict};
use crate::provider::cut_words;
use crate::score::Score;
use crate::wire::{Answer, Wire, encoded, is_json};

/// How deep the shape of a body is shown.
const SHAPE_DEPTH: usize = 6;
/// Most fields and items that are shown of one object or list.
const SHAPE_WIDTH: usize = 20;

/// Who was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A provider, against its own description.
    Provider,
    /// A provider, against what a consumer expects.
    Expectations,
    /// A consumer, with what its provider may send.
    Consumer,
}

impl Subject {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Expectations => "expectations",
            Self::Consumer => "consumer",
        }
    }
}

/// What travelled. Values are shown as their kinds, credentials not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Method and path with its query.
    pub request: String,
    /// The request's media type and the shape of its body.
    pub sent: String,
    /// The answer's status; `None` when there was none.
    pub status: Option<u16>,
    /// The answer's media type and the shape of its body.
    pub received: String,
}

impl Exchange {
    pub(crate) fn unsent() -> Self {
        Self {
            request: String::new(),
            sent: "nothing".to_owned(),
            status: None,
            received: String::new(),
        }
    }

    pub(crate) fn of(wire: &Wire, answer: Option<&Answer>, carriers: &[String]) -> Self {
        let mut shown = wire.clone();
        for (name, value) in &mut shown.query {
            if carriers.contains(&name.to_ascii_lowercase()) {
                "hidden".clone_into(value);
            }
        }
        let names: BTreeSet<String> =
            wire.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let mut sent = shape(wire.media_type.as_deref(), &wire.body);
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            sent = format!("{sent}; headers {}", names.join(", "));
        }
        let received = answer.map(|answer| shape(answer.header("content-type"), &answer.body));
        Self {
            request: format!("{} {}", encoded(&shown.method), shortened(&shown.target(), 300)),
            sent,
            status: answer.map(|answer| answer.status),
            received: received.unwrap_or_else(|| "no answer".to_owned()),
        }
    }
}

fn shape(media_type: Option<&str>, body: &[u8]) -> String {
    if body.is_empty() {
        return "no body".to_owned();
    }
    let media_type = media_type.unwrap_or("no media type");
    let value: Option<Value> =
        if is_json(media_type) { serde_json::from_slice(body).ok() } else { None };
    match value {
        Some(value) => {
            let mut text = String::new();
            outline(&value, &mut text, 0);
            format!("{media_type} {}", shortened(&text, 600))
        }
        None => format!("{media_type}, {} bytes", body.len()),
    }
}

/// A value with its scalars replaced by their kinds.
fn outline(value: &Value, text: &mut String, depth: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(_) => text.push_str("boolean"),
        Value::Number(number) if number.is_f64() => text.push_str("number"),
        Value::Number(_) => text.push_str("integer"),
        Value::String(inner) => {
            text.push_str("string(");
            text.push_str(&inner.chars().count().to_string());
            text.push(')');
        }
        Value::Array(_) | Value::Object(_) if depth >= SHAPE_DEPTH => text.push('…'),
        Value::Array(items) => {
            text.push('[');
            if let Some(first) = items.first() {
                outline(first, text, depth + 1);
                if items.len() > 1 {
                    text.push_str(", … ");
                    text.push_str(&items.len().to_string());
                    text.push_str(" items");
                }
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (at, (name, inner)) in fields.iter().take(SHAPE_WIDTH).enumerate() {
                if at > 0 {
                    text.push_str(", ");
                }
                text.push_str(&shortened(name, 64));
                text.push_str(": ");
                outline(inner, text, depth + 1);
            }
            if fields.len() > SHAPE_WIDTH {
                text.push_str(", …");
            }
            text.push('}');
        }
    }
}

pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= limit {
        return clean.collect();
    }
    clean.take(limit).chain(['…']).collect()
}

/// One case and what came of it.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// Stable as long as the operation's name and the place are.
    pub id: String,
    /// In a sentence.
    pub name: String,
    /// What it is about.
    pub kind: &'static str,
    /// Whether something is sent that must be refused.
    pub is_negative: bool,
    /// The operation or interaction.
    pub operation: String,
    /// JSON Pointer in the description or file.
    pub pointer: String,
    /// File, line and column.
    pub place: Option<Place>,
    /// What must come.
    pub expected: String,
    /// What travelled.
    pub exchange: Exchange,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not pass.
    pub problems: Vec<Problem>,
}

impl CaseResult {
    pub(crate) fn of(
        operation: &Operation,
        case: &Case,
        verdict: Verdict,
        exchange: Exchange,
    ) -> Self {
        Self {
            id: case.id.clone(),
            name: case.name.clone(),
            kind: case.kind.as_str(),
            is_negative: case.kind != Kind::Valid,
            operation: operation.id.to_string(),
            pointer: case.pointer.clone(),
            place: Some(case.place.clone()),
            expected: case.expects.words().to_owned(),
            exchange,
            outcome: verdict.outcome,
            problems: verdict.problems,
        }
    }
}

/// Which of an operation's described statuses came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The operation's id.
    pub operation: String,
    /// What is described, as it is written there, with how often it came.
    pub statuses: Vec<(String, usize)>,
    patterns: Vec<StatusPattern>,
}

impl Seen {
    pub(crate) fn of(operation: &Operation) -> Self {
        let patterns: Vec<StatusPattern> =
            operation.responses.iter().map(|response| response.status).collect();
        let statuses = patterns.iter().map(|pattern| (pattern.to_string(), 0)).collect();
        Self { operation: operation.id.to_string(), statuses, patterns }
    }

    pub(crate) fn saw(&mut self, status: Option<u16>) {
        let Some(status) = status else { return };
        let family = StatusPattern::Range(u8::try_from(status / 100).unwrap_or(0));
        let wanted = [StatusPattern::Exact(status), family, StatusPattern::Default];
        let at = wanted.iter().find_map(|wanted| self.patterns.iter().position(|p| p == wanted));
        if let Some((_, count)) = at.and_then(|at| self.statuses.get_mut(at)) {
            *count += 1;
        }
    }

    /// Those that never came.
    pub fn unseen(&self) -> Vec<&str> {
        self.statuses
            .iter()
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// How many cases were kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Tried.
    pub kept: usize,
    /// Made from the description.
    pub possible: usize,
}

/// The result of a verification.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who was verified.
    pub subject: Subject,
    /// Its base address.
    pub target: String,
    /// What generated values grew from.
    pub seed: u64,
    /// Every case, in order.
    pub results: Vec<CaseResult>,
    /// What was not tried, and why.
    pub not_tried: Vec<NotTried>,
    /// Which described statuses came.
    pub seen: Vec<Seen>,
    /// How many requests were sent, those that prepare others included.
    pub requests: usize,
    /// Set when a limit left cases out.
    pub cut: Option<Cut>,
    /// How strong the cases are, when that was asked for.
    pub score: Option<Score>,
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// For pipelines.
    Junit,
}

impl Format {
    /// The names of all formats.
    pub const NAMES: [&'static str; 3] = ["human", "json", "junit"];

    /// A format by its name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            "junit" => Some(Self::Junit),
            _ => None,
        }
    }
}

impl Report {
    pub(crate) fn new(subject: Subject, target: &str, seed: u64) -> Self {
        Self {
            subject,
            target: target.to_owned(),
            seed,
            results: Vec::new(),
            not_tried: Vec::new(),
            seen: Vec::new(),
            requests: 0,
            cut: None,
            score: None,
        }
    }

    /// How many cases ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.results.iter().filter(|result| result.outcome == outcome).count()
    }

    /// Whether nothing at all was shown: there are cases, and of those that should succeed none did or failed.
    pub fn shows_nothing(&self) -> bool {
        let mut hopeful = self.results.iter().filter(|result| !result.is_negative).peekable();
        hopeful.peek().is_some() && hopeful.all(|result| result.outcome == Outcome::Undecided)
    }

    /// How many of a hundred cases send what must be refused.
    pub fn negative_percent(&self) -> usize {
        let negative = self.results.iter().filter(|result| result.is_negative).count();
        (negative * 100).checked_div(self.results.len()).unwrap_or(0)
    }

    /// What was not tried, the cut by limits included.
    pub fn left_out(&self) -> Vec<NotTried> {
        let cut = self.cut.as_ref().map(cut_words);
        cut.into_iter().chain(self.not_tried.iter().cloned()).collect()
    }
}

/// Reports as one text.
pub fn written(reports: &[Report], format: Format) -> String {
    match format {
        Format::Human => reports.iter().map(human::write).collect::<Vec<String>>().join("\n"),
        Format::Json => serde_json::to_string_pretty(&json::write(reports)).unwrap_or_default(),
        Format::Junit => junit::write(reports),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_and_no_credential_is_shown() {
        let mut wire = Wire::bare("POST", "/pets");
        wire.query = vec![("key".into(), "k-secret".into()), ("limit".into(), "3".into())];
        wire.headers = vec![("Authorization".into(), "Bearer t-secret".into())];
        wire.media_type = Some("application/json".into());
        wire.body =
            json!({ "name": "v-secret", "tags": ["v-secret", 1.5], "n": null }).to_string().into();
        let answer = Answer {
            status: 200,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: "v-secret".into(),
        };
        let exchange = Exchange::of(&wire, Some(&answer), &["authorization".into(), "key".into()]);
        assert!(!format!("{exchange:?}").contains("secret"), "{exchange:?}");
        assert_eq!(exchange.request, "POST /pets?key=hidden&limit=3");
        assert_eq!(
            exchange.sent,
            "application/json {name: string(8), tags: [string(8), … 2 items], n: null}; headers authorization"
        );
        assert_eq!(exchange.received, "text/plain, 8 bytes");
    }
}
