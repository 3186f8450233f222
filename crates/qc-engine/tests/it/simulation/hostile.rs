//! An outside that fails in every way that it can, remembers what it did, and checks that nothing
//! arrives that was not journaled before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_model::{
    Body, CallError, CallErrorKind, Caller, Clock, OutboundRequest, OutboundResponse, RunId,
    Timestamp,
};
use qc_store::{Store, memory::MemoryStore};
use serde_json::{Value, json};

use super::dice::Dice;
use crate::world::VirtualClock;

/// What became of a request, as only the outside knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It took effect and the answer arrived, as far as the outside can tell.
    Answered,
    /// It took effect, and the sender does not know.
    AppliedUnknown,
    /// It took no effect, and the sender does not know.
    LostUnknown,
    /// It was turned away, and the sender knows.
    Refused,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) at: Timestamp,
    pub(super) operation: &'static str,
    /// `{event}/{task}/{loop indexes}`: which effect it is for.
    pub(super) effect: String,
    pub(super) task: String,
    pub(super) run: RunId,
    pub(super) key: Option<String>,
    pub(super) fate: Fate,
    /// Not before then again.
    pub(super) pause_until: Option<Timestamp>,
}

struct State {
    dice: Dice,
    calm: bool,
    seen: Vec<Request>,
    keys: BTreeMap<String, usize>,
    problems: Vec<String>,
}

pub(super) struct Hostile {
    state: Mutex<State>,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    /// How many of a hundred requests go wrong.
    faults: u64,
}

/// What happens to one request.
enum Plan {
    Good(Duration),
    Status(u16, Option<u64>, bool),
    Broken { applied: bool },
    Late { applied: bool },
    Unreachable,
}

impl Hostile {
    pub(super) fn new(
        dice: Dice,
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        faults: u64,
    ) -> Arc<Self> {
        let state = State {
            dice,
            calm: false,
            seen: Vec::new(),
            keys: BTreeMap::new(),
            problems: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), store, clock, faults })
    }

    /// From now on everything goes well.
    pub(super) fn calm_down(&self) {
        self.state.lock().unwrap().calm = true;
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.state.lock().unwrap().problems.clone()
    }

    /// Whether an effect took place.
    pub(super) fn applied(&self, effect: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.seen.iter().any(|seen| {
            seen.effect == effect && matches!(seen.fate, Fate::Answered | Fate::AppliedUnknown)
        })
    }

    fn plan(&self, state: &mut State) -> Plan {
        if state.calm || !state.dice.percent(self.faults) {
            let slow = if state.calm || state.dice.percent(70) { 20 } else { 4_000 };
            return Plan::Good(Duration::from_millis(1 + state.dice.below(slow)));
        }
        let applied = state.dice.percent(50);
        match state.dice.below(16) {
            0..=2 => Plan::Status(429, Some(1 + state.dice.below(40)), false),
            3 => Plan::Status(503, Some(1 + state.dice.below(20)), false),
            4 => Plan::Status(503, None, applied),
            5 => Plan::Status(500, None, applied),
            6 if state.dice.percent(40) => Plan::Status(422, None, false),
            7 => Plan::Status(401, None, false),
            8..=10 => Plan::Broken { applied },
            11 | 12 => Plan::Late { applied },
            _ => Plan::Unreachable,
        }
    }

    /// How many intents of a task the run's journal holds.
    async fn intents(&self, run: RunId, task: &str) -> usize {
        let journal = self.store.journal(run).await.unwrap();
        let entries = journal
            .iter()
            .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap()["entry"].take());
        let end = format!("/{task}");
        entries
            .filter(|entry| {
                entry["what"] == "intent"
                    && entry["call"]["pointer"].as_str().unwrap().ends_with(&end)
            })
            .count()
    }

    /// What happens to a request; how many calls it is, when it is one of many.
    async fn arrived(&self, request: OutboundRequest) -> (Plan, Duration, Option<usize>) {
        let timeout = request.timeout;
        let trace = request.headers["traceparent"].to_str().unwrap().to_owned();
        let bits = u128::from_str_radix(trace.split('-').nth(1).unwrap(), 16).unwrap();
        let run = RunId::from_bits(bits);
        let key = request.headers.get("idempotency-key").map(|v| v.to_str().unwrap().to_owned());
        let path = request.url.rsplit('/').next().unwrap().to_owned();
        let body = request.body.collect(1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let operation = match (path.as_str(), body["of"].as_str()) {
            ("state", _) | ("many", Some("putState")) => "putState",
            ("tickets", _) => "createTicket",
            ("messages", _) => "postMessage",
            ("charges", _) | ("many", Some("charge")) => "charge",
            other => panic!("unknown {other:?}"),
        };
        let many = body["all"].as_array();
        let calls = many.cloned().unwrap_or_else(|| vec![body.clone()]);
        let mut arrived = Vec::new();
        for call in &calls {
            // Of many the trace is one's.
            let run =
                if many.is_some() { call["run"].as_str().unwrap().parse().unwrap() } else { run };
            let effect = call["ref"].as_str().unwrap().to_owned();
            let task = effect.split('/').nth(1).unwrap().to_owned();
            let intents = self.intents(run, &task).await;
            arrived.push((run, effect, task, intents));
        }
        let mut state = self.state.lock().unwrap();
        let plan = self.plan(&mut state);
        let now = self.clock.now();
        let fate = match plan {
            Plan::Good(pause) if pause >= timeout => Fate::AppliedUnknown,
            Plan::Good(_) => Fate::Answered,
            Plan::Status(500..=599, None, true)
            | Plan::Broken { applied: true }
            | Plan::Late { applied: true } => Fate::AppliedUnknown,
            Plan::Status(500..=599, None, false)
            | Plan::Broken { applied: false }
            | Plan::Late { applied: false } => Fate::LostUnknown,
            Plan::Status(..) | Plan::Unreachable => Fate::Refused,
        };
        let pause_until = match plan {
            Plan::Status(_, Some(seconds), _) => Some(now + Duration::from_secs(seconds)),
            _ => None,
        };
        if let Some(key) = &key
            && matches!(fate, Fate::Answered | Fate::AppliedUnknown)
        {
            *state.keys.entry(key.clone()).or_default() += 1;
        }
        for (run, effect, task, intents) in arrived {
            let sent = state.seen.iter().filter(|one| one.run == run && one.task == task).count();
            if intents <= sent {
                let problem =
                    format!("{run} sent {task} {} times with {intents} intents", sent + 1);
                state.problems.push(problem);
            }
            let key = key.clone();
            state.seen.push(Request {
                at: now,
                operation,
                effect,
                task,
                run,
                key,
                fate,
                pause_until,
            });
        }
        (plan, timeout, many.map(Vec::len))
    }

    fn find(&self, request: &OutboundRequest) -> OutboundResponse {
        let url = url::Url::parse(&request.url).unwrap();
        let wanted = url.query_pairs().find(|(name, _)| name == "ref").unwrap().1.into_owned();
        let there = self.applied(&wanted);
        let messages: Vec<Value> = there.then(|| json!({"id": 1})).into_iter().collect();
        answer(200, &HeaderMap::new(), &json!({"messages": messages}))
    }
}

fn answer(status: u16, more: &HeaderMap, content: &Value) -> OutboundResponse {
    let mut headers = more.clone();
    headers.insert("content-type", "application/json".parse().unwrap());
    OutboundResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Body::Bytes(content.to_string().into()),
    }
}

#[async_trait]
impl Caller for Hostile {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let error = |kind, sent| CallError { kind, sent, message: "the script says so".to_owned() };
        if request.url.contains("/find") {
            let faulty = {
                let mut state = self.state.lock().unwrap();
                !state.calm && state.dice.percent(self.faults)
            };
            if faulty {
                return Err(error(CallErrorKind::Reset, true));
            }
            return Ok(self.find(&request));
        }
        let (plan, timeout, many) = self.arrived(request).await;
        let mut headers = HeaderMap::new();
        match plan {
            Plan::Good(pause) if pause >= timeout => {
                tokio::time::sleep(timeout).await;
                Err(error(CallErrorKind::Timeout, true))
            }
            Plan::Good(pause) => {
                tokio::time::sleep(pause).await;
                let one = json!({"id": 7});
                let content =
                    many.map_or(one.clone(), |calls| json!({ "results": vec![one; calls] }));
                Ok(answer(200, &headers, &content))
            }
            Plan::Status(status, pause, _) => {
                if let Some(seconds) = pause {
                    headers.insert("retry-after", seconds.to_string().parse().unwrap());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(answer(status, &headers, &json!({"error": "no"})))
            }
            Plan::Broken { .. } => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(error(CallErrorKind::Reset, true))
            }
            Plan::Late { .. } => {
                tokio::time::sleep(timeout).await;
                Err(error(CallErrorKind::Timeout, true))
            }
            Plan::Unreachable => Err(error(CallErrorKind::Connect, false)),
        }
    }
}

/// Effects by name, with the requests for each, in order.
pub(super) fn by_effect(seen: &[Request]) -> BTreeMap<&str, Vec<&Request>> {
    let mut effects: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    for request in seen {
        effects.entry(&request.effect).or_default().push(request);
    }
    effects
}

/// The keys of some requests.
pub(super) fn keys<'a>(requests: &[&'a Request]) -> BTreeSet<Option<&'a str>> {
    requests.iter().map(|request| request.key.as_deref()).collect()
}
