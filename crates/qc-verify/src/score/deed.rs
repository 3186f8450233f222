//! The ways of breaking a contract that an operation offers.

use qc_contract::{Direction, OpenApi, Operation};
use serde_json::Value;

use super::Mutant;
use super::spoil::{self, Spoil, Spoiled};
use super::weaken::{self, Forgotten};
use crate::credentials::is_protected;
use crate::wire::{Answer, is_json};

/// What a mutated provider does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Answers otherwise.
    Spoils(Spoiled),
    /// Does not check one thing of requests.
    Forgets(Forgotten),
    /// Serves everybody.
    NoAuthentication,
    /// Serves whoever shows anything.
    AnyCredentials,
}

/// All mutants of an operation: its checks from the description, its answers from those that came.
pub(super) fn mutants(api: &OpenApi, operation: &Operation, answers: &[Answer]) -> Vec<Mutant> {
    let mut all = Vec::new();
    let mut put = |kind: String, words: String, deed: Deed| {
        let operation = operation.id.to_string();
        all.push(Mutant { operation, kind, words, is_caught: false, deed });
    };
    if is_protected(operation) {
        let words = "serves requests without credentials";
        put("no-authentication".to_owned(), words.to_owned(), Deed::NoAuthentication);
        let words = "serves requests with any credentials";
        put("any-credentials".to_owned(), words.to_owned(), Deed::AnyCredentials);
    }
    for forgotten in weaken::of(api, operation) {
        let words = forgotten.words();
        put(format!("forgets-{}", forgotten.keyword), words, Deed::Forgets(forgotten));
    }
    for answer in answers {
        for (kind, words, spoil) in of_answer(api, operation, answer) {
            let deed = Deed::Spoils(Spoiled { status: answer.status, spoil });
            put(kind.to_owned(), format!("{}: {words}", answer.status), deed);
        }
    }
    all
}

fn of_answer(
    api: &OpenApi,
    operation: &Operation,
    answer: &Answer,
) -> Vec<(&'static str, String, Spoil)> {
    let mut all = Vec::new();
    if (400..500).contains(&answer.status) {
        all.push(("fails", "fails (500) instead".to_owned(), Spoil::Status(500)));
        all.push(("accepts", "answers with the success instead".to_owned(), Spoil::Success));
    } else {
        let others = [299, 207, 226, 208];
        let is_free = |status: &u16| {
            // `default` and `2XX` describe every other status, too.
            operation.response(*status).is_none()
        };
        if let Some(status) = others.into_iter().find(is_free) {
            let words = format!("answers with {status} instead");
            all.push(("wrong-status", words, Spoil::Status(status)));
        }
    }
    let Some(response) = operation.response(answer.status) else { return all };
    for header in response.headers.iter().filter(|header| header.required) {
        let name = header.name.to_string();
        all.push(("drop-header", format!("without the header `{name}`"), Spoil::DropHeader(name)));
    }
    let media_type = answer.media_type().unwrap_or_default();
    if answer.body.is_empty() || response.content.is_empty() {
        return all;
    }
    let words = "with a media type that is not described".to_owned();
    all.push(("wrong-media-type", words, Spoil::MediaType));
    all.push(("no-body", "without its body".to_owned(), Spoil::NoBody));
    let same = |content: &&qc_contract::Content| content.media_type.starts_with(&media_type);
    let content = response.content.iter().find(same);
    let schema = content.and_then(|content| content.schema.as_ref());
    if !is_json(&media_type) {
        return all;
    }
    all.push(("not-json", "with JSON that is cut off".to_owned(), Spoil::NotJson));
    if let (Some(at), Some(value)) = (schema, answer.json()) {
        let schema: Value = api.schema(at, Direction::Response);
        all.extend(spoil::of_body(&schema, &value));
    }
    all
}
