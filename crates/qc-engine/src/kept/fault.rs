//! What goes wrong with what is kept.

use qc_model::{Class, Failure, NextAction, Retry};
use qc_store::StoreError;
use serde_json::Value;

use crate::codes;

/// A `try` that reads again may try again.
const AGAIN: Retry = Retry::After { stated_ms: None };

/// A value is not as the writer expected it.
pub(super) fn state_conflict(detail: String, revision: Option<u64>) -> Box<Failure> {
    Box::new(Failure {
        retry: AGAIN,
        data: Some(serde_json::json!({ "revision": revision })),
        ..Failure::new(
            Class::Conflict,
            codes::STATE_CONFLICT,
            "the value is not as expected",
            detail,
        )
    })
}

/// An id is linked to another one.
pub(super) fn link_conflict(system: &str, id: &str, linked_to: &str, asked: &str) -> Box<Failure> {
    Box::new(Failure {
        retry: AGAIN,
        data: Some(serde_json::json!({
            "system": system, "id": id, "linked_to": linked_to, "asked": asked,
        })),
        ..Failure::new(
            Class::Conflict,
            codes::LINK_CONFLICT,
            "the id is linked to another one",
            format!(
                "an id of `{system}` is linked to another id already: find it, or unlink it first"
            ),
        )
    })
}

pub(super) fn too_large(detail: String) -> Box<Failure> {
    let title = "more than can be kept";
    Box::new(Failure::new(Class::Invalid, codes::KEPT_TOO_LARGE, title, detail))
}

pub(super) fn schema(detail: String) -> Box<Failure> {
    let title = "the value does not fit the state's schema";
    Box::new(Failure::new(Class::Invalid, codes::KEPT_SCHEMA, title, detail))
}

pub(super) fn argument(detail: String) -> Box<Failure> {
    let title = "an argument does not do";
    Box::new(Failure::new(Class::Invalid, codes::KEPT_ARGUMENT, title, detail))
}

/// Others wrote first each time.
pub(crate) fn contended(tries: u32) -> Failure {
    Failure {
        retry: AGAIN,
        next_action: NextAction::Retry,
        ..Failure::new(
            Class::Conflict,
            codes::KEPT_CONTENDED,
            "others wrote the same at the same time",
            format!("{tries} times in a row somebody else was first"),
        )
    }
}

/// What is stored cannot be read by this version.
pub(super) fn unreadable(kind: &str, detail: String) -> Box<Failure> {
    let title = "what is kept cannot be read";
    let detail = format!("a document of the kind `{kind}`: {detail}");
    Box::new(Failure::new(Class::Internal, codes::KEPT_UNREADABLE, title, detail))
}

/// The store did not answer.
pub(super) fn store(error: &StoreError) -> Box<Failure> {
    let title = "what is kept cannot be reached now";
    Box::new(Failure::new(Class::Dependency, codes::KEPT_UNREADABLE, title, error.to_string()))
}

/// Nothing of that name is declared.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Box<Failure> {
    let there = if known.is_empty() {
        format!("the release declares no {what}")
    } else {
        format!("the release declares {}", known.join(", "))
    };
    Box::new(Failure {
        data: Some(Value::from(known.to_vec())),
        ..Failure::new(
            Class::NotFound,
            codes::KEPT_UNKNOWN,
            "nothing of that name is kept",
            format!("there is no {what} `{name}`: {there}"),
        )
    })
}
