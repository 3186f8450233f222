//! Asks something of a run that another node owns: a letter in the store, addressed to whoever owns
//! the run's group when it is read, and an answer beside it.
//!
//! Whoever asks waits for a bounded time. Then the letter is withdrawn, if nobody has begun with
//! it: then nothing was done and nothing will be.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use qc_model::{Actor, Failure, Origin, RunId, Timestamp, TxnId};
use qc_store::{ChangeOutcome, DocumentOp, Expect, RunStatus, StoreError};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    Engine, EngineError,
    command::Request,
    mail::{ANSWERS, COMMAND, MAIL},
};

/// How long the answer to a letter is waited for.
pub(crate) const ANSWER_IN: Duration = Duration::from_secs(30);

/// The pauses between two looks for the answer.
const LOOK_FIRST: Duration = Duration::from_millis(40);
const LOOK_LAST: Duration = Duration::from_millis(250);

/// The version of letters and answers that is written.
const VERSION: u32 = 1;

/// What one node asks of the owner of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Letter {
    v: u32,
    /// Names this asking; the ledger row of the deed holds it.
    pub(crate) id: String,
    pub(crate) run: RunId,
    pub(crate) actor: Actor,
    /// By which request, for the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<Arc<Origin>>,
    pub(crate) errand: Errand,
    /// Who asks.
    from: String,
    /// Nobody waits for it any longer then.
    pub(crate) until: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Errand {
    /// By the run itself.
    Ask(Request),
    /// Its dead letter is settled.
    Discard { reason: String },
    /// Its line goes on without it.
    LeaveLine { reason: String },
    /// Its dead letter is settled, and its line goes on without it.
    SkipLine { reason: String },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    Done,
    NoRun,
    WrongState { status: String, reason: String },
    NoRelease { hash: String },
    NoTask { task: String },
    Refused { failure: Box<Failure> },
    Unknown { why: String },
    Failed { why: String },
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u32,
    #[serde(flatten)]
    answer: Answer,
}

impl Answer {
    pub(crate) fn of(result: Result<(), EngineError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(EngineError::NoRun(_)) => Self::NoRun,
            Err(EngineError::WrongState { status, reason, .. }) => {
                Self::WrongState { status: status.to_owned(), reason }
            }
            Err(EngineError::NoRelease(hash)) => Self::NoRelease { hash },
            Err(EngineError::NoTask(task)) => Self::NoTask { task },
            Err(EngineError::Refused(failure)) => Self::Refused { failure },
            Err(EngineError::Store(StoreError::Unknown(why))) => Self::Unknown { why },
            Err(other) => Self::Failed { why: other.to_string() },
        }
    }

    fn result(self, run: RunId) -> Result<(), EngineError> {
        match self {
            Self::Done => Ok(()),
            Self::NoRun => Err(EngineError::NoRun(run)),
            Self::WrongState { status, reason } => {
                let status =
                    RunStatus::parse(&status).map_or("in another state", RunStatus::as_str);
                Err(EngineError::WrongState { run, status, reason })
            }
            Self::NoRelease { hash } => Err(EngineError::NoRelease(hash)),
            Self::NoTask { task } => Err(EngineError::NoTask(task)),
            Self::Refused { failure } => Err(EngineError::Refused(failure)),
            Self::Unknown { why } => Err(StoreError::Unknown(why).into()),
            Self::Failed { why } => Err(StoreError::Unavailable(why).into()),
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let envelope = Envelope { v: VERSION, answer: self.clone() };
        serde_json::to_vec(&envelope).expect("answers are plain data").into()
    }
}

impl Letter {
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let letter: Self = serde_json::from_slice(body).ok()?;
        let actor = Actor { via: letter.via.clone(), ..letter.actor };
        (letter.v == VERSION).then_some(Self { actor, ..letter })
    }
}

impl Engine {
    /// Has the run's owner do something, and gives its answer.
    pub(crate) async fn forward(
        &self,
        run: RunId,
        errand: Errand,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let id = TxnId::new(self.shared.now(), &*self.shared.entropy).to_string();
        self.forward_as(id, run, errand, actor).await
    }

    /// The same under a name of the asker's own: asked again under it, it is not done again.
    pub(crate) async fn forward_as(
        &self,
        id: String,
        run: RunId,
        errand: Errand,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let shared = &self.shared;
        let _room = shared.mail.asking.try_acquire().map_err(|_| {
            StoreError::Unavailable("too many requests to other nodes are on their way".to_owned())
        })?;
        let at = shared.now();
        let letter = Letter {
            v: VERSION,
            id: id.clone(),
            run,
            actor: actor.clone(),
            via: actor.via.clone(),
            errand,
            from: shared.settings.node.clone(),
            until: at + ANSWER_IN,
        };
        let body = serde_json::to_vec(&letter).expect("letters are plain data");
        let name = format!("{COMMAND}{id}");
        let put = DocumentOp::Put {
            kind: MAIL.to_owned(),
            name: name.clone(),
            expect: Expect::Absent,
            body: body.into(),
            at,
        };
        self.change(vec![put]).await?;
        let deadline = Instant::now() + ANSWER_IN;
        let mut pause = LOOK_FIRST;
        while Instant::now() < deadline {
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK_LAST);
            // The store may be away for a moment: the answer is not.
            if let Ok(Some(answer)) = self.answer_to(&id).await {
                return answer.result(run);
            }
        }
        self.withdraw(run, &id, name).await
    }

    async fn answer_to(&self, id: &str) -> Result<Option<Answer>, StoreError> {
        let Some(document) = self.shared.store.document(ANSWERS, id).await? else {
            return Ok(None);
        };
        let expect = Expect::Any;
        let delete = DocumentOp::Delete { kind: ANSWERS.to_owned(), name: id.to_owned(), expect };
        if let Err(error) = self.change(vec![delete]).await {
            tracing::debug!("an answer stays in the store until it is tidied: {error}");
        }
        let envelope: Option<Envelope> = serde_json::from_slice(&document.body).ok();
        let answer = envelope.filter(|envelope| envelope.v == VERSION).map(|it| it.answer);
        Ok(Some(answer.unwrap_or_else(|| Answer::Unknown {
            why: "the answer of the run's owner cannot be read: it has another version".to_owned(),
        })))
    }

    /// Nobody has answered in time.
    async fn withdraw(&self, run: RunId, id: &str, name: String) -> Result<(), EngineError> {
        let expect = Expect::Revision(1);
        let delete = DocumentOp::Delete { kind: MAIL.to_owned(), name, expect };
        match self.change(vec![delete]).await {
            Ok(ChangeOutcome::Changed) => Err(StoreError::Unavailable(format!(
                "no node owns {run} now, or none could take the request in time; nothing was done: \
                 try again"
            ))
            .into()),
            // It was answered at the last moment, or is being done.
            Ok(ChangeOutcome::Conflict { .. }) | Err(_) => match self.answer_to(id).await {
                Ok(Some(answer)) => answer.result(run),
                Ok(None) | Err(_) => Err(unanswered(run)),
            },
        }
    }
}

pub(crate) fn unanswered(run: RunId) -> EngineError {
    StoreError::Unknown(format!("{run} did not answer in time; look at it before you ask again"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_travel_as_they_are() {
        let run = RunId::from_bits(7);
        let wrong =
            EngineError::WrongState { run, status: "completed", reason: "it is over".to_owned() };
        for result in [
            Ok(()),
            Err(EngineError::NoRun(run)),
            Err(wrong),
            Err(EngineError::NoRelease("ab".to_owned())),
            Err(StoreError::Unknown("who knows".to_owned()).into()),
        ] {
            let bytes = Answer::of(result.clone()).to_bytes();
            let envelope: Envelope = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(envelope.answer.result(run), result);
        }
        let failed = Answer::of(Err(EngineError::Draining)).result(run);
        assert!(matches!(failed, Err(EngineError::Store(StoreError::Unavailable(_)))));
    }

    #[test]
    fn a_letter_of_another_version_is_left_alone() {
        let letter = Letter {
            v: VERSION,
            id: "txn_1".to_owned(),
            run: RunId::from_bits(7),
            actor: Actor::platform("test"),
            via: None,
            errand: Errand::Ask(Request::Cancel { reason: "x".to_owned(), compensate: false }),
            from: "a".to_owned(),
            until: Timestamp::from_millis(5),
        };
        let body = serde_json::to_vec(&letter).unwrap();
        assert!(Letter::parse(&body).is_some());
        let newer = serde_json::to_vec(&Letter { v: VERSION + 1, ..letter }).unwrap();
        assert!(Letter::parse(&newer).is_none() && Letter::parse(b"{").is_none());
    }
}
