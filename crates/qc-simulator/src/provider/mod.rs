//! One simulated provider: its document's behaviour, its memory, its faults and its ledger.

mod act;
mod batch;
mod list;
mod multipart;
mod record;
mod visit;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use http::{StatusCode, header};
use qc_contract::OpenApi;
use qc_model::{Clock, Finding, Timestamp};
use serde_json::{Value, json};

use crate::auth::{Credentials, Guard, Tokens};
use crate::blueprint::{Blueprint, Role, Routing};
use crate::codes;
use crate::exchange::{SimAnswer, SimRequest, SimResponse};
use crate::fault::{ActiveFaults, Circumstances, Deed, Fault, Struck, distort};
use crate::ledger::{Ledger, LedgerEntry};
use crate::problem::Fields;
use crate::random::Random;
use crate::spec::{BatchRule, Latency, ReferencePath, SimulatorSpec};
use crate::state::{Recall, Remembered, Resources};

use visit::Visit;

/// Most resources that a provider holds; then it answers 507.
const RESOURCE_LIMIT: usize = 2_000_000;
/// How long a token lives when the simulator's file does not say.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// What a provider is given beside its document and its file.
pub struct Setup {
    /// Its name, as the ledger writes it.
    pub name: String,
    /// Where it takes the time from.
    pub clock: Arc<dyn Clock>,
    /// Everything random comes from this.
    pub seed: u64,
    /// What it accepts as proof.
    pub credentials: Credentials,
    /// The file to which its ledger is appended, if any.
    pub ledger: Option<PathBuf>,
}

/// A simulated provider. Cheap to call from many threads; each request is handled in one step.
pub struct Provider {
    name: Arc<str>,
    blueprint: Blueprint,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    references: Vec<ReferencePath>,
    latency: Latency,
    batches: Vec<BatchRule>,
    world: Mutex<World>,
}

struct World {
    resources: Resources,
    tokens: Tokens,
    remembered: Remembered,
    faults: ActiveFaults,
    revoked: bool,
    lots: Random,
    ledger: Ledger,
}

/// What came of a request before faults spoil the answer.
struct Outcome {
    answer: SimResponse,
    applied: bool,
    replayed: bool,
}

impl Outcome {
    fn unchanged(answer: SimResponse) -> Self {
        Self { answer, applied: false, replayed: false }
    }
}

impl Provider {
    /// A provider from its document, its file and what it is given. Everything in the file that
    /// does not fit the document is a finding.
    pub fn new(openapi: OpenApi, spec: SimulatorSpec, setup: Setup) -> Result<Self, Vec<Finding>> {
        let now = setup.clock.now();
        let window = spec.idempotency.as_ref().map_or(Duration::ZERO, |keys| keys.window);
        let (blueprint, mut findings) = Blueprint::draw(openapi, &spec);
        let ledger = Ledger::open(setup.ledger.as_deref()).map_err(|error| {
            let path = setup.ledger.as_deref().unwrap_or(std::path::Path::new("")).display();
            let message = format!("the ledger file `{path}` cannot be opened: {error}");
            vec![Finding::error(codes::LEDGER_FILE, message)]
        })?;
        let mut world = World {
            resources: Resources::new(RESOURCE_LIMIT),
            tokens: Tokens::new(spec.token_lifetime.unwrap_or(TOKEN_LIFETIME), setup.seed),
            remembered: Remembered::new(window),
            faults: ActiveFaults::new(setup.seed),
            revoked: false,
            lots: Random::part(setup.seed, u64::from_be_bytes(*b"lots\0\0\0\0")),
            ledger,
        };
        findings.extend(act::furnish(&blueprint, &mut world.resources, &spec.state));
        for (fault, place) in spec.faults {
            if let Some(operation) = fault.when.operation.as_deref()
                && !blueprint.knows(operation)
            {
                let mut finding = blueprint.unknown_operation(operation);
                finding.place = place;
                findings.push(finding);
            }
            world.faults.inject(fault, now);
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self {
            name: setup.name.into(),
            blueprint,
            clock: setup.clock,
            credentials: setup.credentials,
            references: spec.reference,
            latency: spec.latency,
            batches: spec.batches,
            world: Mutex::new(world),
        })
    }

    /// The provider's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids of the operations that it offers, in the document's order.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.blueprint.operations.iter().map(|operation| &*operation.id)
    }

    /// Adds a fault. Refuses an operation that the document does not have, and more than
    /// [`crate::FAULT_LIMIT`] faults at once.
    pub fn inject(&self, fault: Fault) -> Result<(), Box<Finding>> {
        if let Some(operation) = fault.when.operation.as_deref()
            && !self.blueprint.knows(operation)
        {
            return Err(Box::new(self.blueprint.unknown_operation(operation)));
        }
        let now = self.clock.now();
        if self.world().faults.inject(fault, now) {
            return Ok(());
        }
        let message = "the provider has as many faults as it may; clear them first";
        Err(Box::new(Finding::error(codes::IMPOSSIBLE_CONDITION, message)))
    }

    /// Ends all faults and makes revoked credentials valid again.
    pub fn clear(&self) {
        let mut world = self.world();
        world.faults.clear();
        world.revoked = false;
    }

    /// The faults that can still strike, as they would be written, with how often each still may.
    pub fn faults(&self) -> Value {
        let faults = self.world().faults.list();
        let show = faults.into_iter().map(|(fault, left)| {
            let mut value = fault.to_value();
            if let (Some(map), Some(left)) = (value.as_object_mut(), left) {
                map.insert("times".into(), json!(left));
            }
            value
        });
        Value::Array(show.collect())
    }

    /// All resources: `{"/issues": [{…}, …]}`.
    pub fn state(&self) -> Value {
        self.world().resources.to_value()
    }

    /// The ledger's entries that are still in memory, oldest first.
    pub fn requests(&self) -> Vec<Arc<LedgerEntry>> {
        self.requests_after(0, usize::MAX)
    }

    /// Entries after a number, at most so many.
    pub fn requests_after(&self, seq: u64, limit: usize) -> Vec<Arc<LedgerEntry>> {
        self.world().ledger.after(seq, limit)
    }

    /// How many requests were ever received.
    pub fn received(&self) -> u64 {
        self.world().ledger.written()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Each request changes the world in steps that leave it whole; a panic elsewhere does not spoil it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles one request: routes, checks, applies, spoils, records, answers.
    pub fn handle(&self, request: SimRequest) -> SimAnswer {
        let now = self.clock.now();
        let visit = Visit::begin(&self.blueprint, &request, now);
        let mismatches = visit.mismatches(&self.blueprint);
        let mut world = self.world();
        let struck = world.faults.strike(&Circumstances {
            operation: visit.operation_name(),
            body: &request.body,
            now,
        });
        if struck.expire_tokens || struck.revoke_credentials {
            world.tokens.expire_all();
        }
        world.revoked |= struck.revoke_credentials;
        let outcome = match &struck.main {
            Some(deed) if !deed.applies() => None,
            _ => Some(self.perform(&mut world, &visit, &mismatches)),
        };
        let (applied, replayed) =
            outcome.as_ref().map_or((false, false), |outcome| (outcome.applied, outcome.replayed));
        let mut answer = self.spoil(outcome, &struck, &visit);
        if let SimAnswer::Respond(response) = &mut answer {
            response.delay = struck.slow + draw(self.latency, &mut world.lots);
        }
        let seq = world.ledger.next_seq();
        let entry = record::entry(self, &visit, seq, &struck, applied, replayed, &answer);
        match world.ledger.append(entry) {
            Ok(()) => answer,
            // What could not be recorded must not look like an orderly answer.
            Err(_) => SimAnswer::Drop,
        }
    }

    /// What the provider does when nothing goes wrong.
    fn perform(&self, world: &mut World, visit: &Visit<'_>, mismatches: &Fields) -> Outcome {
        let operation = match &visit.routing {
            Routing::Found { operation, .. } => operation,
            Routing::WrongMethod { allowed } => {
                let refused = self.blueprint.no_operation.answer(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "the path does not have this method",
                    &Fields::default(),
                );
                return Outcome::unchanged(refused.with_header(header::ALLOW, allowed));
            }
            Routing::NotFound => {
                let why = "there is nothing at this path";
                let shapes = &self.blueprint.no_operation;
                return Outcome::unchanged(shapes.answer(
                    StatusCode::NOT_FOUND,
                    why,
                    &Fields::default(),
                ));
            }
        };
        let accepted = if world.revoked { None } else { Some(&self.credentials) };
        if matches!(operation.role, Role::Token) {
            let (headers, body) = (&visit.request.headers, &visit.request.body);
            let offered = &self.blueprint.scopes;
            return Outcome::unchanged(
                world.tokens.answer(headers, body, accepted, offered, visit.now),
            );
        }
        let guard = Guard {
            accepted,
            tokens: &world.tokens,
            certified: visit.request.certified,
            now: visit.now,
        };
        if let Err(denied) = guard.check(&operation.security, &visit.request.headers, &visit.query)
        {
            let mut answer =
                operation.errors.answer(denied.status, &denied.why, &Fields::default());
            if let Some(challenge) = &denied.challenge {
                answer = answer.with_header(header::WWW_AUTHENTICATE, challenge);
            }
            return Outcome::unchanged(answer);
        }
        if !mismatches.0.is_empty() {
            let status = visit.refusal_status(&operation.errors, mismatches);
            return Outcome::unchanged(operation.errors.answer(
                status,
                "the request does not fit the contract",
                mismatches,
            ));
        }
        if let Some(rule) = self.batches.iter().find(|rule| *rule.operation.text == *operation.id) {
            return self.each(world, operation, rule, visit);
        }
        let Some(key) = visit.key.filter(|_| operation.takes_key) else {
            return act::act(&mut world.resources, &mut world.lots, operation, visit);
        };
        let scoped = format!("{} {} {key}", operation.method, visit.path);
        let fingerprint = fingerprint(&visit.request.body);
        match world.remembered.recall(&scoped, &fingerprint, visit.now) {
            Recall::Same(answer) => Outcome { answer, applied: false, replayed: true },
            Recall::Other => Outcome::unchanged(operation.errors.answer(
                self.blueprint.key_mismatch,
                "the idempotency key was used with another request",
                &Fields::default(),
            )),
            Recall::Fresh => {
                let outcome = act::act(&mut world.resources, &mut world.lots, operation, visit);
                if outcome.answer.status.is_success() {
                    let answer = outcome.answer.clone();
                    world.remembered.remember(&scoped, fingerprint, answer, visit.now);
                }
                outcome
            }
        }
    }

    fn spoil(&self, outcome: Option<Outcome>, struck: &Struck, visit: &Visit<'_>) -> SimAnswer {
        let shapes = match &visit.routing {
            Routing::Found { operation, .. } => &operation.errors,
            _ => &self.blueprint.no_operation,
        };
        let error = |code: u16, why: &str, retry_after: Option<Duration>| {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let answer = shapes.answer(status, why, &Fields::default());
            with_retry_after(answer, retry_after)
        };
        match &struck.main {
            Some(Deed::DropAfterApply | Deed::DropBeforeApply) => SimAnswer::Drop,
            Some(Deed::Hang { .. }) => SimAnswer::Hang,
            Some(Deed::Throttle { retry_after }) => {
                SimAnswer::Respond(error(429, "too many requests", *retry_after))
            }
            Some(Deed::Unavailable { retry_after }) => {
                SimAnswer::Respond(error(503, "the service is unavailable", *retry_after))
            }
            Some(Deed::Status { code, retry_after, body: None, .. }) => {
                SimAnswer::Respond(error(*code, "an error was injected", *retry_after))
            }
            Some(Deed::Status { code, retry_after, body: Some(body), .. }) => {
                let status =
                    StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                SimAnswer::Respond(with_retry_after(SimResponse::json(status, body), *retry_after))
            }
            Some(Deed::ErrorIn200 { body }) => {
                SimAnswer::Respond(SimResponse::json(StatusCode::OK, body))
            }
            other => match (outcome, other) {
                (Some(outcome), Some(deed)) => SimAnswer::Respond(distort(outcome.answer, deed)),
                (Some(outcome), None) => SimAnswer::Respond(outcome.answer),
                // Only faults that are matched above keep a request from being performed.
                (None, _) => SimAnswer::Drop,
            },
        }
    }
}

fn with_retry_after(answer: SimResponse, after: Option<Duration>) -> SimResponse {
    match after {
        // Whole seconds, rounded up: never a promise of earlier success.
        Some(after) => {
            let seconds = after.as_millis().div_ceil(1000);
            answer.with_header(header::RETRY_AFTER, &seconds.to_string())
        }
        None => answer,
    }
}

fn draw(latency: Latency, lots: &mut Random) -> Duration {
    let spread = latency.to.saturating_sub(latency.from).as_micros();
    if spread == 0 {
        return latency.from;
    }
    let spread = u64::try_from(spread).unwrap_or(u64::MAX);
    latency.from + Duration::from_micros(lots.below(spread.saturating_add(1)))
}

fn fingerprint(body: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, body);
    digest.as_ref().try_into().unwrap_or([0; 32])
}

/// The time as the provider's resources write it.
fn stamp(now: Timestamp) -> Value {
    json!(now.to_string())
}
