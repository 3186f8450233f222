use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_contract::{OpenApi, Operation};
use qc_model::{
    Applied, Caller, Class, Clock, EnvironmentName, Failure, Retry, TenantName, Timestamp,
};
use qc_vault::{SecretRef, Secrets};
use qc_workflow::{CallOutput, CallRequest, CallTarget, OutputShape};
use serde_json::Value;
use url::Url;

use super::{
    CallRecord, Connectors, DriftNote,
    answer::{Answer, header_texts},
    classify::Verdict,
    credentials::Proof,
    exchange::{Deadline, Prepared},
    observe,
    prepare::{PlainRequest, unsendable},
    token::Tokens,
};
use crate::{
    codes,
    connector::{Connector, ResponseValidation},
};

/// The most bytes of an answer that are read when nothing else is set: 8 MiB.
const RESPONSE_LIMIT: usize = 8 * 1024 * 1024;
/// Most ambiguous calls whose moment is kept in memory; beyond it the list starts anew.
const DOUBTS: usize = 10_000;

/// Performs the calls of workflows: one attempt at a time, each once.
pub struct Outbound {
    pub(super) caller: Arc<dyn Caller>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) tokens: Tokens,
    pub(super) response_limit: usize,
    /// When calls that can be read back became ambiguous, by key: the settle delay counts from there.
    doubts: Mutex<HashMap<String, Timestamp>>,
}

/// Where a call happens: whose keys and addresses it uses.
#[derive(Debug, Clone)]
pub struct EnvironmentScope {
    /// The environment.
    pub name: EnvironmentName,
    /// Whose data it is about.
    pub tenant: TenantName,
    /// The environment's variables: hosts, channels; no secrets.
    pub vars: Arc<BTreeMap<String, Value>>,
}

/// What an attempt needs to know about the effect that it is part of.
#[derive(Debug, Clone, Default)]
pub struct EffectContext {
    /// The effect's stable key, `qc:{origin}:{task pointer}:{visit}`: the same for all attempts.
    pub key: String,
    /// When the first attempt was sent, if there was one.
    pub first_sent_at: Option<Timestamp>,
    /// The W3C `traceparent` to hand on; none when empty.
    pub traceparent: String,
    /// What each secret that the workflow declares refers to. Also those of inline authentication.
    pub secrets: Arc<BTreeMap<String, SecretRef>>,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct Performed {
    /// The answer, or the classified failure.
    pub result: Result<CallOutput, Failure>,
    /// For the ledger.
    pub record: CallRecord,
    /// How the answer differed from its contract.
    pub drift: Vec<DriftNote>,
}

/// What a read-back found out about an ambiguous call.
#[derive(Debug, Clone, PartialEq)]
pub enum Verified {
    /// The effect took place; this stands for the lost answer.
    Applied(CallOutput),
    /// It did not; the call may be sent again.
    NotApplied,
    /// Not known now. The failure says whether and when to ask again; with `Retry::Never` or `Retry::OnEvent` a person
    /// has to decide.
    Unknown(Failure),
}

/// One attempt, with everything that its layers look at.
pub(super) struct Job<'a> {
    /// The connector's name, the document's address, or nothing.
    pub(super) label: String,
    pub(super) api: Option<&'a OpenApi>,
    pub(super) operation: Option<&'a Operation>,
    pub(super) connector: Option<&'a Connector>,
    pub(super) scope: &'a EnvironmentScope,
    pub(super) effect: &'a EffectContext,
    pub(super) proof: Proof<'a>,
    pub(super) deadline: Deadline,
    pub(super) redirect: bool,
    pub(super) shape: OutputShape,
}

/// What a job sends.
#[derive(Clone, Copy)]
pub(super) enum Sending<'a> {
    /// An operation with its arguments.
    Operation(&'a Value),
    /// A plain request.
    Plain(PlainRequest<'a>),
}

impl Outbound {
    /// A stack over these seams.
    pub fn new(caller: Arc<dyn Caller>, clock: Arc<dyn Clock>, secrets: Arc<Secrets>) -> Self {
        Self {
            caller,
            clock,
            secrets,
            tokens: Tokens::default(),
            response_limit: RESPONSE_LIMIT,
            doubts: Mutex::default(),
        }
    }

    /// Reads at most `bytes` of an answer.
    #[must_use]
    pub fn with_response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Performs one attempt of a call. Dropping the future cuts the attempt off; what was sent stays sent.
    pub async fn perform(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> Performed {
        let started_at = self.clock.now();
        let mut record = CallRecord::begun(call, &effect.key, started_at);
        let mut drift = Vec::new();
        let result =
            self.attempt(release, environment, call, effect, &mut record, &mut drift).await;
        let took = self.clock.now().since(started_at);
        record.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        record.class = result.as_ref().err().map(|failure| failure.class);
        Performed { result: result.map_err(|failure| *failure), record, drift }
    }

    async fn attempt(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
        record: &mut CallRecord,
        drift: &mut Vec<DriftNote>,
    ) -> Result<CallOutput, Box<Failure>> {
        if let Some(output) = self.past_window(release, environment, call, effect).await? {
            return Ok(output);
        }
        let (job, sending) = self.job(release, environment, call, effect)?;
        let request = self.prepare(&job, call, sending)?;
        request.method.as_str().clone_into(&mut record.method);
        record.url.clone_from(&request.shown_url);
        let verify = job.connector.zip(job.operation).is_some_and(|(connector, operation)| {
            connector.declared_effect(&operation.id).is_some_and(|rule| rule.verify.is_some())
        });
        let doubt = verify.then(|| Doubt { outbound: self, key: &effect.key, settled: false });
        let pages = job
            .connector
            .zip(job.operation)
            .and_then(|(connector, operation)| connector.pagination(&operation.id));
        let result = match (pages, sending) {
            (Some(pages), Sending::Operation(arguments)) => {
                self.pages(&job, call, pages, arguments, record, drift).await
            }
            _ => self.once(&job, &request, record, drift).await.map(|(output, _)| output),
        };
        if let Some(doubt) = doubt {
            doubt.end(!matches!(&result, Err(failure) if failure.applied == Applied::Maybe));
        }
        result
    }

    /// A keyed call whose key the vendor has forgotten acts as `verify` or `once`: the output when it turns out to have
    /// taken effect, nothing when it may be sent.
    async fn past_window(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> Result<Option<CallOutput>, Box<Failure>> {
        let Some(first) = effect.first_sent_at else { return Ok(None) };
        if call.effect != qc_workflow::Effect::Keyed
            || release.key_remembered(&call.target, first, self.clock.now())
        {
            return Ok(None);
        }
        if !release.can_verify(&call.target) {
            let detail = "the call was first sent longer ago than the other system remembers its key, \
                          so sending it again could repeat its effect";
            let mut failure = Failure::new(
                Class::Expired,
                codes::KEY_FORGOTTEN,
                "The key of a call is forgotten",
                detail,
            );
            failure.applied = Applied::Maybe;
            failure.retry = Retry::OnEvent;
            failure.next_action = qc_model::NextAction::ContactOwner;
            return Err(Box::new(failure));
        }
        match self.verify(release, environment, call, effect).await {
            Verified::Applied(output) => Ok(Some(output)),
            Verified::NotApplied => Ok(None),
            Verified::Unknown(failure) => Err(Box::new(failure)),
        }
    }

    /// What a call means in this release and environment.
    pub(super) fn job<'a>(
        &self,
        release: &'a Connectors,
        scope: &'a EnvironmentScope,
        call: &'a CallRequest,
        effect: &'a EffectContext,
    ) -> Result<(Job<'a>, Sending<'a>), Box<Failure>> {
        let deadline = Deadline::after(self.clock.now(), Duration::from_millis(call.timeout_ms));
        let mut job = Job {
            label: String::new(),
            api: None,
            operation: None,
            connector: None,
            scope,
            effect,
            proof: Proof::None,
            deadline,
            redirect: false,
            shape: call.target.output(),
        };
        let inline = |authentication: &'a Option<qc_workflow::Authentication>| {
            authentication.as_ref().map_or(Proof::None, |one| Proof::Inline(one, call.secrets))
        };
        let sending = match &call.target {
            CallTarget::Connector { connector, operation, arguments, .. } => {
                let found = release.get(connector).ok_or_else(|| unknown(connector, operation))?;
                job.label.clone_from(connector);
                job.connector = Some(found.as_ref());
                job.api = Some(found.api());
                job.operation =
                    Some(found.operation(operation).ok_or_else(|| unknown(connector, operation))?);
                job.proof = Proof::Profile(found.auth());
                Sending::Operation(arguments)
            }
            CallTarget::OpenApi {
                document,
                operation,
                arguments,
                authentication,
                redirect,
                ..
            } => {
                let api = release.document(document).ok_or_else(|| unknown(document, operation))?;
                job.label.clone_from(document);
                job.api = Some(api.as_ref());
                job.operation =
                    Some(api.operation(operation).ok_or_else(|| unknown(document, operation))?);
                job.proof = inline(authentication);
                job.redirect = *redirect;
                Sending::Operation(arguments)
            }
            CallTarget::Http {
                method,
                endpoint,
                headers,
                query,
                body,
                authentication,
                redirect,
                ..
            } => {
                job.proof = inline(authentication);
                job.redirect = *redirect;
                let body = body.as_ref();
                Sending::Plain(PlainRequest { method, endpoint, headers, query, body })
            }
        };
        Ok((job, sending))
    }

    pub(super) fn prepare(
        &self,
        job: &Job<'_>,
        call: &CallRequest,
        sending: Sending<'_>,
    ) -> Result<Prepared, Box<Failure>> {
        match sending {
            Sending::Plain(plain) => self.prepare_plain(job, call, plain),
            Sending::Operation(arguments) => {
                self.prepare_operation(job, call, &base(job)?, arguments)
            }
        }
    }

    /// Sends one request and judges its answer.
    pub(super) async fn once(
        &self,
        job: &Job<'_>,
        request: &Prepared,
        record: &mut CallRecord,
        drift: &mut Vec<DriftNote>,
    ) -> Result<(CallOutput, Answer), Box<Failure>> {
        let answer = self.answer(job, request, record).await.map_err(|mut failure| {
            failure.owner = job.connector.and_then(Connector::owner).map(str::to_owned);
            failure
        })?;
        let content = self.judge(job, &answer, drift)?;
        let output = CallOutput {
            status: answer.status,
            headers: header_texts(&answer.headers),
            content,
            request: request.facts(),
        };
        Ok((output, answer))
    }

    /// The content of a good answer; the failure of any other.
    fn judge(
        &self,
        job: &Job<'_>,
        answer: &Answer,
        drift: &mut Vec<DriftNote>,
    ) -> Result<Value, Box<Failure>> {
        let success = (200..300).contains(&answer.status);
        let parsed = answer.content(OutputShape::Content);
        let content = match parsed {
            Ok(content) => content,
            Err(malformed) if success && job.shape != OutputShape::Raw => {
                drift.push(observe::note(job, answer, "body", malformed.message.clone()));
                return Err(malformed_failure(job, answer, malformed.cut_off, malformed.message));
            }
            Err(_) => Value::Null,
        };
        let verdict = Verdict {
            status: answer.status,
            headers: &answer.headers,
            content: &content,
            now: self.clock.now(),
        };
        if let Some(failure) = verdict.failure(job.connector) {
            return Err(Box::new(failure));
        }
        let media_type = answer.media_type();
        if media_type == "text/html"
            && !answer.body.is_empty()
            && observe::promises_json(job, answer.status)
        {
            let message = "the answer is an HTML page where the contract promises JSON".to_owned();
            drift.push(observe::note(job, answer, "content-type", message.clone()));
            // Maintenance and login pages come with status 200; they pass.
            return Err(malformed_failure(job, answer, true, message));
        }
        let notes = observe::observe(job, answer, &content);
        let enforced = job
            .connector
            .is_some_and(|one| one.response_validation() == ResponseValidation::Enforce);
        let first = notes.first().map(|note| note.message.clone());
        drift.extend(notes);
        if let Some(message) = first.filter(|_| enforced) {
            return Err(drift_failure(job, answer, &message));
        }
        if job.shape == OutputShape::Raw {
            return Ok(answer.content(OutputShape::Raw).unwrap_or(Value::Null));
        }
        Ok(content)
    }

    /// When the call with this key became ambiguous, as far as this process knows.
    pub(super) fn doubted_at(&self, key: &str) -> Option<Timestamp> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
}

/// Notes the moment at which a call became ambiguous, also when its future is dropped.
struct Doubt<'a> {
    outbound: &'a Outbound,
    key: &'a str,
    settled: bool,
}

impl Doubt<'_> {
    fn end(mut self, settled: bool) {
        self.settled = settled;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let now = self.outbound.clock.now();
        let mut doubts = self.outbound.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.settled {
            doubts.remove(self.key);
            return;
        }
        if doubts.len() >= DOUBTS {
            doubts.clear();
        }
        doubts.insert(self.key.to_owned(), now);
    }
}

/// The base address of a job's operation, without a slash at its end.
fn base(job: &Job<'_>) -> Result<String, Box<Failure>> {
    if let Some(connector) = job.connector {
        return connector.base_url(&job.scope.name, &job.scope.vars);
    }
    let servers = job.operation.map(|operation| operation.servers.as_slice()).unwrap_or_default();
    let servers = if servers.is_empty() {
        job.api.map(OpenApi::servers).unwrap_or_default()
    } else {
        servers
    };
    let address =
        servers.first().map_or_else(|| "/".to_owned(), |server| server.address(&|_| None));
    // A relative address is relative to where the document came from.
    let absolute = Url::parse(&address).or_else(|_| Url::parse(&job.label)?.join(&address));
    let mut url = absolute
        .map_err(|_| unsendable(&format!("the document `{}` names no server", job.label)))?
        .to_string();
    while url.ends_with('/') {
        url.pop();
    }
    Ok(url)
}

fn unknown(target: &str, operation: &str) -> Box<Failure> {
    let detail = format!("the release holds no `{target}` with an operation `{operation}`");
    Box::new(Failure::new(
        Class::Permanent,
        codes::UNKNOWN_TARGET,
        "The called operation is not part of the release",
        detail,
    ))
}

fn malformed_failure(
    job: &Job<'_>,
    answer: &Answer,
    passing: bool,
    message: String,
) -> Box<Failure> {
    let class = if passing { Class::Transient } else { Class::Drift };
    let mut failure = Failure::new(
        class,
        codes::RESPONSE_MALFORMED,
        "The answer's body is cut off or is not what its media type says",
        format!("status {}: {message}", answer.status),
    );
    failure.applied = if passing { Applied::Maybe } else { Applied::Yes };
    failure.owner = job.connector.and_then(Connector::owner).map(str::to_owned);
    Box::new(failure)
}

fn drift_failure(job: &Job<'_>, answer: &Answer, message: &str) -> Box<Failure> {
    let mut failure = Failure::new(
        Class::Drift,
        codes::CONTRACT_DRIFT,
        "The answer breaks the contract",
        format!("status {}: {message}", answer.status),
    );
    failure.applied = Applied::Yes;
    failure.owner = job.connector.and_then(Connector::owner).map(str::to_owned);
    Box::new(failure)
}

impl CallRecord {
    pub(super) fn begun(call: &CallRequest, key: &str, started_at: Timestamp) -> Self {
        let (connector, operation) = match &call.target {
            CallTarget::Connector { connector, operation, .. } => {
                (Some(connector), Some(operation))
            }
            CallTarget::OpenApi { document, operation, .. } => (Some(document), Some(operation)),
            CallTarget::Http { .. } => (None, None),
        };
        Self {
            connector: connector.cloned(),
            operation: operation.cloned(),
            method: String::new(),
            url: String::new(),
            attempt: call.attempt,
            key: key.to_owned(),
            status: None,
            class: None,
            sent: false,
            requests: 0,
            started_at,
            duration_ms: 0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}
