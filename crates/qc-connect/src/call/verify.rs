use std::{sync::Arc, time::Duration};

use qc_expression::{Expression, Limits, Scope};
use qc_model::{Applied, Class, Failure, NextAction, Retry, Timestamp};
use qc_workflow::{CallOutput, CallRequest, CallTarget, OutputShape};
use serde_json::Value;

use super::{
    CallRecord, Connectors, EffectContext, EnvironmentScope, Outbound, ReadBack, Verified,
    job::Sending, key, observe::Observed, pace,
};
use crate::{
    codes,
    connector::{Connector, KeyFormat, KeyRule, NotFound, VerifyRule},
};

/// How long a key is taken to be remembered when nobody says: the shortest of the well-known vendors' windows.
const UNSTATED_WINDOW: Duration = Duration::from_secs(24 * 3600);

impl Connectors {
    /// Whether the other side still remembers a key that was first sent at `first`.
    pub fn key_remembered(&self, target: &CallTarget, first: Timestamp, now: Timestamp) -> bool {
        let rule = self.rules(target).and_then(|(_, key, _)| key);
        now.since(first) < rule.map_or(UNSTATED_WINDOW, |rule| rule.window)
    }

    /// Whether the call's effect can be read back.
    pub fn can_verify(&self, target: &CallTarget) -> bool {
        self.rules(target).is_some_and(|(_, _, verify)| verify.is_some())
    }

    /// How long to wait between an ambiguous outcome and its read-back; none when it cannot be read back.
    pub fn settle(&self, target: &CallTarget) -> Option<Duration> {
        self.rules(target)?.2.map(|verify| verify.settle)
    }

    pub(super) fn rules(
        &self,
        target: &CallTarget,
    ) -> Option<(&Arc<Connector>, Option<&KeyRule>, Option<&VerifyRule>)> {
        let CallTarget::Connector { connector, operation, .. } = target else { return None };
        let connector = self.get(connector)?;
        let rule = connector.declared_effect(operation)?;
        Some((connector, rule.key.as_ref(), rule.verify.as_ref()))
    }
}

impl Outbound {
    /// Reads back whether an ambiguous call took effect, as its connector says. Asks once; [`Verified::Unknown`] tells
    /// when to ask again.
    pub async fn verify(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> ReadBack {
        let mut record = CallRecord::begun(call, "", self.clock.now());
        let mut drift = Observed::default();
        let heard = (&mut record, &mut drift);
        let asked = self.read_back(release, environment, call, effect, heard).await;
        ReadBack {
            verified: asked.unwrap_or_else(|failure| Verified::Unknown(*failure)),
            requests: record.requests,
            tells: pace::tells_of(&record),
            said: drift.said,
        }
    }

    /// How long the other side still needs until a read-back of the call may see its effect.
    pub fn settles_in(
        &self,
        release: &Connectors,
        call: &CallRequest,
        effect: &EffectContext,
    ) -> Option<Duration> {
        self.unsettled(release.rules(&call.target)?.2?, effect)
    }

    async fn read_back(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        call: &CallRequest,
        effect: &EffectContext,
        heard: (&mut CallRecord, &mut Observed),
    ) -> Result<Verified, Box<Failure>> {
        let (connector, key_rule, verify) = release
            .rules(&call.target)
            .and_then(|(connector, key, verify)| Some((connector, key, verify?)))
            .ok_or_else(|| no_verdict("the call's effect cannot be read back", Retry::OnEvent))?;
        let CallTarget::Connector { arguments, .. } = &call.target else {
            return Err(no_verdict("the call's effect cannot be read back", Retry::OnEvent));
        };
        if let Some(pause) = self.unsettled(verify, effect) {
            let stated_ms = Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            return Err(no_verdict(
                "the other system needs time to settle",
                Retry::After { stated_ms },
            ));
        }
        let format = key_rule.map_or(KeyFormat::Raw, |rule| rule.format);
        let key = Value::String(key::written(&effect.key, format));
        let question = Question { outbound: self, verify, arguments, key: &key };
        let reading = CallRequest {
            target: CallTarget::Connector {
                connector: connector.name().as_str().to_owned(),
                operation: verify.operation.clone(),
                arguments: question.evaluate("parameters", &verify.arguments, arguments)?,
                output: OutputShape::Content,
            },
            effect: qc_workflow::Effect::Idempotent,
            timeout_ms: connector
                .policy(&verify.operation)
                .map_or(call.timeout_ms, |p| p.timeout_ms),
            ..call.clone()
        };
        // The read-back is another request than the effect; it must not carry the effect's key.
        let silent = EffectContext { key: String::new(), first_sent_at: None, ..effect.clone() };
        match self.ask(release, environment, &reading, &silent, heard).await {
            // The read-back is the platform's; the integration sees of it what it sees of its call's answer.
            Ok(answer) => match question.judge(answer)? {
                Verified::Applied(mut output) => {
                    let (job, _) = self.job(release, environment, call, effect)?;
                    output.content = job.seen(output.content, self.clock.now())?;
                    Ok(Verified::Applied(output))
                }
                other => Ok(other),
            },
            Err(failure) if failure.status == 404 && failure.class == Class::NotFound => {
                match verify.not_found {
                    NotFound::NotApplied => Ok(Verified::NotApplied),
                    NotFound::Unknown => Err(no_verdict(
                        "the read-back found nothing, which tells nothing",
                        Retry::OnEvent,
                    )),
                }
            }
            Err(mut failure) => {
                // What failed is the question; the answer to it is still open.
                failure.applied = Applied::Maybe;
                Err(failure)
            }
        }
    }

    /// How long the other side still needs until a change of it can be seen.
    fn unsettled(&self, verify: &VerifyRule, effect: &EffectContext) -> Option<Duration> {
        let since = self.doubted_at(&effect.key).or(effect.first_sent_at)?;
        let waited = self.clock.now().since(since);
        verify.settle.checked_sub(waited).filter(|left| !left.is_zero())
    }

    async fn ask(
        &self,
        release: &Connectors,
        environment: &EnvironmentScope,
        reading: &CallRequest,
        effect: &EffectContext,
        (record, drift): (&mut CallRecord, &mut Observed),
    ) -> Result<CallOutput, Box<Failure>> {
        let (job, sending) = self.job(release, environment, reading, effect)?;
        let pages = job
            .connector
            .zip(job.operation)
            .and_then(|(connector, operation)| connector.pagination(&operation.id));
        let answer = if let (Some(pages), Sending::Operation(arguments)) = (pages, sending) {
            self.pages(&job, reading, pages, arguments, record, drift).await
        } else {
            let request = self.prepare(&job, reading, sending)?;
            self.once(&job, &request, record, drift).await.map(|(output, _)| output)
        };
        record.class = answer.as_ref().err().map(|failure| failure.class);
        answer
    }
}

/// What is asked of a read-back.
struct Question<'a> {
    outbound: &'a Outbound,
    verify: &'a VerifyRule,
    arguments: &'a Value,
    key: &'a Value,
}

impl Question<'_> {
    fn judge(&self, mut answer: CallOutput) -> Result<Verified, Box<Failure>> {
        let applied = self.evaluate("applied_when", &self.verify.applied_when, &answer.content)?;
        if matches!(applied, Value::Null | Value::Bool(false)) {
            return Ok(Verified::NotApplied);
        }
        if let Some(output) = &self.verify.output {
            answer.content = self.evaluate("output", output, &answer.content)?;
        }
        Ok(Verified::Applied(answer))
    }

    fn evaluate(
        &self,
        what: &str,
        expression: &Expression,
        input: &Value,
    ) -> Result<Value, Box<Failure>> {
        let variables = [self.arguments, self.key];
        let scope = Scope {
            variables: &variables,
            now_ms: self.outbound.clock.now().as_millis(),
            limits: Limits::default(),
        };
        expression.evaluate(input, &scope).map_err(|error| {
            no_verdict(&format!("`{what}` of the read-back fails: {error}"), Retry::OnEvent)
        })
    }
}

fn no_verdict(detail: &str, retry: Retry) -> Box<Failure> {
    let mut failure = Failure::new(
        Class::Dependency,
        codes::NO_VERDICT,
        "Whether a call took effect could not be found out",
        detail,
    );
    failure.applied = Applied::Maybe;
    failure.retry = retry;
    failure.next_action = NextAction::ContactOwner;
    Box::new(failure)
}
