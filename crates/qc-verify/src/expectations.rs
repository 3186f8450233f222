//! Pact files against a provider: what each consumer expects is asked for, and compared with what comes.
//!
//! States and messages are told as Pact's own verifiers do it: a state by `POST` with `consumer`, `state`, `params` and
//! `action: setup`; a message is asked for by `POST` with `description` and `providerStates`.

use std::sync::Arc;

use base64::Engine as _;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use qc_contract::pact::{
    Body, Content, Difference, Exchange as Pacted, Interaction, Message, Pact, Request, Response,
    State,
};
use qc_contract::{OpenApi, Routed};
use qc_document::{Document, ParseLimits, Source};
use qc_model::{Caller, Finding, Place};
use serde_json::{Map, Value, json};

use crate::cases::NotTried;
use crate::codes;
use crate::credentials::{Credentials, Sign, alternative, carriers};
use crate::judge::{Outcome, Problem};
use crate::report::{CaseResult, Exchange, Report, Subject, shortened};
use crate::target::Target;
use crate::wire::{Answer, Courier, Unanswered, Wire};

/// Most interactions of one replay.
const INTERACTION_LIMIT: usize = 5_000;
/// What cannot stand in a path as it is; a `%` is taken as written by the consumer.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'#')
    .add(b'?')
    .add(b'{')
    .add(b'}');
/// The header in which a message's metadata come, base64 of JSON.
const METADATA: &str = "pact-message-metadata";

/// A consumer's file, with its places.
pub struct PactFile {
    pact: Pact,
    document: Document,
}

impl PactFile {
    /// Reads a file; what is not understood is an error, since it would admit anything.
    pub fn read(path: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let (pact, findings) = Pact::read(path, text);
        let document = qc_document::parse(Source::new(path, text), &ParseLimits::default())
            .map_err(|finding| vec![*finding])?;
        match pact {
            Some(pact) if findings.is_empty() => Ok(Self { pact, document }),
            _ => Err(findings),
        }
    }

    /// Who expects.
    pub fn consumer(&self) -> &str {
        &self.pact.consumer
    }

    /// Where the interaction with this index stands.
    fn place(&self, at: usize) -> (String, Place) {
        let first = self.document.root.get("interactions").and_then(|node| node.as_sequence());
        let count = first.map_or(0, <[_]>::len);
        let pointer = match at.checked_sub(count) {
            Some(rest) => format!("/messages/{rest}"),
            None => format!("/interactions/{at}"),
        };
        let place = self.document.source.place(self.document.root.nearest(&pointer).span);
        (pointer, place)
    }
}

/// What to replay, and how.
pub struct Replay<'a> {
    /// The consumers' files.
    pub files: &'a [PactFile],
    /// Where requests go.
    pub target: Target,
    /// Who is told of states.
    pub states: Option<Target>,
    /// Who is asked for messages.
    pub messages: Option<Target>,
    /// Who sends. Redirects must not be followed.
    pub caller: Arc<dyn Caller>,
    /// Its bearer token stands in for the one of an expected `Authorization` header.
    pub credentials: &'a Credentials,
    /// The provider's description, if it is at hand: it says how requests prove who sends them.
    pub api: Option<&'a OpenApi>,
    /// Most requests a second.
    pub rate: Option<u32>,
}

/// Who carries what while files are replayed.
struct Couriers {
    requests: Courier,
    states: Option<Courier>,
    messages: Option<Courier>,
}

/// What became of an interaction before it is reported.
struct Replayed {
    exchange: Exchange,
    expected: String,
    differences: Result<Vec<Difference>, Unanswered>,
}

impl Replay<'_> {
    /// Replays all interactions in the order of the files.
    pub async fn run(&self) -> Report {
        let courier =
            |target: &Target| Courier::new(Arc::clone(&self.caller), target.clone(), self.rate);
        let mut couriers = Couriers {
            requests: courier(&self.target),
            states: self.states.as_ref().map(courier),
            messages: self.messages.as_ref().map(courier),
        };
        let mut report = Report::new(Subject::Expectations, self.target.base(), 0);
        for file in self.files {
            for (at, interaction) in file.pact.interactions.iter().enumerate() {
                if report.results.len() >= INTERACTION_LIMIT {
                    report.not_tried.push(NotTried {
                        operation: file.consumer().to_owned(),
                        what: format!("interactions from the {}. on", at + 1),
                        why: format!("at most {INTERACTION_LIMIT} are replayed"),
                    });
                    break;
                }
                let not_tried = &mut report.not_tried;
                let result = self.replay(&mut couriers, file, at, interaction, not_tried).await;
                report.results.extend(result);
            }
        }
        let others = [&couriers.states, &couriers.messages];
        let others: usize =
            others.iter().filter_map(|courier| courier.as_ref().map(Courier::sent)).sum();
        report.requests = couriers.requests.sent() + others;
        report
    }

    async fn replay(
        &self,
        couriers: &mut Couriers,
        file: &PactFile,
        at: usize,
        interaction: &Interaction,
        not_tried: &mut Vec<NotTried>,
    ) -> Option<CaseResult> {
        let description = &interaction.description;
        let mut skip = |what: String, why: &str| {
            let operation = file.consumer().to_owned();
            not_tried.push(NotTried { operation, what, why: why.to_owned() });
        };
        let mut unset = Vec::new();
        match &mut couriers.states {
            Some(courier) => {
                for state in &interaction.states {
                    if let Err(why) = set_up(courier, file.consumer(), state).await {
                        return Some(unready(file, at, interaction, state, &why));
                    }
                }
            }
            None => unset.extend(interaction.states.iter().map(|state| state.name.clone())),
        }
        if !unset.is_empty() {
            let what = format!("the state `{}` of `{description}`", unset.join("`, `"));
            skip(what, "nobody is told of states; say who with --states-url");
        }
        let replayed = match &interaction.exchange {
            Pacted::Http { request, response } => {
                self.http(&mut couriers.requests, request, response).await
            }
            Pacted::Message(message) => {
                let Some(courier) = &mut couriers.messages else {
                    let what = format!("the message `{description}`");
                    skip(what, "nobody is asked for messages; say who with --messages-url");
                    return None;
                };
                ask(courier, interaction, message).await
            }
            Pacted::SyncMessage { .. } => {
                skip(
                    format!("`{description}`"),
                    "messages that are answered with messages need their own transport",
                );
                return None;
            }
        };
        Some(result(file, at, interaction, &unset, replayed))
    }

    async fn http(
        &self,
        courier: &mut Courier,
        request: &Request,
        response: &Response,
    ) -> Replayed {
        let mut wire = wire_of(request);
        let is_authorized =
            wire.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let (true, Some(token)) = (is_authorized, &self.credentials.valid.bearer) {
            wire.set_header("authorization", &format!("Bearer {}", token.expose()));
        }
        if let Some(api) = self.api
            && let Routed::Found { operation, .. } = api.route(&wire.method, &wire.path)
            && alternative(api, operation, &self.credentials.valid).is_some()
        {
            self.credentials.sign(api, operation, Sign::Valid, &mut wire);
        }
        let answer = courier.send(&wire).await;
        let usual = || vec!["authorization".to_owned(), "cookie".to_owned()];
        let hidden = self.api.map_or_else(usual, carriers);
        let exchange = Exchange::of(&wire, answer.as_ref().ok(), &hidden);
        let status = response.status.map(|status| format!(" with {status}")).unwrap_or_default();
        let differences = answer.map(|answer| {
            let status = u64::from(answer.status);
            let body = body_of(&answer);
            response.compare(&Response::actual(status, lists(&answer.headers), body))
        });
        Replayed { exchange, expected: format!("what the consumer expects{status}"), differences }
    }
}

/// An interaction whose state is not there is not replayed.
fn unready(
    file: &PactFile,
    at: usize,
    interaction: &Interaction,
    state: &State,
    why: &str,
) -> CaseResult {
    let message = format!("the state `{}` could not be set up: {why}", state.name);
    let action = "have the address of --states-url know the state";
    let problem = Problem::new(codes::STATE, message, action);
    let mut told = told(file, at, interaction);
    told.outcome = Outcome::Failed;
    told.problems = vec![problem];
    told
}

fn result(
    file: &PactFile,
    at: usize,
    interaction: &Interaction,
    unset: &[String],
    replayed: Replayed,
) -> CaseResult {
    let action = if unset.is_empty() {
        format!("answer as `{}` expects, or agree on another contract with it", file.consumer())
    } else {
        format!(
            "set the state `{}` up with --states-url; if it is there already, answer as `{}` expects",
            unset.join("`, `"),
            file.consumer()
        )
    };
    let mut told = told(file, at, interaction);
    told.exchange = replayed.exchange;
    told.expected = replayed.expected;
    match replayed.differences {
        Ok(differences) => {
            let problems = differences.iter().map(|difference| {
                Problem::new(codes::UNMET, difference.to_string(), action.clone())
            });
            told.problems = problems.collect();
        }
        Err(unanswered) => {
            let message = match unanswered {
                Unanswered::Unsendable => {
                    "the expected request cannot be written as HTTP".to_owned()
                }
                Unanswered::Failed(error) => format!("there was no answer: {}", error.message),
            };
            told.problems = vec![Problem::new(codes::BROKE, message, action)];
        }
    }
    let is_met = told.problems.is_empty();
    told.outcome = match (is_met, interaction.is_pending) {
        (true, _) => Outcome::Passed,
        // Version 4: a failure of a pending interaction is not yet held against the provider.
        (false, true) => Outcome::Undecided,
        (false, false) => Outcome::Failed,
    };
    told
}

fn told(file: &PactFile, at: usize, interaction: &Interaction) -> CaseResult {
    let (pointer, place) = file.place(at);
    let pending = if interaction.is_pending { " (pending)" } else { "" };
    CaseResult {
        id: format!("{}/{}", file.consumer(), at + 1),
        name: format!("{}{pending}", shortened(&interaction.description, 200)),
        kind: match interaction.exchange {
            Pacted::Http { .. } => "http",
            Pacted::Message(_) | Pacted::SyncMessage { .. } => "message",
        },
        is_negative: false,
        operation: file.consumer().to_owned(),
        pointer,
        place: Some(place),
        expected: "what the consumer expects".to_owned(),
        exchange: Exchange::unsent(),
        outcome: Outcome::Undecided,
        problems: Vec::new(),
    }
}

async fn set_up(courier: &mut Courier, consumer: &str, state: &State) -> Result<(), String> {
    let told = json!({
        "consumer": consumer,
        "state": state.name,
        "params": state.parameters,
        "action": "setup",
    });
    match courier.post(&json_post(&told)).await {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer was {}", answer.status)),
        Err(Unanswered::Failed(error)) => Err(error.message),
        Err(Unanswered::Unsendable) => Err("the request cannot be written".to_owned()),
    }
}

async fn ask(courier: &mut Courier, interaction: &Interaction, expected: &Message) -> Replayed {
    let states: Vec<Value> = interaction
        .states
        .iter()
        .map(|state| json!({ "name": state.name, "params": state.parameters }))
        .collect();
    let wire =
        json_post(&json!({ "description": interaction.description, "providerStates": states }));
    let answer = courier.post(&wire).await;
    let exchange = Exchange::of(&wire, answer.as_ref().ok(), &[]);
    let differences = answer.map(|answer| {
        if !answer.is_success() {
            let message = format!("whoever makes messages answered {}", answer.status);
            return vec![Difference { pointer: "/status".to_owned(), message }];
        }
        let metadata = answer.header(METADATA).and_then(metadata).unwrap_or_default();
        expected.compare(&Message::actual(body_of(&answer), metadata))
    });
    Replayed { exchange, expected: "the message that the consumer expects".to_owned(), differences }
}

fn metadata(text: &str) -> Option<Map<String, Value>> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub(crate) fn json_post(value: &Value) -> Wire {
    let mut wire = Wire::bare("POST", "/");
    wire.media_type = Some("application/json".to_owned());
    wire.body = value.to_string().into();
    wire
}

fn wire_of(request: &Request) -> Wire {
    let path = utf8_percent_encode(&request.path, PATH).to_string();
    let mut wire = Wire::bare(&request.method.to_ascii_uppercase(), &path);
    let pairs = request
        .query
        .fields
        .iter()
        .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())));
    wire.query = pairs.collect();
    for (name, values) in &request.headers {
        let value = values.join(", ");
        if name.eq_ignore_ascii_case("content-type") {
            wire.media_type = Some(value);
        } else if !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("content-length")
        {
            wire.headers.push((name.clone(), value));
        }
    }
    if let Body::Present(content) = &request.body {
        wire.body = content.bytes.clone().into();
        wire.media_type.get_or_insert_with(|| content.media_type.clone());
    }
    wire
}

fn body_of(answer: &Answer) -> Body {
    if answer.body.is_empty() {
        return Body::Empty;
    }
    let declared = answer.header("content-type").map(str::to_owned);
    Body::Present(Content::bytes(answer.body.to_vec(), declared))
}

fn lists(headers: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let mut lists: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in headers {
        match lists.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value.clone()),
            None => lists.push((name.clone(), vec![value.clone()])),
        }
    }
    lists
}
