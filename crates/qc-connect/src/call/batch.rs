//! Calls of one task that go in one request: each is checked, keyed and counted as if it went alone; their bodies are put
//! into the body of the operation that takes many, and its answer is taken apart into what each alone would have had.

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue, header};
use qc_contract::StatusPattern;
use qc_expression::{Expression, Limits, Scope};
use qc_model::{Applied, Class, Failure, Timestamp};
use qc_vault::Secret;
use qc_workflow::{CallOutput, CallRequest, CallTarget, Effect, OutputShape};
use serde_json::{Value, json};

use super::{
    CallRecord, Connectors, EffectContext, EnvironmentScope, Outbound, Performed,
    answer::Answer,
    exchange::Prepared,
    job::{Job, Sending},
    key::hex,
    observe::Observed,
    prepare::{Filled, bare_body, built, unsendable},
    receive::Received,
};
use crate::{
    codes,
    connector::{BatchRule, KeyPlace},
};

/// Headers of the whole answer that are not those of its entries.
const OF_THE_WHOLE: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::LINK,
    HeaderName::from_static("deprecation"),
    HeaderName::from_static("sunset"),
];

/// A call that may go in one request with others of the same task, release, environment and tenant.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// What its release can call.
    pub release: &'a Connectors,
    /// Where it happens.
    pub environment: &'a EnvironmentScope,
    /// The call.
    pub call: &'a CallRequest,
    /// The effect that it is an attempt of.
    pub effect: &'a EffectContext,
}

/// What became of calls that were to go together.
#[derive(Debug)]
pub struct Together {
    /// Of each, in their order. None: it was not sent, and has to go alone.
    pub each: Vec<Option<Performed>>,
    /// The requests: one, or none, or several when not all of them can go in one.
    pub wholes: Vec<Whole>,
    /// Why they cannot go in one request, although each alone can.
    pub apart: Option<Box<Failure>>,
}

/// A request of many calls.
#[derive(Debug)]
pub struct Whole {
    /// The request, as a call of the operation that takes many.
    pub performed: Performed,
    /// The places of those that went in it.
    pub members: Vec<usize>,
}

/// A member that goes.
struct Going<'a> {
    at: usize,
    member: Member<'a>,
    job: Job<'a>,
    /// Its body, with secrets and key filled in.
    body: Value,
    /// Values of secrets in it.
    exposed: Vec<Secret>,
}

/// What an answer says of one member.
#[derive(Debug, PartialEq)]
struct Entry {
    /// None: that of the whole.
    status: Option<u16>,
    content: Value,
}

impl Connectors {
    /// How many calls at most go in one request with this one; None: it goes alone. It does unless its connector says how,
    /// when anything but its body differs from the others', when its answer is wanted as bytes, and when it is to be read
    /// back or keyed outside of its body.
    pub fn goes_together(&self, call: &CallRequest) -> Option<usize> {
        let CallTarget::Connector { connector, operation, arguments, output } = &call.target else {
            return None;
        };
        let connector = self.get(connector)?;
        let rule = connector.batch(operation)?;
        let parameters = &connector.operation(operation)?.parameters;
        let beside = |key: &String| parameters.iter().any(|one| *one.name == **key);
        let of_body = arguments.as_object().is_some_and(|map| !map.keys().any(beside));
        let declared = connector.declared_effect(operation);
        let key = declared.and_then(|effect| effect.key.as_ref());
        let read_back = declared.is_some_and(|effect| effect.verify.is_some());
        let apart = match (call.effect, key) {
            (Effect::Verify, _) | (Effect::Keyed, None) => true,
            _ if read_back => true,
            (_, Some(key)) => !matches!(key.place, KeyPlace::Body(_)),
            (Effect::Idempotent | Effect::Once, None) => false,
        };
        (of_body && !apart && *output != OutputShape::Raw).then_some(rule.max)
    }
}

impl Outbound {
    /// Performs one attempt of each of these calls in one request. They are of one task, and each
    /// [goes together](Connectors::goes_together) with others. Dropping the future cuts all of them off.
    pub async fn perform_together(&self, members: &[Member<'_>]) -> Together {
        let mut each: Vec<Option<Performed>> = members.iter().map(|_| None).collect();
        let mut going = Vec::with_capacity(members.len());
        for (at, member) in members.iter().enumerate() {
            match self.admitted(at, *member).await {
                Ok(Admitted::Goes(one)) => going.push(*one),
                Ok(Admitted::Alone) => {}
                Ok(Admitted::Applied(output)) => each[at] = Some(self.ended(*member, Ok(output))),
                Err(failure) => each[at] = Some(self.ended(*member, Err(failure))),
            }
        }
        let (mut apart, mut wholes) = (None, Vec::new());
        let mut parts = vec![going];
        while let Some(mut part) = parts.pop() {
            if part.len() < 2 {
                continue;
            }
            // What each may be alone they may not be together: more than the vendor takes at once, it may be.
            if let Err(failure) = Request::of(&part).and_then(|it| self.composed(&it, &part)) {
                apart = Some(failure);
                let rest = part.split_off(part.len() / 2);
                parts.extend([rest, part]);
                continue;
            }
            let (all, mut counted) = (part.len(), Vec::with_capacity(part.len()));
            for one in part {
                match self.count(&one.job).await {
                    Ok(()) => counted.push(one),
                    Err(failure) => each[one.at] = Some(self.ended(one.member, Err(failure))),
                }
            }
            // Without those whose quota is used up it may be another request, and too small a one.
            let fits = counted.len() == all
                || Request::of(&counted).and_then(|it| self.composed(&it, &counted)).is_ok();
            if fits {
                wholes.push(self.sent(counted, &mut each).await);
            }
        }
        Together { each, wholes, apart }
    }

    /// What a call is asked before it goes, whether alone or not.
    async fn admitted<'a>(
        &self,
        at: usize,
        member: Member<'a>,
    ) -> Result<Admitted<'a>, Box<Failure>> {
        let Member { release, environment, call, effect } = member;
        let (job, sending) = self.job(release, environment, call, effect)?;
        job.permitted()?;
        if self.is_past_window(release, call, effect)
            && let Some(output) = self.past_window(release, environment, call, effect).await?
        {
            return Ok(Admitted::Applied(output));
        }
        let Sending::Operation(arguments) = sending else { return Ok(Admitted::Alone) };
        let filled = self.filled(&job, call, arguments)?;
        let exposed = filled.exposed.clone();
        // Only what is JSON can be part of other JSON.
        Ok(match bare_body(&job, &filled)? {
            Some(body) => Admitted::Goes(Box::new(Going { at, member, job, body, exposed })),
            None => Admitted::Alone,
        })
    }

    /// The one request of these.
    fn composed(&self, whole: &Request<'_>, going: &[Going<'_>]) -> Result<Prepared, Box<Failure>> {
        let (job, _) = self.job(whole.release, whole.environment, &whole.call, &whole.effect)?;
        let now = self.clock.now();
        let bodies = going.iter().map(|one| one.body.clone()).collect();
        let filled = Filled {
            arguments: json!({ "body": put_together(whole.rule, &bodies, now)? }),
            // Secrets are in the body alone, which is shown nowhere.
            masked: None,
            exposed: going.iter().flat_map(|one| one.exposed.clone()).collect(),
        };
        built(&job, &whole.call, filled)
    }

    /// Sends them, and tells each what became of it. What became of the request.
    async fn sent(&self, going: Vec<Going<'_>>, each: &mut [Option<Performed>]) -> Whole {
        let began = self.clock.now();
        let mut drift = Observed::default();
        let first = &going[0];
        let mut record = CallRecord::begun(first.member.call, &first.member.effect.key, began);
        record.together = u32::try_from(going.len()).unwrap_or(u32::MAX);
        let named = first.job.connector.zip(first.job.operation);
        let many = named.and_then(|(connector, single)| connector.batch(&single.id));
        let many = many.map(|rule| rule.operation.clone());
        let answered = self.asked(&going, &mut record, &mut drift).await;
        let took = self.clock.now().since(began);
        record.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut bytes = Some((record.requests, record.request_bytes, record.response_bytes));
        let entries = answered.as_ref().map(|(output, _, rule)| {
            take_apart(rule, &output.content, going.len(), self.clock.now())
        });
        let mut entries = entries.ok().map(Vec::into_iter);
        let members = going.iter().map(|one| one.at).collect();
        for one in going {
            let mut drift = Observed::default();
            let mut own = CallRecord {
                attempt: one.member.call.attempt,
                key: one.member.effect.key.clone(),
                ..record.clone()
            };
            // What was sent and received is told once.
            (own.requests, own.request_bytes, own.response_bytes) =
                bytes.take().unwrap_or_default();
            let result = match (&answered, entries.as_mut().and_then(Iterator::next)) {
                (Err(failure), _) => Err(Box::new(of_one(failure, record.together))),
                (Ok((output, answer, _)), Some(entry)) => {
                    entry.map_err(|why| not_taken_apart(&one.job, &why)).and_then(|entry| {
                        let answer = alone(&one.job, entry, answer);
                        own.status = Some(answer.status);
                        self.concluded(&one.job, &answer, output.request.clone(), &mut drift)
                    })
                }
                (Ok(_), None) => Err(not_taken_apart(&one.job, "it has no entry for the call")),
            };
            own.class = result.as_ref().err().map(|failure| failure.class);
            if one.job.is_narrowed() {
                drift.unfit = None;
            }
            let result = result.and_then(|mut output| {
                output.content = one.job.seen(output.content, self.clock.now())?;
                Ok(output)
            });
            let unfit = drift.unfit.filter(|_| result.is_err());
            each[one.at] = Some(Performed {
                result: result.map_err(|failure| *failure),
                record: own,
                drift: drift.notes,
                notice: None,
                said: qc_pace::Said::default(),
                unfit,
            });
        }
        record.class = answered.as_ref().err().map(|failure| failure.class);
        record.operation = many;
        let performed = Performed {
            result: answered.map(|(output, ..)| output).map_err(|failure| *failure),
            record,
            drift: drift.notes,
            notice: drift.notice,
            said: drift.said,
            unfit: None,
        };
        Whole { performed, members }
    }

    async fn asked<'a>(
        &self,
        going: &[Going<'a>],
        record: &mut CallRecord,
        drift: &mut Observed,
    ) -> Result<(CallOutput, Answer, &'a BatchRule), Box<Failure>> {
        let whole = Request::of(going)?;
        let request = self.composed(&whole, going)?;
        let (mut job, _) =
            self.job(whole.release, whole.environment, &whole.call, &whole.effect)?;
        job.many = true;
        request.method.as_str().clone_into(&mut record.method);
        record.url.clone_from(&request.shown_url);
        let (output, answer) = self.once(&job, &request, record, drift).await?;
        Ok((output, answer, whole.rule))
    }

    /// A member that ended without the others.
    fn ended(&self, member: Member<'_>, result: Result<CallOutput, Box<Failure>>) -> Performed {
        let mut record = CallRecord::begun(member.call, &member.effect.key, self.clock.now());
        record.class = result.as_ref().err().map(|failure| failure.class);
        Performed {
            result: result.map_err(|failure| *failure),
            record,
            drift: Vec::new(),
            notice: None,
            said: qc_pace::Said::default(),
            unfit: None,
        }
    }
}

enum Admitted<'a> {
    Goes(Box<Going<'a>>),
    /// Its body cannot be part of another one.
    Alone,
    /// It has taken effect before.
    Applied(CallOutput),
}

/// The one request, as a call.
struct Request<'a> {
    release: &'a Connectors,
    environment: &'a EnvironmentScope,
    rule: &'a BatchRule,
    call: CallRequest,
    effect: EffectContext,
}

impl<'a> Request<'a> {
    fn of(going: &[Going<'a>]) -> Result<Self, Box<Failure>> {
        let first = going.first().ok_or_else(|| unsendable("nothing goes"))?;
        let Member { release, environment, call, effect } = first.member;
        let CallTarget::Connector { connector: name, operation, .. } = &call.target else {
            return Err(unsendable("only operations of connectors go together"));
        };
        let rule = release.get(name).and_then(|connector| connector.batch(operation));
        let rule = rule.ok_or_else(|| unsendable("the connector knows no batch of it"))?;
        let many = release.policy(name, &rule.operation);
        let target = CallTarget::Connector {
            connector: name.clone(),
            operation: rule.operation.clone(),
            arguments: Value::Null,
            output: OutputShape::Content,
        };
        let call = CallRequest {
            target,
            effect: many.map_or(Effect::Once, |policy| policy.effect),
            // Of each its own run says when its time is up.
            timeout_ms: going.iter().map(|one| one.member.call.timeout_ms).max().unwrap_or(0),
            ..call.clone()
        };
        // The same attempts together have the same key, and others another: what was answered is not asked again.
        let mut keys = digest::Context::new(&digest::SHA256);
        for one in going {
            keys.update(one.member.effect.key.as_bytes());
            keys.update(&one.member.call.attempt.to_be_bytes());
            keys.update(b"\n");
        }
        let key = format!("qc:batch:{}", hex(keys.finish().as_ref()));
        let hops = going.iter().map(|one| one.member.effect.hops).max().unwrap_or(0);
        let effect = EffectContext { key, hops, ..effect.clone() };
        Ok(Self { release, environment, rule, call, effect })
    }
}

/// The answer that a call would have had alone.
fn alone(job: &Job<'_>, entry: Entry, whole: &Answer) -> Answer {
    let mut headers = whole.headers.clone();
    for name in &OF_THE_WHOLE {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = match entry.content {
        Value::Null => Vec::new(),
        content => content.to_string().into_bytes(),
    };
    Answer {
        status: entry.status.or_else(|| promised(job)).unwrap_or(whole.status),
        headers,
        body: Received::Whole(body.into()),
        links: Vec::new(),
        url: whole.url.clone(),
    }
}

/// The body of the one request.
fn put_together(rule: &BatchRule, bodies: &Value, now: Timestamp) -> Result<Value, Box<Failure>> {
    let Some(body) = &rule.body else { return Ok(bodies.clone()) };
    evaluated(body, bodies, now)
        .map_err(|error| unsendable(&format!("`batch.body` of the connector fails: {error}")))
}

/// The entries of an answer: so many as there are calls; or why there is none for a call.
fn take_apart(
    rule: &BatchRule,
    content: &Value,
    calls: usize,
    now: Timestamp,
) -> Vec<Result<Entry, String>> {
    let found = match evaluated(&rule.results, content, now) {
        Ok(Value::Array(found)) if found.len() == calls => found,
        other => {
            let why = match other {
                Ok(Value::Array(found)) => {
                    format!("it has {} entries for {calls} calls", found.len())
                }
                Ok(_) => "`batch.results` finds no list in it".to_owned(),
                Err(error) => format!("`batch.results` fails: {error}"),
            };
            return (0..calls).map(|_| Err(why.clone())).collect();
        }
    };
    found.into_iter().map(|entry| entry_of(rule, entry, now)).collect()
}

fn entry_of(rule: &BatchRule, entry: Value, now: Timestamp) -> Result<Entry, String> {
    let status = match &rule.status {
        None => None,
        Some(status) => {
            let found = evaluated(status, &entry, now)
                .map_err(|error| format!("`batch.status` fails: {error}"))?;
            Some(status_of(&found).ok_or("an entry tells no status between 100 and 599")?)
        }
    };
    let content = match &rule.output {
        None => None,
        Some(output) => Some(
            evaluated(output, &entry, now)
                .map_err(|error| format!("`batch.output` fails: {error}"))?,
        ),
    };
    let refused = status.is_some_and(|status| status >= 400);
    Ok(match content {
        // Of an error the entry says what the place of the output does not.
        Some(Value::Null) if refused => Entry { status, content: entry },
        Some(content) => Entry { status, content },
        None => Entry { status, content: entry },
    })
}

fn status_of(found: &Value) -> Option<u16> {
    let number = match found {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.and_then(|number| u16::try_from(number).ok()).filter(|it| (100..600).contains(it))
}

fn evaluated(it: &Expression, over: &Value, now: Timestamp) -> Result<Value, String> {
    let scope = Scope { variables: &[], now_ms: now.as_millis(), limits: Limits::default() };
    it.evaluate(over, &scope).map_err(|error| error.to_string())
}

/// With which status the operation's document has it succeed.
fn promised(job: &Job<'_>) -> Option<u16> {
    let named = job.operation?.responses.iter().filter_map(|response| match response.status {
        StatusPattern::Exact(status) => Some(status),
        StatusPattern::Range(_) | StatusPattern::Default => None,
    });
    named.filter(|status| (200..300).contains(status)).min()
}

/// The failure of the request, as it is that of one of its calls. What became of each is not known when an answer came
/// that cannot be read.
fn of_one(failure: &Failure, together: u32) -> Failure {
    let mut failure = failure.clone();
    if failure.applied == Applied::Yes {
        failure.applied = Applied::Maybe;
    }
    failure.detail = format!("{}; {together} calls went in that request", failure.detail);
    failure
}

fn not_taken_apart(job: &Job<'_>, why: &str) -> Box<Failure> {
    let operation = job.operation.map(|operation| &*operation.id).unwrap_or_default();
    let detail = format!(
        "`{}.{operation}` went in one request with other calls, and of its answer it cannot be told which part is this call's: {why}",
        job.label
    );
    let title = "The answer of a batch cannot be taken apart";
    let mut failure = Failure::new(Class::Drift, codes::BATCH_ANSWER, title, detail);
    failure.applied = Applied::Maybe;
    failure.owner = job.connector.and_then(|one| one.owner()).map(str::to_owned);
    Box::new(failure)
}
