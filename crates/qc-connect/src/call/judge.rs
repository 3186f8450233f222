use qc_model::{Applied, Class, Failure};
use qc_workflow::{CallOutput, OutputShape, RequestFacts};
use serde_json::Value;

use super::{
    CallRecord, Deviation, Outbound,
    answer::{Answer, header_texts},
    classify::Verdict,
    exchange::Prepared,
    job::Job,
    notice::EndNotice,
    observe::{self, Observed},
};
use crate::{
    codes,
    connector::{Connector, ResponseValidation},
};

impl Outbound {
    /// Sends one request and judges its answer.
    pub(super) async fn once(
        &self,
        job: &Job<'_>,
        request: &Prepared,
        record: &mut CallRecord,
        drift: &mut Observed,
    ) -> Result<(CallOutput, Answer), Box<Failure>> {
        let answer = self.answer(job, request, record).await.map_err(|mut failure| {
            failure.owner = job.connector.and_then(Connector::owner).map(str::to_owned);
            failure
        })?;
        drift.said = qc_pace::said(&answer.headers, self.clock.now());
        let output = self.concluded(job, &answer, request.facts(), drift)?;
        Ok((output, answer))
    }

    /// What a call has of its answer; what it has of one that breaks the contract is kept with what was seen.
    pub(super) fn concluded(
        &self,
        job: &Job<'_>,
        answer: &Answer,
        request: RequestFacts,
        drift: &mut Observed,
    ) -> Result<CallOutput, Box<Failure>> {
        let content = self.judge(job, answer, drift);
        let whole = |content| CallOutput {
            status: answer.status,
            headers: header_texts(&answer.headers),
            content,
            request,
        };
        match (content, drift.broken.take()) {
            (Ok(content), _) => Ok(whole(content)),
            (Err(failure), broken) => {
                drift.unfit = broken.map(|broken| Box::new(whole(broken)));
                Err(failure)
            }
        }
    }

    /// The content of a good answer; the failure of any other.
    fn judge(
        &self,
        job: &Job<'_>,
        answer: &Answer,
        drift: &mut Observed,
    ) -> Result<Value, Box<Failure>> {
        let success = (200..300).contains(&answer.status);
        let parsed = answer.content(OutputShape::Content);
        let mut content = match parsed {
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
        // The error map is about single calls: an answer to many that holds an error of one is none for the others.
        if !(job.many && success)
            && let Some(failure) = verdict.failure(job.connector)
        {
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
        let raw = job.shape == OutputShape::Raw;
        drift.notice = EndNotice::of(&answer.headers).or(drift.notice.take());
        if let Some(repairs) = job.repairs().filter(|_| !raw) {
            let made = repairs.apply(&mut content);
            drift.notes.extend(made.into_iter().map(|one| observe::repaired(job, answer, one)));
        }
        let notes = observe::observe(job, answer, &content);
        let enforced = job
            .connector
            .is_some_and(|one| one.response_validation() == ResponseValidation::Enforce);
        // Whoever asked for a name of the contract goes on when there are more of them.
        let first = notes.iter().find(|note| note.kind == Deviation::Breaking);
        let first = first.map(|note| note.message.clone());
        drift.notes.extend(notes);
        if raw {
            content = answer.content(OutputShape::Raw).unwrap_or(Value::Null);
        }
        if let Some(message) = first.filter(|_| enforced) {
            drift.broken = Some(content);
            return Err(drift_failure(job, answer, &message));
        }
        Ok(content)
    }
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
