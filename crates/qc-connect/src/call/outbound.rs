use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use qc_capture::Captures;
use qc_model::{
    Applied, Caller, Class, Clock, EnvironmentName, Failure, Name, Retry, RunId, TenantName,
    Timestamp,
};
use qc_store::blobs::{Blobs, MemoryBlobs};
use qc_vault::{SecretRef, Secrets};
use qc_workflow::{CallOutput, CallRequest};
use serde_json::Value;

use super::{
    CallRecord, ConnectionTokens, Connectors, DriftNote, Egress, EndNotice, Quotas, job::Sending,
    observe::Observed, token::Tokens,
};
use crate::codes;

/// The most bytes of an answer in a workflow's data when nothing else is set: 8 MiB.
const RESPONSE_LIMIT: usize = 8 * 1024 * 1024;
/// The most bytes of a blob when nothing else is set: 1 GiB.
const BLOB_LIMIT: u64 = 1 << 30;
/// Most ambiguous calls whose moment is kept in memory; beyond it the list starts anew.
const DOUBTS: usize = 10_000;

/// Performs the calls of workflows: one attempt at a time, each once.
pub struct Outbound {
    pub(super) caller: Arc<dyn Caller>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) tokens: Tokens,
    pub(super) connections: ConnectionTokens,
    pub(super) response_limit: usize,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) blob_limit: u64,
    /// Who decides whether a call may go out; None: nobody forbids any.
    pub(super) egress: Option<Arc<dyn Egress>>,
    pub(super) quotas: Quotas,
    /// What is recorded of calls for a time; None: nothing ever.
    pub(super) captures: Option<Arc<Captures>>,
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
#[derive(Debug, Clone)]
pub struct EffectContext {
    /// The integration.
    pub integration: Name,
    /// The platform asks by itself, such as for a connection's health: no binding narrows or counts it.
    pub of_platform: bool,
    /// The run: what it receives and sends on as a blob is its own.
    pub run: RunId,
    /// The effect's stable key, `qc:{origin}:{task pointer}:{visit}`: the same for all attempts.
    pub key: String,
    /// When the first attempt was sent, if there was one.
    pub first_sent_at: Option<Timestamp>,
    /// The W3C `traceparent` to hand on; none when empty.
    pub traceparent: String,
    /// The how manieth hop of a chain of QuickConnects this is; 0: it is not told.
    pub hops: u32,
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
    /// What the provider said of the operation's end.
    pub notice: Option<EndNotice>,
    /// What the last answer said of limits.
    pub said: qc_pace::Said,
    /// The answer that breaks the contract, when the result says so: whole, to be put right later. None where it is only
    /// a page, or where the integration may not see all of it.
    pub unfit: Option<Box<CallOutput>>,
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

/// What a read-back found out, and what its request tells of the other side.
#[derive(Debug, Clone)]
pub struct ReadBack {
    /// What it found out.
    pub verified: Verified,
    /// HTTP requests that it took; 0: it could not be asked.
    pub requests: u32,
    /// For the pace of the calls that follow, and for the system's breaker.
    pub tells: (qc_pace::Outcome, qc_pace::breaker::Health),
    /// What the last answer said of limits.
    pub said: qc_pace::Said,
}

impl Performed {
    /// A call that was not sent, and why.
    pub fn not_sent(call: &CallRequest, key: &str, failure: Failure, now: Timestamp) -> Self {
        let record = CallRecord { class: Some(failure.class), ..CallRecord::begun(call, key, now) };
        let (drift, notice, said, unfit) = (Vec::new(), None, qc_pace::Said::default(), None);
        Self { result: Err(failure), record, drift, notice, said, unfit }
    }
}

impl Outbound {
    /// A stack over these seams. Large bodies are kept in memory unless [`Outbound::with_blobs`] says where.
    pub fn new(caller: Arc<dyn Caller>, clock: Arc<dyn Clock>, secrets: Arc<Secrets>) -> Self {
        Self {
            caller,
            clock,
            secrets,
            tokens: Tokens::default(),
            connections: ConnectionTokens::default(),
            response_limit: RESPONSE_LIMIT,
            blobs: Arc::new(MemoryBlobs::default()),
            blob_limit: BLOB_LIMIT,
            egress: None,
            quotas: Quotas::default(),
            captures: None,
            doubts: Mutex::default(),
        }
    }

    /// Keeps large bodies there, each of at most `limit` bytes.
    #[must_use]
    pub fn with_blobs(mut self, blobs: Arc<dyn Blobs>, limit: u64) -> Self {
        (self.blobs, self.blob_limit) = (blobs, limit);
        self
    }

    /// Asks before each attempt whether it may go out.
    #[must_use]
    pub fn with_egress(mut self, egress: Arc<dyn Egress>) -> Self {
        self.egress = Some(egress);
        self
    }

    /// Counts the calls of bindings there.
    #[must_use]
    pub fn with_quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// Records calls as far as the captures say that are under way.
    #[must_use]
    pub fn with_captures(mut self, captures: Arc<Captures>) -> Self {
        self.captures = Some(captures);
        self
    }

    /// What is recorded for a time.
    pub fn captures(&self) -> Option<&Arc<Captures>> {
        self.captures.as_ref()
    }

    /// Where large bodies are kept.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// Reads at most `bytes` of an answer into a workflow's data.
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
        let mut drift = Observed::default();
        let result =
            self.attempt(release, environment, call, effect, &mut record, &mut drift).await;
        let took = self.clock.now().since(started_at);
        record.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        record.class = result.as_ref().err().map(|failure| failure.class);
        let unfit = drift.unfit.filter(|_| result.is_err());
        Performed {
            result: result.map_err(|failure| *failure),
            record,
            drift: drift.notes,
            notice: drift.notice,
            said: drift.said,
            unfit,
        }
    }

    async fn attempt(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
        record: &mut CallRecord,
        drift: &mut Observed,
    ) -> Result<CallOutput, Box<Failure>> {
        let (job, sending) = self.job(release, environment, call, effect)?;
        job.permitted()?;
        if self.is_past_window(release, call, effect)
            && let Some(output) =
                Box::pin(self.past_window(release, environment, call, effect)).await?
        {
            return Ok(output);
        }
        let request = self.prepare(&job, call, sending)?;
        request.method.as_str().clone_into(&mut record.method);
        record.url.clone_from(&request.shown_url);
        self.count(&job).await?;
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
        if job.is_narrowed() {
            drift.unfit = None;
        }
        let mut output = result?;
        output.content = job.seen(output.content, self.clock.now())?;
        Ok(output)
    }

    /// Whether the vendor has forgotten the key of a call.
    pub(super) fn is_past_window(
        &self,
        release: &Connectors,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> bool {
        let forgotten = |first| !release.key_remembered(&call.target, first, self.clock.now());
        call.effect == qc_workflow::Effect::Keyed && effect.first_sent_at.is_some_and(forgotten)
    }

    /// A keyed call whose key the vendor has forgotten acts as `verify` or `once`: the output when it turns out to have
    /// taken effect, nothing when it may be sent.
    pub(super) async fn past_window(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> Result<Option<CallOutput>, Box<Failure>> {
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
        match self.verify(release, environment, call, effect).await.verified {
            Verified::Applied(output) => Ok(Some(output)),
            Verified::NotApplied => Ok(None),
            Verified::Unknown(failure) => Err(Box::new(failure)),
        }
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

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}
