//! Echoes: an integration that writes into a system hears of its own change as of any other. What
//! a call writes is marked with the intent of the call, so before the other system can tell of it;
//! an event that says just what a mark says is that echo, and no run begins.
//!
//! A mark answers for one event. A repeat of that event is recognised by its key.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use qc_expression::{EvalError, Expression, Limits, Scope};
use qc_model::{Failure, Name, RunId, Timestamp};
use qc_store::{Document, DocumentOp, Expect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    KeptScope,
    stored::{decode, encode},
};
use crate::record::hex;

/// The documents of marks.
pub(crate) const ECHO_KIND: &str = "echo";
/// So many marks of one object are looked at; they last as long as their window.
pub(super) const MARKS_MAX: usize = 100;
/// The longest window.
pub const ECHO_WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Which changes of which systems are the integration's own.
#[derive(Debug, Default)]
pub struct Echo {
    /// What calls write, by the place of their task.
    pub written: BTreeMap<String, EchoRule>,
    /// What triggers hear, by name.
    pub heard: BTreeMap<Name, EchoRule>,
}

/// How an object and its version are told.
#[derive(Debug)]
pub struct EchoRule {
    /// The system whose object it is.
    pub system: String,
    /// Which object: over `{arguments, answer}` of a call, or over the event.
    pub object: Expression,
    /// What of it was written, over the same: a value that is the same on both sides.
    pub version: Expression,
    /// How long the system may take to tell of a change.
    pub window: Duration,
}

/// A mark as stored. Holds hashes only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    version: String,
    run: RunId,
    at: Timestamp,
    pub(super) until: Timestamp,
    /// The event for which it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// An object and its version, as a rule tells them; None when the rule's object is null.
fn told(rule: &EchoRule, over: &Value, at: Timestamp) -> Result<Option<Told>, EvalError> {
    let scope = Scope { variables: &[], now_ms: at.as_millis(), limits: Limits::default() };
    let object = rule.object.evaluate(over, &scope)?;
    if object.is_null() {
        return Ok(None);
    }
    let version = rule.version.evaluate(over, &scope)?;
    Ok(Some(Told { object: hash(&object), version: hash(&version) }))
}

struct Told {
    object: String,
    version: String,
}

/// What the names of all marks of an object begin with.
fn prefix(scope: &KeptScope, rule: &EchoRule, object: &str) -> String {
    format!("{}{object}/", scope.of_echo(&rule.system))
}

/// The mark of a call; None when its rule cannot tell the object yet, which it can with the answer.
pub(crate) fn mark(
    rule: &EchoRule,
    scope: &KeptScope,
    effect: &str,
    run: RunId,
    call: (&Value, Option<&Value>),
    at: Timestamp,
) -> Result<Option<DocumentOp>, EvalError> {
    let (arguments, answer) = call;
    let over = json!({ "arguments": arguments, "answer": answer });
    let Some(told) = told(rule, &over, at)? else { return Ok(None) };
    let until = at + rule.window;
    let mark = Mark { version: told.version, run, at, until, by: None };
    let id = &hex(digest(&SHA256, effect.as_bytes()).as_ref())[..32];
    Ok(Some(DocumentOp::Put {
        kind: ECHO_KIND.to_owned(),
        name: format!("{}{id}", prefix(scope, rule, &told.object)),
        // A document of its own: nobody else writes it before it is there.
        expect: Expect::Any,
        body: encode(mark),
        at,
    }))
}

/// An event, as far as echoes go.
pub(super) struct Heard {
    /// What the names of the marks begin with that may be meant.
    pub(super) prefix: String,
    version: String,
    key: String,
}

/// What an event tells; None when its rule names no object in it.
pub(super) fn heard(
    rule: &EchoRule,
    scope: &KeptScope,
    event: &Value,
    key: &str,
    at: Timestamp,
) -> Result<Option<Heard>, EvalError> {
    let Some(told) = told(rule, event, at)? else { return Ok(None) };
    let prefix = prefix(scope, rule, &told.object);
    let key = hash(&Value::from(key));
    Ok(Some(Heard { prefix, version: told.version, key }))
}

/// Whose echo an event is.
#[derive(Debug, PartialEq)]
pub(super) struct Suppressed {
    /// The run that wrote it.
    pub(super) run: RunId,
    /// What is to be written for the mark to answer for this event alone.
    pub(super) document: Option<DocumentOp>,
}

/// Whether an event is an echo.
pub(super) fn judge(
    heard: &Heard,
    there: &[Document],
    at: Timestamp,
) -> Result<Option<Suppressed>, Box<Failure>> {
    let mut oldest: Option<(Mark, &Document)> = None;
    for document in there {
        let mark: Mark = decode(document)?;
        if mark.until <= at || mark.version != heard.version {
            continue;
        }
        match &mark.by {
            Some(by) if *by == heard.key => {
                return Ok(Some(Suppressed { run: mark.run, document: None }));
            }
            Some(_) => {}
            None if oldest.as_ref().is_some_and(|(older, _)| older.at <= mark.at) => {}
            None => oldest = Some((mark, document)),
        }
    }
    Ok(oldest.map(|(mark, document)| {
        let run = mark.run;
        let mark = Mark { by: Some(heard.key.clone()), ..mark };
        let (kind, name) = (document.kind.clone(), document.name.clone());
        let expect = Expect::Revision(document.revision);
        let put = DocumentOp::Put { kind, name, expect, body: encode(mark), at };
        Suppressed { run, document: Some(put) }
    }))
}

/// The same for the same value, however its fields are ordered and its numbers written.
fn hash(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, field) in sorted {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(field, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => text.push_str(&whole.to_string()),
            // `1.0` is 1 to whoever wrote it.
            (None, Some(float)) => text.push_str(&float.to_string()),
            (None, None) => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rule(object: &str, version: &str) -> EchoRule {
        let jq = |text: &str| Expression::parse(text, &[]).unwrap();
        EchoRule {
            system: "crm".to_owned(),
            object: jq(object),
            version: jq(version),
            window: MINUTE,
        }
    }

    fn scope() -> KeptScope {
        let name = |text: &str| Name::new(text).unwrap();
        KeptScope { tenant: name("t"), environment: name("e"), integration: name("i") }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn there(op: &DocumentOp) -> Document {
        let DocumentOp::Put { kind, name, body, at, .. } = op else { panic!("a put") };
        let (kind, name, body): (_, _, Bytes) = (kind.clone(), name.clone(), body.clone());
        Document { kind, name, revision: 1, body, updated_at: *at }
    }

    fn marked(effect: &str, arguments: &Value, now: Timestamp) -> Document {
        let rule = rule(".arguments.id", ".arguments.body | {name}");
        let run = RunId::from_bits(7);
        let op = mark(&rule, &scope(), effect, run, (arguments, None), now).unwrap().unwrap();
        there(&op)
    }

    fn event(id: &str, name: &str, key: &str) -> Heard {
        let rule = rule(".data.id", ".data | {name}");
        let data = json!({"data": {"name": name, "id": id, "more": 1.0}});
        heard(&rule, &scope(), &data, key, at(0)).unwrap().unwrap()
    }

    #[test]
    fn a_mark_answers_for_one_event_and_its_repeats() {
        let mark = marked("k", &json!({"id": "1", "body": {"name": "Ada"}}), at(0));
        assert!(mark.name.starts_with(&event("1", "Ada", "e1").prefix));
        let all = [mark];
        let first = judge(&event("1", "Ada", "e1"), &all, at(1)).unwrap().unwrap();
        let all = [there(first.document.as_ref().unwrap())];
        let again = judge(&event("1", "Ada", "e1"), &all, at(2)).unwrap().unwrap();
        assert_eq!(again.document, None);
        // Somebody changed it to the same by hand: that is a change.
        assert_eq!(judge(&event("1", "Ada", "e2"), &all, at(3)).unwrap(), None);
    }

    #[test]
    fn another_version_another_object_and_a_window_that_is_over_are_no_echo() {
        let all = [marked("k", &json!({"id": "1", "body": {"name": "Ada"}}), at(0))];
        assert_eq!(judge(&event("1", "Eva", "e"), &all, at(1)).unwrap(), None);
        assert!(!all[0].name.starts_with(&event("2", "Ada", "e").prefix));
        assert!(judge(&event("1", "Ada", "e"), &all, at(59)).unwrap().is_some());
        assert_eq!(judge(&event("1", "Ada", "e"), &all, at(60)).unwrap(), None);
    }

    #[test]
    fn two_writes_of_the_same_answer_for_two_events() {
        let written = json!({"id": "1", "body": {"name": "Ada"}});
        let mut all = [marked("b", &written, at(5)), marked("a", &written, at(1))];
        let first = judge(&event("1", "Ada", "e1"), &all, at(6)).unwrap().unwrap();
        all[1] = there(first.document.as_ref().unwrap());
        assert!(judge(&event("1", "Ada", "e2"), &all, at(6)).unwrap().is_some());
    }

    #[test]
    fn an_id_that_only_the_answer_knows_is_marked_with_the_answer() {
        let rule = rule(".answer.id", ".arguments");
        let (run, arguments) = (RunId::from_bits(7), json!({"a": 1}));
        let none = mark(&rule, &scope(), "k", run, (&arguments, None), at(0)).unwrap();
        assert_eq!(none, None);
        let answer = json!({"id": 7});
        let some = mark(&rule, &scope(), "k", run, (&arguments, Some(&answer)), at(0)).unwrap();
        assert!(some.is_some());
    }

    #[test]
    fn the_order_of_fields_and_the_form_of_numbers_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[2.0,"x"]}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":[2,"x"],"a":1.0}"#).unwrap();
        assert_eq!(hash(&one), hash(&other));
        assert_ne!(hash(&json!(["a", "b"])), hash(&json!(["ab"])));
        assert_ne!(hash(&json!("1")), hash(&json!(1)));
    }
}
