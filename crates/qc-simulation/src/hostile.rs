//! An outside that fails in every way that it can.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_model::{
    Body, CallError, CallErrorKind, Caller, Clock, OutboundRequest, OutboundResponse, RunId,
};
use serde_json::{Value, json};

use crate::{
    Invariant,
    desk::{Class, GRACE, OPERATIONS, Operation, SHORT_WINDOW},
    dice::Dice,
    effect::{Effect, name_in},
    witness::{Fate, Request, Witness},
};

/// How long keys are remembered that are remembered for long.
const LONG_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// The longest body of a request, in bytes.
const BODY_BYTES: usize = 1 << 20;

/// The desk's other side: behaves badly, and tells the witness what it did.
pub(crate) struct Hostile {
    state: Mutex<State>,
    witness: Arc<Witness>,
    /// How many of a hundred requests go wrong.
    faults: u64,
    /// How long a change may take until it can be read back, in milliseconds.
    settles_within: u64,
}

struct State {
    dice: Dice,
    calm: bool,
    /// The credential that is accepted now.
    credential: String,
    /// Keys with the moment at which they were first taken.
    keys: BTreeMap<String, Duration>,
    /// From when on an effect can be read back, by key and by reference.
    visible: BTreeMap<String, Duration>,
}

/// What happens to one request.
enum Plan {
    Good(Duration),
    Status { status: u16, pause: Option<u64>, applied: bool, echo: bool },
    Broken { applied: bool },
    Late { applied: bool },
    Unreachable,
}

impl Hostile {
    pub(crate) fn new(
        dice: Dice,
        witness: Arc<Witness>,
        faults: u64,
        settles_within: u64,
        credential: String,
    ) -> Arc<Self> {
        let (keys, visible) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { dice, calm: false, credential, keys, visible });
        Arc::new(Self { state, witness, faults, settles_within })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on everything goes well.
    pub(crate) fn calm_down(&self) {
        self.state().calm = true;
    }

    /// From now on only this credential is accepted.
    pub(crate) fn accept_only(&self, credential: &str) {
        credential.clone_into(&mut self.state().credential);
    }

    fn plan(&self, state: &mut State) -> Plan {
        let status = |status, pause, applied| Plan::Status { status, pause, applied, echo: false };
        if state.calm || !state.dice.percent(self.faults) {
            let slow = if state.calm || state.dice.percent(70) { 20 } else { 4_000 };
            return Plan::Good(Duration::from_millis(1 + state.dice.below(slow)));
        }
        let applied = state.dice.percent(50);
        match state.dice.below(17) {
            0..=2 => status(429, Some(1 + state.dice.below(40)), false),
            3 => status(503, Some(1 + state.dice.below(20)), false),
            4 => status(503, None, applied),
            5 => status(500, None, applied),
            6 if state.dice.percent(40) => status(422, None, false),
            7 => status(401, None, false),
            8 => Plan::Status { status: 400, pause: None, applied: false, echo: true },
            9..=11 => Plan::Broken { applied },
            12 | 13 => Plan::Late { applied },
            _ => Plan::Unreachable,
        }
    }

    /// What becomes of a request that changes something, and how long its sender waits for it.
    async fn arrived(&self, request: OutboundRequest) -> (Plan, Duration, Arc<AtomicBool>) {
        let timeout = request.timeout;
        let credential = text_of(&request.headers, "x-desk-key").unwrap_or_default();
        let key = text_of(&request.headers, "idempotency-key");
        let path = request.url.rsplit('/').next().unwrap_or_default().to_owned();
        let operation = OPERATIONS.iter().find(|one| one.path == path).expect("a known path");
        let body = request.body.collect(BODY_BYTES).await.expect("the body is whole");
        let body: Value = serde_json::from_slice(&body).expect("the body is JSON");
        let reference = body["ref"].as_str().expect("the body has its reference").to_owned();
        let run = body["run"].as_str().and_then(|run| run.parse().ok());
        let run: RunId = run.expect("the body has its run");
        let Some(origin) = self.witness.origin(run) else {
            let what = format!("{run} sent {reference} and is not in the store");
            self.witness.record.broken(Invariant::IntentBeforeSend, what);
            return (Plan::Unreachable, timeout, Arc::default());
        };
        let mut state = self.state();
        let plan = if credential == state.credential {
            self.plan(&mut state)
        } else {
            Plan::Status { status: 401, pause: None, applied: false, echo: true }
        };
        let fate = plan.fate(timeout);
        let since_start = self.witness.clock.uptime();
        let took_effect = matches!(fate, Fate::Answered | Fate::AppliedUnknown);
        let repeat = took_effect && state.takes(operation, key.as_deref(), since_start);
        if took_effect {
            let delay = Duration::from_millis(state.dice.below(self.settles_within + 1));
            for name in key.iter().chain([&reference]) {
                state.visible.entry(name.clone()).or_insert(since_start + delay);
            }
        }
        drop(state);
        let pause = match plan {
            Plan::Status { pause, .. } => pause.map(Duration::from_secs),
            _ => None,
        };
        let heard = Arc::new(AtomicBool::new(false));
        self.witness.arrived(Request {
            at: self.witness.clock.now(),
            since_start,
            operation,
            effect: Effect { origin, name: name_in(&reference) },
            run,
            key,
            fate,
            repeat,
            unauthorized: matches!(plan, Plan::Status { status: 401, .. }),
            pause,
            heard: heard.clone(),
        });
        (plan, timeout, heard)
    }

    /// Reads back whether something took place.
    fn find(&self, url: &str) -> Result<OutboundResponse, CallError> {
        let mut state = self.state();
        if !state.calm && state.dice.percent(self.faults) {
            return Err(error(CallErrorKind::Reset, true));
        }
        let url = url::Url::parse(url).expect("an address");
        let wanted = url.query_pairs().next().expect("a question").1.into_owned();
        let now = self.witness.clock.uptime();
        let there = state.visible.get(&wanted).is_some_and(|from| *from <= now);
        let found: Vec<Value> = there.then(|| json!({"id": 1})).into_iter().collect();
        Ok(answer(200, HeaderMap::new(), &json!({"found": found})))
    }
}

impl State {
    /// Whether a key is known, so that the request is a repeat; remembers it when it is not.
    fn takes(&mut self, operation: &Operation, key: Option<&str>, now: Duration) -> bool {
        let window = match operation.class {
            Class::Keyed => LONG_WINDOW,
            Class::KeyedThenOnce | Class::KeyedThenVerify => SHORT_WINDOW + GRACE,
            Class::Idempotent | Class::Verify | Class::Once => return false,
        };
        let Some(key) = key else { return false };
        let known = self.keys.get(key).is_some_and(|first| now.saturating_sub(*first) < window);
        if !known {
            self.keys.insert(key.to_owned(), now);
        }
        known
    }
}

impl Plan {
    fn fate(&self, timeout: Duration) -> Fate {
        match self {
            Self::Good(pause) if *pause >= timeout => Fate::AppliedUnknown,
            Self::Good(_) => Fate::Answered,
            Self::Status { status: 500..=599, pause: None, applied: true, .. }
            | Self::Broken { applied: true }
            | Self::Late { applied: true } => Fate::AppliedUnknown,
            Self::Status { status: 500..=599, pause: None, applied: false, .. }
            | Self::Broken { applied: false }
            | Self::Late { applied: false } => Fate::LostUnknown,
            Self::Status { .. } | Self::Unreachable => Fate::Refused,
        }
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn error(kind: CallErrorKind, sent: bool) -> CallError {
    CallError { kind, sent, message: "the story says so".to_owned() }
}

fn answer(status: u16, mut headers: HeaderMap, content: &Value) -> OutboundResponse {
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    OutboundResponse {
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: Body::Bytes(content.to_string().into()),
    }
}

#[async_trait]
impl Caller for Hostile {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        if request.url.contains("/find-by-") {
            return self.find(&request.url);
        }
        let credential = text_of(&request.headers, "x-desk-key").unwrap_or_default();
        let (plan, timeout, heard) = self.arrived(request).await;
        let answer = plan.carry_out(timeout, &credential).await;
        heard.store(true, Ordering::Relaxed);
        answer
    }
}

impl Plan {
    async fn carry_out(
        self,
        timeout: Duration,
        credential: &str,
    ) -> Result<OutboundResponse, CallError> {
        match self {
            Self::Good(pause) if pause >= timeout => {
                tokio::time::sleep(timeout).await;
                Err(error(CallErrorKind::Timeout, true))
            }
            Self::Good(pause) => {
                tokio::time::sleep(pause).await;
                // Some systems tell a caller everything that they know.
                let content = json!({"id": 7, "you_are": credential});
                Ok(answer(200, HeaderMap::new(), &content))
            }
            Self::Status { status, pause, echo, .. } => {
                let mut headers = HeaderMap::new();
                if let Some(seconds) = pause {
                    headers.insert("retry-after", seconds.into());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
                let error = if echo { format!("bad request by {credential}") } else { "no".into() };
                Ok(answer(status, headers, &json!({"error": error})))
            }
            Self::Broken { .. } => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(error(CallErrorKind::Reset, true))
            }
            Self::Late { .. } => {
                tokio::time::sleep(timeout).await;
                Err(error(CallErrorKind::Timeout, true))
            }
            Self::Unreachable => Err(error(CallErrorKind::Connect, false)),
        }
    }
}
