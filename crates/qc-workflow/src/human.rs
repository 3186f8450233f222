//! What a workflow asks of people: `call: human.approve | human.choose | human.fill`.
//!
//! The arguments are read here once for both: the check of the files, where an argument may still be an expression,
//! and the run, where it no longer is.

use qc_document::{DurationError, parse_duration};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{contains_placeholder, dsl::is_expression};

/// The name under which people are called; no connector may have it.
pub const HUMAN: &str = "human";

/// The most bytes of text that a title may have.
const TITLE_MAX: usize = 200;
/// The most bytes of a description.
const DESCRIPTION_MAX: usize = 8_192;
/// The most bytes, as JSON, of what is shown and of a form's schema.
const SHOWN_MAX: usize = 256 * 1024;
/// The most options of a choice.
const OPTIONS_MAX: usize = 50;
/// The most levels of an escalation.
const LEVELS_MAX: usize = 10;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HumanKind {
    /// Yes or no.
    Approve,
    /// One of several options.
    Choose,
    /// Values for a form.
    Fill,
}

impl HumanKind {
    /// All, for tables.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Choose, Self::Fill];

    /// The name as written after `human.`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Choose => "choose",
            Self::Fill => "fill",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The answers to an approval.
pub const APPROVED: &str = "approved";
/// See [`APPROVED`].
pub const REJECTED: &str = "rejected";
/// The answer of a form that was filled.
pub const FILLED: &str = "filled";

/// What is asked of a person, as a workflow says it.
#[derive(Debug, Clone, PartialEq)]
pub struct HumanTask {
    /// What is asked.
    pub kind: HumanKind,
    /// In a line.
    pub title: String,
    /// In more words.
    pub description: Option<String>,
    /// The data that the person looks at.
    pub of: Value,
    /// The person or team that is asked.
    pub assignee: Option<String>,
    /// What can be answered.
    pub options: Vec<HumanOption>,
    /// What a form's values must fit.
    pub schema: Option<Value>,
    /// After so many milliseconds there is no answer any more.
    pub deadline_ms: Option<u64>,
    /// Who is asked as well when nobody takes it, level by level.
    pub escalation: Vec<HumanLevel>,
    /// The answer that counts at the deadline; None: the call fails.
    pub on_expiry: Option<String>,
}

/// One of the answers that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanOption {
    /// What the workflow sees.
    pub id: String,
    /// What the person sees.
    pub title: String,
}

/// One level of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanLevel {
    /// The person or team.
    pub to: String,
    /// So many milliseconds after the task was opened.
    pub after_ms: u64,
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HumanProblem {
    /// Where: a JSON Pointer into the arguments.
    pub at: String,
    /// What kind.
    pub flaw: HumanFlaw,
    /// What is wrong, in words.
    pub message: String,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HumanFlaw {
    /// A key is missing, unknown or has a value of the wrong form.
    Form,
    /// What can be answered is not said, or an answer is named that cannot be given.
    Options,
    /// An escalation that has no end, or whose levels do not rise.
    Escalation,
    /// An expiry without a deadline.
    Expiry,
}

const KEYS: [&str; 9] = [
    "title",
    "description",
    "of",
    "assignee",
    "options",
    "schema",
    "deadline",
    "escalation",
    "on_expiry",
];

/// Reads the arguments. Whatever is wrong is told; a task comes only when nothing is. With `written` the arguments are
/// those of the file: an expression stands for a value that is not known yet, and nothing is said of it.
pub fn read_human(
    kind: HumanKind,
    with: &Value,
    written: bool,
) -> (Option<HumanTask>, Vec<HumanProblem>) {
    let mut reading = Reading { written, problems: Vec::new() };
    if reading.unknown(with) {
        return (None, Vec::new());
    }
    let Some(with) = with.as_object() else {
        reading.problem("", HumanFlaw::Form, "the arguments must be an object".to_owned());
        return (None, reading.problems);
    };
    let task = reading.task(kind, with);
    (reading.problems.is_empty().then_some(task), reading.problems)
}

struct Reading {
    written: bool,
    problems: Vec<HumanProblem>,
}

impl Reading {
    fn problem(&mut self, at: &str, flaw: HumanFlaw, message: String) {
        self.problems.push(HumanProblem { at: at.to_owned(), flaw, message });
    }

    /// Whether a value is only known at run time.
    fn unknown(&self, value: &Value) -> bool {
        self.written && value.as_str().is_some_and(is_expression)
    }

    fn task(&mut self, kind: HumanKind, with: &Map<String, Value>) -> HumanTask {
        for key in with.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let near = qc_document::closest(key, KEYS);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("`{key}` is no argument of `human.{}`{hint}", kind.as_str());
            self.problem(&format!("/{key}"), HumanFlaw::Form, message);
        }
        if !self.written && holds_secret(with.values()) {
            let message = "a secret is not shown to people".to_owned();
            self.problem("", HumanFlaw::Form, message);
        }
        let title = self.text(with, "title", TITLE_MAX);
        if title.is_none() && with.get("title").is_none_or(Value::is_null) {
            self.problem("", HumanFlaw::Form, "`title` is missing: what is asked".to_owned());
        }
        let description = self.text(with, "description", DESCRIPTION_MAX);
        let of = with.get("of").cloned().unwrap_or(Value::Null);
        self.size(&of, "of");
        let assignee = self.text(with, "assignee", TITLE_MAX);
        let options = self.options(kind, with);
        let schema = self.schema(kind, with);
        let deadline_ms = with.get("deadline").and_then(|v| self.duration(v, "/deadline"));
        let escalation = self.escalation(with);
        let on_expiry = self.on_expiry(kind, with, options.as_deref());
        let told = |key: &str| with.get(key).is_some_and(|value| !value.is_null());
        if told("on_expiry") && !told("deadline") {
            let message = "`on_expiry` says nothing without a `deadline`".to_owned();
            self.problem("/on_expiry", HumanFlaw::Expiry, message);
        }
        if let (Some(deadline), Some(last)) = (deadline_ms, escalation.last())
            && last.after_ms >= deadline
        {
            let message = format!("`{}` is asked when the deadline is over already", last.to);
            self.problem("/escalation", HumanFlaw::Escalation, message);
        }
        HumanTask {
            kind,
            title: title.unwrap_or_default(),
            description,
            of,
            assignee,
            options: options.unwrap_or_default(),
            schema,
            deadline_ms,
            escalation,
            on_expiry,
        }
    }

    fn text(&mut self, with: &Map<String, Value>, key: &str, max: usize) -> Option<String> {
        let value = with.get(key).filter(|value| !value.is_null())?;
        let at = format!("/{key}");
        match value {
            Value::String(text) if text.trim().is_empty() => {
                self.problem(&at, HumanFlaw::Form, format!("`{key}` is empty"));
                None
            }
            Value::String(text) if text.len() > max && !self.unknown(value) => {
                let message = format!("`{key}` has more than {max} bytes");
                self.problem(&at, HumanFlaw::Form, message);
                None
            }
            Value::String(text) => Some(text.clone()),
            _ => {
                self.problem(&at, HumanFlaw::Form, format!("`{key}` must be a text"));
                None
            }
        }
    }

    fn size(&mut self, value: &Value, key: &str) {
        if value.to_string().len() > SHOWN_MAX {
            let message = format!("`{key}` has more than {SHOWN_MAX} bytes; show less of it");
            self.problem(&format!("/{key}"), HumanFlaw::Form, message);
        }
    }

    /// The options; None when they are not known yet.
    fn options(&mut self, kind: HumanKind, with: &Map<String, Value>) -> Option<Vec<HumanOption>> {
        let given = with.get("options").filter(|value| !value.is_null());
        if kind != HumanKind::Choose {
            if given.is_some() {
                let message =
                    format!("`options` belong to `human.choose`, not to `{}`", kind.as_str());
                self.problem("/options", HumanFlaw::Options, message);
            }
            let fixed: &[&str] = match kind {
                HumanKind::Approve => &[APPROVED, REJECTED],
                HumanKind::Choose | HumanKind::Fill => &[],
            };
            let plain = |id: &&str| HumanOption { id: (*id).to_owned(), title: (*id).to_owned() };
            return Some(fixed.iter().map(plain).collect());
        }
        let Some(given) = given else {
            let message = "`options` is missing: what can be chosen".to_owned();
            self.problem("", HumanFlaw::Options, message);
            return None;
        };
        if self.unknown(given) {
            return None;
        }
        let Some(items) = given.as_array() else {
            let message = "`options` must be a list".to_owned();
            self.problem("/options", HumanFlaw::Options, message);
            return None;
        };
        if items.is_empty() || items.len() > OPTIONS_MAX {
            let message = format!("there must be from 1 to {OPTIONS_MAX} options");
            self.problem("/options", HumanFlaw::Options, message);
        }
        let mut options: Vec<HumanOption> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = format!("/options/{index}");
            if self.unknown(item) {
                return None;
            }
            let option = match item {
                Value::String(id) => Some(HumanOption { id: id.clone(), title: id.clone() }),
                Value::Object(object) => object.get("id").and_then(Value::as_str).map(|id| {
                    let title = object.get("title").and_then(Value::as_str).unwrap_or(id);
                    HumanOption { id: id.to_owned(), title: title.to_owned() }
                }),
                _ => None,
            };
            match option.filter(|option| !option.id.trim().is_empty()) {
                None => {
                    let message = "an option is a text, or `{id, title}`".to_owned();
                    self.problem(&at, HumanFlaw::Options, message);
                }
                Some(option) if options.iter().any(|known| known.id == option.id) => {
                    let message = format!("the option `{}` is there twice", option.id);
                    self.problem(&at, HumanFlaw::Options, message);
                }
                Some(option) => options.push(option),
            }
        }
        Some(options)
    }

    fn schema(&mut self, kind: HumanKind, with: &Map<String, Value>) -> Option<Value> {
        let given = with.get("schema").filter(|value| !value.is_null());
        match (kind, given) {
            (HumanKind::Fill, None) => {
                let message = "`schema` is missing: the JSON Schema of the form".to_owned();
                self.problem("", HumanFlaw::Form, message);
                None
            }
            (HumanKind::Fill, Some(schema)) => {
                if !self.unknown(schema) && !schema.is_object() {
                    let message = "`schema` must be a JSON Schema, an object".to_owned();
                    self.problem("/schema", HumanFlaw::Form, message);
                }
                self.size(schema, "schema");
                Some(schema.clone())
            }
            (_, Some(_)) => {
                let message =
                    format!("`schema` belongs to `human.fill`, not to `{}`", kind.as_str());
                self.problem("/schema", HumanFlaw::Form, message);
                None
            }
            (_, None) => None,
        }
    }

    fn duration(&mut self, value: &Value, at: &str) -> Option<u64> {
        if value.is_null() || self.unknown(value) {
            return None;
        }
        let what = at.rsplit('/').next().unwrap_or_default();
        let problem = match value.as_str().map(parse_duration) {
            Some(Ok(length)) => return Some(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            Some(Err(DurationError::TooLong)) => format!("`{what}` is longer than 100 years"),
            Some(Err(_)) | None => {
                format!("`{what}` must be a duration such as `30m`, `24h` or `P2D`")
            }
        };
        self.problem(at, HumanFlaw::Form, problem);
        None
    }

    fn escalation(&mut self, with: &Map<String, Value>) -> Vec<HumanLevel> {
        let given = with.get("escalation").filter(|value| !value.is_null());
        let Some(given) = given.filter(|given| !self.unknown(given)) else { return Vec::new() };
        let Some(items) = given.as_array() else {
            let message = "`escalation` must be a list of `{to, after}`".to_owned();
            self.problem("/escalation", HumanFlaw::Escalation, message);
            return Vec::new();
        };
        if items.len() > LEVELS_MAX {
            let message = format!("an escalation has at most {LEVELS_MAX} levels");
            self.problem("/escalation", HumanFlaw::Escalation, message);
        }
        if !items.is_empty() && with.get("deadline").is_none_or(Value::is_null) {
            let message = "an `escalation` needs a `deadline`: after its last level the run would wait for ever";
            self.problem("/escalation", HumanFlaw::Escalation, message.to_owned());
        }
        let mut levels: Vec<HumanLevel> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = format!("/escalation/{index}");
            let (to, after) = (item.get("to"), item.get("after"));
            let (Some(to), Some(after)) = (to.and_then(Value::as_str), after) else {
                let message = "a level is `{to, after}`: who, and after how long".to_owned();
                self.problem(&at, HumanFlaw::Escalation, message);
                continue;
            };
            if self.unknown(after) {
                continue;
            }
            let Some(after_ms) = self.duration(after, &format!("{at}/after")) else { continue };
            if levels.last().is_some_and(|before| before.after_ms >= after_ms) {
                let message = format!("`{to}` is asked not later than the level before");
                self.problem(&at, HumanFlaw::Escalation, message);
            }
            levels.push(HumanLevel { to: to.to_owned(), after_ms });
        }
        levels
    }

    fn on_expiry(
        &mut self,
        kind: HumanKind,
        with: &Map<String, Value>,
        options: Option<&[HumanOption]>,
    ) -> Option<String> {
        let given = with.get("on_expiry").filter(|value| !value.is_null())?;
        if self.unknown(given) {
            return None;
        }
        let text = given.as_str();
        if text == Some("fail") {
            return None;
        }
        let known = text.and_then(|text| {
            // Options that are not known yet may be anything.
            let fits = options.is_none_or(|options| options.iter().any(|one| one.id == text));
            fits.then(|| text.to_owned())
        });
        if known.is_none() {
            let names: Vec<String> = options
                .unwrap_or_default()
                .iter()
                .map(|option| format!("`{}`", option.id))
                .collect();
            let message = if kind == HumanKind::Fill {
                "nobody else fills a form: `on_expiry` is `fail`".to_owned()
            } else {
                format!("`on_expiry` is `fail` or one of {}", names.join(", "))
            };
            self.problem("/on_expiry", HumanFlaw::Options, message);
        }
        known
    }
}

/// Whether a secret stands in any of the values; as deep as they are, which the limits of JSON bound.
fn holds_secret<'a>(mut values: impl Iterator<Item = &'a Value>) -> bool {
    values.any(|value| match value {
        Value::String(text) => contains_placeholder(text),
        Value::Array(items) => holds_secret(items.iter()),
        Value::Object(fields) => {
            fields.keys().any(|key| contains_placeholder(key)) || holds_secret(fields.values())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(kind: HumanKind, with: Value, written: bool) -> Vec<String> {
        let (task, problems) = read_human(kind, &with, written);
        assert_eq!(task.is_none(), !problems.is_empty());
        problems.into_iter().map(|one| format!("{}: {}", one.at, one.message)).collect()
    }

    #[test]
    fn whatever_is_asked_is_read_as_it_is_meant() {
        let with = json!({
            "title": "Refund C-7?",
            "of": {"amount": 700},
            "assignee": "finance",
            "deadline": "24h",
            "escalation": [{"to": "ada", "after": "4h"}],
            "on_expiry": "rejected",
        });
        let (task, problems) = read_human(HumanKind::Approve, &with, false);
        assert_eq!(problems, []);
        let task = task.unwrap();
        assert_eq!(task.deadline_ms, Some(86_400_000));
        assert_eq!(task.escalation, [HumanLevel { to: "ada".into(), after_ms: 14_400_000 }]);
        assert_eq!(task.on_expiry.as_deref(), Some(REJECTED));
        let with = json!({"title": "t", "options": ["a", {"id": "b", "title": "The b"}]});
        let task = read_human(HumanKind::Choose, &with, false).0.unwrap();
        assert_eq!(task.options[1].title, "The b");
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_place() {
        let bad = json!({
            "titel": "x",
            "options": ["a"],
            "deadline": "soon",
            "on_expiry": "maybe",
            "escalation": [{"to": "ada", "after": "2h"}, {"to": "bob", "after": "1h"}],
        });
        let told = problems(HumanKind::Approve, bad, false);
        for wanted in [
            "/titel: ",
            ": `title` is missing",
            "/options: ",
            "/deadline: ",
            "/on_expiry: ",
            "/escalation/1: ",
        ] {
            assert!(told.iter().any(|one| one.contains(wanted)), "{wanted} is not in {told:#?}");
        }
        let endless = json!({"title": "t", "escalation": [{"to": "ada", "after": "1h"}]});
        assert!(problems(HumanKind::Approve, endless, false)[0].contains("for ever"));
        assert!(
            problems(HumanKind::Choose, json!({"title": "t"}), false)[0]
                .contains("`options` is missing")
        );
        assert!(
            problems(HumanKind::Fill, json!({"title": "t"}), false)[0]
                .contains("`schema` is missing")
        );
        let late =
            json!({"title": "t", "deadline": "1h", "escalation": [{"to": "a", "after": "1h"}]});
        assert!(problems(HumanKind::Approve, late, false)[0].contains("over already"));
        assert_eq!(problems(HumanKind::Approve, json!([]), false).len(), 1);
    }

    #[test]
    fn an_expression_is_judged_only_at_run_time() {
        let with = json!({
            "title": "${ .title }", "options": "${ .options }", "deadline": "${ .until }",
            "on_expiry": "later", "assignee": "${ .who }",
        });
        assert!(read_human(HumanKind::Choose, &with, true).1.is_empty());
        assert!(!read_human(HumanKind::Choose, &with, false).1.is_empty());
        assert!(read_human(HumanKind::Choose, &json!("${ . }"), true).1.is_empty());
    }
}
