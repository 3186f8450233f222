//! How strong the cases are: a provider that keeps its contract is made to break it in one way at a time, and each way
//! is either caught by a case or survives.
//!
//! The provider is a simulator in this process, so nobody else's is ever broken.

mod deed;
mod spoil;
mod weaken;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use qc_contract::{OpenApi, Operation, Routed};
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse};

use crate::credentials::{Credentials, Sign};
use crate::judge::Outcome;
use crate::provider::Verification;
use crate::target::Target;
use crate::wire::{Answer, Courier, Wire};

pub(crate) use deed::Deed;

/// Most mutants of one measurement.
pub const MUTANT_LIMIT: usize = 2_000;
/// Largest body that passes the layer, in bytes.
const BODY_LIMIT: usize = 4 << 20;
/// Where the layer's requests go; see [`Target::SIMULATED`].
const BASE: &str = Target::SIMULATED;

/// One way of breaking the contract.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Whose answers or checks.
    pub operation: String,
    /// `drop-field`, `forgets-minimum`, ….
    pub kind: String,
    /// What the provider does wrong.
    pub words: String,
    /// Whether some case failed.
    pub is_caught: bool,
    pub(crate) deed: Deed,
}

/// The mutants and their ends.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// All that were tried.
    pub mutants: Vec<Mutant>,
    /// How many there would have been.
    pub possible: usize,
}

impl Score {
    /// How many were caught.
    pub fn caught(&self) -> usize {
        self.mutants.iter().filter(|mutant| mutant.is_caught).count()
    }

    /// Of a hundred, rounded down; 0 without mutants, since nothing was shown then.
    pub fn percent(&self) -> usize {
        (self.caught() * 100).checked_div(self.mutants.len()).unwrap_or(0)
    }

    /// Those that no case noticed.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.mutants.iter().filter(|mutant| !mutant.is_caught)
    }

    /// Kinds in the order of their names, with how many were caught and how many there are.
    pub fn by_kind(&self) -> Vec<(&str, usize, usize)> {
        let mut kinds: Vec<(&str, usize, usize)> = Vec::new();
        for mutant in &self.mutants {
            let caught = usize::from(mutant.is_caught);
            match kinds.iter_mut().find(|(kind, _, _)| *kind == mutant.kind) {
                Some((_, so_far, all)) => {
                    *so_far += caught;
                    *all += 1;
                }
                None => kinds.push((&mutant.kind, caught, 1)),
            }
        }
        kinds.sort_unstable();
        kinds
    }

    /// How many were beyond the limit.
    pub fn left_out(&self) -> Option<usize> {
        self.possible.checked_sub(self.mutants.len()).filter(|left| *left > 0)
    }
}

/// Measures a verification's cases against its provider, which must be a simulator: without [`Target::simulated`] nothing
/// is sent, and the score is empty. At most `limit` mutants are tried.
pub async fn measure(verification: &Verification<'_>, limit: usize) -> Score {
    if Target::simulated().as_ref() != Some(&verification.target) {
        return Score::default();
    }
    let layer = Arc::new(Layer {
        inner: Arc::clone(&verification.caller),
        api: Arc::clone(verification.api),
        credentials: verification.credentials.clone(),
        now: Mutex::default(),
    });
    let caller = Arc::clone(&layer) as Arc<dyn Caller>;
    let mut courier = Courier::new(caller, verification.target.clone(), None);
    let planned = verification.planned();
    let mut score = Score::default();
    let (mut left, mut to_come) = (limit.min(MUTANT_LIMIT), planned.len());
    for (operation, plan) in &planned {
        let mut resources = verification.resources();
        layer.set(operation, &plan.wire, None);
        let mut failing = HashSet::new();
        for case in &plan.all {
            let at = (*operation, &plan.wire);
            let result = verification.perform(&mut courier, &mut resources, at, case).await;
            if result.outcome == Outcome::Failed {
                failing.insert(result.id);
            }
        }
        let all = deed::mutants(verification.api, operation, &layer.recorded());
        score.possible += all.len();
        let share = left.div_ceil(to_come);
        let chosen = spread_out(all, share);
        (left, to_come) = (left - chosen.len(), to_come - 1);
        for mut mutant in chosen {
            layer.set(operation, &plan.wire, Some(mutant.deed.clone()));
            for case in &plan.all {
                let at = (*operation, &plan.wire);
                let result = verification.perform(&mut courier, &mut resources, at, case).await;
                if result.outcome == Outcome::Failed && !failing.contains(&result.id) {
                    mutant.is_caught = true;
                    break;
                }
            }
            score.mutants.push(mutant);
        }
    }
    score
}

/// So many of them, at equal distances.
fn spread_out(all: Vec<Mutant>, count: usize) -> Vec<Mutant> {
    let total = all.len();
    if total <= count {
        return all;
    }
    let numbered = all.into_iter().enumerate();
    numbered.filter(|(at, _)| at * count % total < count).map(|(_, mutant)| mutant).collect()
}

/// What the layer does at present.
#[derive(Default)]
struct Now {
    operation: String,
    valid: Option<Wire>,
    deed: Option<Deed>,
    /// The first answer of each status.
    recorded: Vec<Answer>,
}

/// Lies between the cases and the provider, and breaks one thing.
struct Layer {
    inner: Arc<dyn Caller>,
    api: Arc<OpenApi>,
    credentials: Credentials,
    now: Mutex<Now>,
}

impl Layer {
    fn set(&self, operation: &Operation, valid: &Wire, deed: Option<Deed>) {
        let operation = operation.id.to_string();
        let fresh = Now { operation, valid: Some(valid.clone()), deed, recorded: Vec::new() };
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    fn recorded(&self) -> Vec<Answer> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).recorded.clone()
    }

    fn record(&self, answer: &Answer) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.recorded.iter().all(|known| known.status != answer.status) {
            now.recorded.push(answer.clone());
        }
    }

    /// The mutated operation and what is done, when the request is for it.
    fn concerned(&self, request: &Wire) -> Option<(&Operation, Option<Deed>, Option<Wire>)> {
        let Routed::Found { operation, .. } = self.api.route(&request.method, &request.path) else {
            return None;
        };
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        (now.operation == *operation.id).then(|| (operation, now.deed.clone(), now.valid.clone()))
    }
}

#[async_trait]
impl Caller for Layer {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let wire = read(request).await?;
        let concerned = self.concerned(&wire);
        let Some((operation, deed, valid)) = concerned else {
            return self.pass(&wire).await.map(answered);
        };
        let Some(deed) = deed else {
            let answer = self.pass(&wire).await?;
            self.record(&answer);
            return Ok(answered(answer));
        };
        let mut asked = wire;
        match &deed {
            Deed::NoAuthentication => {
                self.credentials.sign(&self.api, operation, Sign::Valid, &mut asked);
            }
            Deed::AnyCredentials => {
                let mut bare = asked.clone();
                self.credentials.sign(&self.api, operation, Sign::Nothing, &mut bare);
                if bare != asked {
                    self.credentials.sign(&self.api, operation, Sign::Valid, &mut asked);
                }
            }
            Deed::Forgets(forgotten) => {
                if let Some(valid) = &valid {
                    forgotten.repair(&self.api, operation, valid, &mut asked);
                }
            }
            Deed::Spoils(_) => {}
        }
        let answer = self.pass(&asked).await?;
        let answer = match &deed {
            Deed::Spoils(spoiled) => spoiled.apply(&self.api, operation, answer),
            _ => answer,
        };
        Ok(answered(answer))
    }
}

impl Layer {
    async fn pass(&self, wire: &Wire) -> Result<Answer, CallError> {
        let refused = || CallError {
            kind: qc_model::CallErrorKind::Refused,
            sent: false,
            message: "the request cannot be written".to_owned(),
        };
        let request = wire.outbound(BASE).ok_or_else(refused)?;
        Answer::read(self.inner.call(request).await?).await
    }
}

/// A request of the simulator's address, taken apart again.
async fn read(request: OutboundRequest) -> Result<Wire, CallError> {
    let target = request.url.strip_prefix(BASE).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let media_type = request.headers.get(http::header::CONTENT_TYPE).map(text);
    let others = request.headers.iter().filter(|(name, _)| **name != http::header::CONTENT_TYPE);
    Ok(Wire {
        method: request.method.to_string(),
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: others.map(|(name, value)| (name.to_string(), text(value))).collect(),
        media_type,
        body: request.body.collect(BODY_LIMIT).await?,
    })
}

fn answered(answer: Answer) -> OutboundResponse {
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    });
    OutboundResponse {
        status: http::StatusCode::from_u16(answer.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR),
        headers: headers.collect(),
        body: Body::Bytes(answer.body),
    }
}
