//! A consumer, given what its provider may send under this version of a contract and under the next one.

use std::sync::Arc;

use qc_contract::{Schema, sample};
use qc_model::Caller;
use serde_json::{Map, Value};

use crate::cases::NotTried;
use crate::codes;
use crate::expectations::json_post;
use crate::judge::{Outcome, Problem};
use crate::report::{CaseResult, Exchange, Report, Subject};
use crate::target::Target;
use crate::vary::variations;
use crate::wire::{Courier, Unanswered};

/// How many sampled payloads of each version are sent.
const SAMPLES: u64 = 5;
/// Most payloads of one version.
const PAYLOAD_LIMIT: usize = 200;

/// Payloads to send, and where.
pub struct Delivery<'a> {
    /// Where they are posted, to this very address.
    pub target: Target,
    /// Who sends. Redirects must not be followed.
    pub caller: Arc<dyn Caller>,
    /// The contract under which the consumer reads, with its file's name.
    pub contract: (&'a str, &'a Schema),
    /// Its next version.
    pub next: Option<(&'a str, &'a Schema)>,
    /// What payloads grow from: the same seed, the same payloads.
    pub seed: u64,
    /// Most requests a second.
    pub rate: Option<u32>,
}

impl Delivery<'_> {
    /// Posts every payload; the consumer must take it with a 2xx.
    pub async fn run(&self) -> Report {
        let mut courier = Courier::new(Arc::clone(&self.caller), self.target.clone(), self.rate);
        let mut report = Report::new(Subject::Consumer, self.target.base(), self.seed);
        let next = self.next.map(|next| ("next", next));
        for (version, (file, schema)) in [("now", self.contract)].into_iter().chain(next) {
            let payloads = payloads(schema, self.seed);
            if payloads.is_empty() {
                report.not_tried.push(NotTried {
                    operation: file.to_owned(),
                    what: "every payload".to_owned(),
                    why: "none could be made that the schema admits".to_owned(),
                });
            }
            for payload in payloads {
                let wire = json_post(&payload.value);
                let answer = courier.post(&wire).await;
                let exchange = Exchange::of(&wire, answer.as_ref().ok(), &[]);
                let problem = match &answer {
                    Ok(answer) if answer.is_success() => None,
                    Ok(answer) => Some(format!("the consumer answered {}", answer.status)),
                    Err(Unanswered::Failed(error)) => {
                        Some(format!("there was no answer: {}", error.message))
                    }
                    Err(Unanswered::Unsendable) => Some("it cannot be sent".to_owned()),
                };
                let problems: Vec<Problem> = problem
                    .map(|message| {
                        let action = "have the consumer take whatever the contract admits";
                        Problem::new(codes::UNTAKEN, format!("{} {message}", payload.name), action)
                    })
                    .into_iter()
                    .collect();
                report.results.push(CaseResult {
                    id: format!("{version}/{}", payload.id),
                    name: payload.name,
                    kind: "payload",
                    is_negative: false,
                    operation: file.to_owned(),
                    pointer: payload.pointer,
                    place: None,
                    expected: "2xx".to_owned(),
                    exchange,
                    outcome: if problems.is_empty() { Outcome::Passed } else { Outcome::Failed },
                    problems,
                });
            }
        }
        report.requests = courier.sent();
        report
    }
}

struct Payload {
    id: String,
    name: String,
    /// Where in the payload the difference is.
    pointer: String,
    value: Value,
}

/// What the contract admits: sampled, with fields in another order, and at the edges of what it says.
fn payloads(schema: &Schema, seed: u64) -> Vec<Payload> {
    let mut all: Vec<Payload> = Vec::new();
    let mut put = |id: String, name: String, pointer: String, value: Value, is_same: bool| {
        let is_known = all.iter().any(|known| known.value == value) && !is_same;
        if all.len() < PAYLOAD_LIMIT && !is_known && schema.admits(&value) {
            all.push(Payload { id, name, pointer, value });
        }
    };
    let first = sample(schema.value(), seed);
    for turn in 0..SAMPLES {
        let value = sample(schema.value(), seed.wrapping_add(turn));
        put(
            format!("valid-{}", turn + 1),
            "a sampled payload:".to_owned(),
            String::new(),
            value,
            false,
        );
    }
    let (id, name) =
        ("reordered".to_owned(), "the same with its fields in another order:".to_owned());
    put(id, name, String::new(), reordered(&first), true);
    for variation in variations(schema.value(), &first, seed) {
        if variation.keeps == Some(false) {
            continue;
        }
        let place = if variation.pointer.is_empty() { "the payload" } else { &variation.pointer };
        let name = format!("`{place}` {}:", variation.words);
        let id = format!("{}{}", variation.slug, variation.pointer);
        put(id, name, variation.pointer.clone(), variation.value, false);
    }
    all
}

/// JSON objects have no order (RFC 8259, section 4): a consumer must not see one.
fn reordered(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let turned: Map<String, Value> =
                fields.iter().rev().map(|(name, inner)| (name.clone(), reordered(inner))).collect();
            Value::Object(turned)
        }
        Value::Array(items) => Value::Array(items.iter().map(reordered).collect()),
        other => other.clone(),
    }
}
