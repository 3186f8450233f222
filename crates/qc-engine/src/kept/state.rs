//! Values by key: what a read answers, and what a write is to write.

use qc_model::{BlobValue, Failure, Timestamp};
use qc_store::{Document, DocumentOp, Expect};
use serde_json::{Value, json};

use super::{
    Decided, StateRule, VALUE_BYTES_MAX, fault,
    place::STATE_KIND,
    stored::{StoredValue, decode, encode, next_revision},
};

/// What a writer expects to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateExpect {
    /// Nothing in particular: the last writer wins.
    Any,
    /// Nothing.
    Absent,
    /// This revision.
    Revision(u64),
}

/// What is there: the value with its document, also one whose time has run out.
pub(super) struct There {
    document: u64,
    stored: StoredValue,
}

impl There {
    pub(super) fn of(document: Option<&Document>) -> Result<Option<Self>, Box<Failure>> {
        document
            .map(|document| Ok(Self { document: document.revision, stored: decode(document)? }))
            .transpose()
    }

    fn alive(&self, at: Timestamp) -> bool {
        self.stored.expires_at.is_none_or(|end| at < end)
    }
}

/// The value, when it is there and its time has not run out.
pub(super) fn live(there: Option<&There>, at: Timestamp) -> Option<&StoredValue> {
    there.filter(|there| there.alive(at)).map(|there| &there.stored)
}

/// The answer of a read.
pub(super) fn get(there: Option<&There>, at: Timestamp) -> Value {
    match live(there, at) {
        Some(stored) => json!({
            "found": true,
            "value": stored.value,
            "revision": stored.revision,
            "expires_at": stored.expires_at,
        }),
        None => json!({ "found": false, "value": null, "revision": null, "expires_at": null }),
    }
}

/// What `expect` of a workflow means.
pub(super) fn expectation(value: Option<&Value>) -> Result<StateExpect, Box<Failure>> {
    match value {
        None | Some(Value::Null) => Ok(StateExpect::Any),
        Some(Value::String(word)) if word == "absent" => Ok(StateExpect::Absent),
        Some(other) => other.as_u64().map(StateExpect::Revision).ok_or_else(|| {
            fault::argument("`expect` must be `absent` or a revision that was read".to_owned())
        }),
    }
}

fn as_expected(
    expect: StateExpect,
    there: Option<&There>,
    at: Timestamp,
) -> Result<(), Box<Failure>> {
    let revision = live(there, at).map(|stored| stored.revision);
    #[cfg(feature = "planted-bugs")]
    if crate::planted::planted(crate::planted::Bug::StateOverwritten) {
        return Ok(());
    }
    match (expect, revision) {
        (StateExpect::Any, _) | (StateExpect::Absent, None) => Ok(()),
        (StateExpect::Revision(wanted), Some(found)) if wanted == found => Ok(()),
        (StateExpect::Absent, Some(found)) => Err(fault::state_conflict(
            format!("there is a value already, revision {found}"),
            revision,
        )),
        (StateExpect::Revision(wanted), Some(found)) => {
            let detail = format!("revision {wanted} was expected, but there is {found}");
            Err(fault::state_conflict(detail, revision))
        }
        (StateExpect::Revision(wanted), None) => {
            let detail = format!("revision {wanted} was expected, but there is no value");
            Err(fault::state_conflict(detail, None))
        }
    }
}

fn before(there: Option<&There>) -> Expect {
    there.map_or(Expect::Absent, |there| Expect::Revision(there.document))
}

/// A value that may be kept.
pub(super) fn checked(rule: &StateRule, value: &Value) -> Result<(), Box<Failure>> {
    let size = value.to_string().len();
    if size > VALUE_BYTES_MAX {
        let detail = format!("the value has {size} bytes; the limit is {VALUE_BYTES_MAX}");
        return Err(fault::too_large(detail));
    }
    refuse_what_cannot_stay(value)?;
    let Some(schema) = &rule.schema else { return Ok(()) };
    let wrong = schema.check(value);
    let Some(first) = wrong.first() else { return Ok(()) };
    let more = wrong.len() - 1;
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Err(fault::schema(format!("{first}{more}")))
}

/// A secret must not be kept in the open, and a large body is kept for its run only.
fn refuse_what_cannot_stay(value: &Value) -> Result<(), Box<Failure>> {
    if BlobValue::of(value).is_some() {
        let detail = "the value names a large body, which is kept for its run only";
        return Err(fault::argument(detail.to_owned()));
    }
    match value {
        Value::String(text) if qc_workflow::contains_placeholder(text) => Err(fault::argument(
            "the value holds a secret: it would be kept in the open".to_owned(),
        )),
        Value::Array(items) => items.iter().try_for_each(refuse_what_cannot_stay),
        Value::Object(fields) => fields.values().try_for_each(refuse_what_cannot_stay),
        _ => Ok(()),
    }
}

/// Writes a value.
pub(super) fn put(
    rule: &StateRule,
    name: &str,
    value: &Value,
    expect: StateExpect,
    there: Option<&There>,
    at: Timestamp,
) -> Result<Decided, Box<Failure>> {
    checked(rule, value)?;
    as_expected(expect, there, at)?;
    let revision = next_revision(there.map(|there| there.stored.revision), at);
    let expires_at = rule.ttl.map(|ttl| at + ttl);
    let body = encode(StoredValue { revision, value: value.clone(), expires_at });
    let (kind, name) = (STATE_KIND.to_owned(), name.to_owned());
    Ok(Decided {
        answer: json!({ "revision": revision, "expires_at": expires_at }),
        documents: vec![DocumentOp::Put { kind, name, expect: before(there), body, at }],
    })
}

/// Removes a value.
pub(super) fn delete(
    name: &str,
    expect: StateExpect,
    there: Option<&There>,
    at: Timestamp,
) -> Result<Decided, Box<Failure>> {
    as_expected(expect, there, at)?;
    let removed = live(there, at).is_some();
    let (kind, name) = (STATE_KIND.to_owned(), name.to_owned());
    let gone = there.map(|_| DocumentOp::Delete { kind, name, expect: before(there) });
    Ok(Decided { answer: json!({ "removed": removed }), documents: gone.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::codes;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000 * seconds)
    }

    /// What is there after a write.
    fn written(decided: &Decided, revision: u64) -> Option<There> {
        let DocumentOp::Put { kind, name, body, at, .. } = &decided.documents[0] else {
            return None;
        };
        let (kind, name, body) = (kind.clone(), name.clone(), body.clone());
        There::of(Some(&Document { kind, name, revision, body, updated_at: *at })).unwrap()
    }

    #[test]
    fn a_value_is_there_until_its_time_has_run_out() {
        let rule = StateRule { ttl: Some(Duration::from_secs(60)), schema: None };
        let put = put(&rule, "n", &json!(1), StateExpect::Absent, None, at(0)).unwrap();
        let there = written(&put, 1);
        assert_eq!(get(there.as_ref(), at(59))["value"], 1);
        assert_eq!(get(there.as_ref(), at(60))["found"], false);
        // What has run out is nothing to those who write, and the document is replaced.
        let again = super::put(&rule, "n", &json!(2), StateExpect::Absent, there.as_ref(), at(61));
        let DocumentOp::Put { expect, .. } = &again.unwrap().documents[0] else { panic!() };
        assert_eq!(*expect, Expect::Revision(1));
    }

    #[test]
    fn an_expectation_that_does_not_hold_is_a_conflict_that_tells_the_revision() {
        let rule = StateRule::default();
        let first = put(&rule, "n", &json!(1), StateExpect::Any, None, at(5)).unwrap();
        let there = written(&first, 1);
        for expect in [StateExpect::Absent, StateExpect::Revision(7)] {
            let failure = put(&rule, "n", &json!(2), expect, there.as_ref(), at(6)).unwrap_err();
            assert_eq!(
                (failure.code, failure.data),
                (codes::STATE_CONFLICT, Some(json!({"revision": 5_000})))
            );
        }
        let second = StateExpect::Revision(5_000);
        assert!(put(&rule, "n", &json!(2), second, there.as_ref(), at(6)).is_ok());
        assert!(delete("n", second, None, at(6)).is_err());
        assert_eq!(delete("n", StateExpect::Any, None, at(6)).unwrap().documents, []);
    }

    #[test]
    fn what_cannot_stay_is_refused() {
        let rule = StateRule::default();
        let secret = qc_workflow::SecretMark::new(1).placeholder("token");
        let blob = json!({"blob": "ab".repeat(32), "size": 9});
        for (value, code) in [
            (json!("x".repeat(VALUE_BYTES_MAX)), codes::KEPT_TOO_LARGE),
            (json!({"a": [secret]}), codes::KEPT_ARGUMENT),
            (json!({"file": blob}), codes::KEPT_ARGUMENT),
        ] {
            assert_eq!(checked(&rule, &value).unwrap_err().code, code);
        }
        let text = Value::from("x".repeat(VALUE_BYTES_MAX - 2));
        assert!(checked(&rule, &text).is_ok());
        let schema = qc_contract::Schema::compile(
            &json!({"type": "object", "required": ["a"]}),
            &std::collections::BTreeMap::<String, String>::new(),
        );
        let rule = StateRule { schema: Some(schema.unwrap()), ttl: None };
        assert_eq!(checked(&rule, &json!({"b": 1})).unwrap_err().code, codes::KEPT_SCHEMA);
    }
}
