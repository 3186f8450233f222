//! Messages of a broker at the door: the same order as for requests, and a ledger row where a sender over HTTP would
//! get an answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use qc_document::ParseLimits;
use qc_engine::{Deployment, MessageForm, Refused, Trigger, TriggerKind, is_legal_key};
use qc_model::{Actor, ActorKind};

use super::{
    cloudevents::{self, Carried},
    door::{self, Door},
    media::Media,
};
use crate::{Problem, State, codes, metrics::AcceptOutcome};

/// A message of a broker.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// From where, for the ledger: `amqp:orders`.
    pub from: String,
    /// The sender's id of the message.
    pub id: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// How its body is encoded.
    pub content_encoding: Option<String>,
    /// The attributes of a CloudEvent in binary form.
    pub attributes: Vec<(String, String)>,
    /// The W3C `traceparent`.
    pub traceparent: Option<String>,
    /// Its body.
    pub body: Bytes,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferOutcome {
    /// It is on disk, or was before.
    Taken,
    /// It is refused for good, and the ledger says so.
    Refused,
    /// It cannot be taken now; why.
    Later(String),
}

/// What header fields cannot hold as it is, and `%` itself: the reader of CloudEvents decodes it.
const IN_HEADER: &AsciiSet = &CONTROLS.add(b'%').add(b'"').add(b' ');

impl State {
    /// Offers a message to a trigger. What is refused for good has its row in the ledger when this returns.
    pub async fn offer(
        &self,
        deployment: &Arc<Deployment>,
        trigger: &Trigger,
        offered: &Offered,
    ) -> OfferOutcome {
        let since = std::time::Instant::now();
        let actor = Actor::new(ActorKind::Sender, offered.from.clone());
        let (outcome, counted) = match through(self, deployment, trigger, offered, &actor).await {
            Ok(outcome) => (OfferOutcome::Taken, outcome),
            // One whose tenant has enough at the moment is no wrong message. One that cannot be converted is none either, but
            // coming again does not help it: it is for the queue's dead letters, and for whoever mends the steps.
            Err(problem)
                if (problem.status >= 500 && problem.code != codes::VERSION_CONVERSION)
                    || problem.status == 429 =>
            {
                (OfferOutcome::Later(problem.detail.clone()), AcceptOutcome::Unavailable)
            }
            Err(problem) => {
                let refused = Refused {
                    code: problem.code.clone(),
                    detail: problem.detail.clone(),
                    places: problem
                        .errors
                        .iter()
                        .map(|place| (place.pointer.clone(), place.detail.clone()))
                        .collect(),
                    id: offered.id.clone(),
                };
                let written =
                    self.engine.refuse(deployment, trigger, &actor, &refused, &offered.body).await;
                match written {
                    Ok(()) => (OfferOutcome::Refused, AcceptOutcome::Refused),
                    Err(error) => {
                        (OfferOutcome::Later(error.to_string()), AcceptOutcome::Unavailable)
                    }
                }
            }
        };
        self.metrics.accepted(deployment, &trigger.name, counted, since.elapsed());
        outcome
    }
}

async fn through(
    state: &State,
    deployment: &Arc<Deployment>,
    trigger: &Trigger,
    offered: &Offered,
    actor: &Actor,
) -> Result<AcceptOutcome, Problem> {
    let TriggerKind::Amqp(amqp) = &trigger.kind else {
        let detail = "this trigger takes no messages of brokers";
        return Err(Problem::new(500, codes::INTERNAL, "Wrong door", detail));
    };
    if offered.body.len() > trigger.body_limit {
        let detail = format!("the trigger takes at most {} bytes", trigger.body_limit);
        return Err(Problem::new(413, codes::BODY_TOO_LARGE, "Body too large", detail));
    }
    let headers = headers(offered, &amqp.form)?;
    let media = Media::of(&headers)?;
    let limits = ParseLimits { bytes: trigger.body_limit, ..ParseLimits::ingress() };
    let door = Door::new(state, deployment, trigger, &headers, actor.clone());
    let accepted = match &amqp.form {
        MessageForm::CloudEvents { .. } => {
            match cloudevents::read(&headers, media, &offered.body, &limits)? {
                Carried::One(sent) => {
                    let id = door::sender_id(&sent.event);
                    vec![Box::pin(door.accept(*sent, Some(id))).await?]
                }
                Carried::Batch(batch) => door.accept_batch(batch).await?,
            }
        }
        MessageForm::Json { event_type } => {
            let sent = door.wrap_json(event_type, media, &offered.body, &limits)?;
            if offered.id.as_deref().is_some_and(|id| !is_legal_key(id)) {
                let detail = "the message's id is no usable key: it has control characters";
                return Err(Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
            }
            vec![Box::pin(door.accept(sent, offered.id.clone())).await?]
        }
    };
    let new = accepted.iter().any(|one| !one.is_repeat());
    Ok(if new { AcceptOutcome::Accepted } else { AcceptOutcome::Repeat })
}

/// The message's properties as the header fields that say the same: one reader serves both ways in.
fn headers(offered: &Offered, form: &MessageForm) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str| {
        let unusable = || {
            let shown: String = name.chars().take(40).collect();
            let detail = format!("the message's `{shown}` is no legal name or value");
            Problem::new(400, codes::NOT_AN_EVENT, "Not a legal CloudEvent", detail)
        };
        let value = HeaderValue::from_str(value).map_err(|_| unusable())?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        headers.append(name, value);
        Ok::<(), Problem>(())
    };
    match (&offered.content_type, form) {
        (Some(content_type), _) => put(header::CONTENT_TYPE.as_str(), content_type)?,
        // Many publishers of plain JSON do not say what it is.
        (None, MessageForm::Json { .. }) => put("content-type", "application/json")?,
        (None, MessageForm::CloudEvents { .. }) => {}
    }
    if let Some(encoding) = &offered.content_encoding {
        // Some libraries name the character encoding here.
        let is_utf8 =
            encoding.eq_ignore_ascii_case("utf-8") || encoding.eq_ignore_ascii_case("utf8");
        put("content-encoding", if is_utf8 { "identity" } else { encoding })?;
    }
    for (name, value) in &offered.attributes {
        put(&format!("ce-{name}"), &utf8_percent_encode(value, IN_HEADER).to_string())?;
    }
    if let Some(traceparent) = &offered.traceparent {
        // One that is no header field is no trace either.
        drop(put("traceparent", traceparent));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_become_the_fields_that_say_the_same() {
        let offered = Offered {
            attributes: vec![("subject".into(), "Café 100%".into())],
            content_encoding: Some("UTF-8".into()),
            traceparent: Some("bad\n".into()),
            ..Offered::default()
        };
        let json = MessageForm::Json { event_type: "t".into() };
        let fields = headers(&offered, &json).unwrap();
        assert_eq!(fields["ce-subject"], "Caf%C3%A9%20100%25");
        assert_eq!(fields["content-type"], "application/json");
        assert!(!fields.contains_key("traceparent"));
        assert_eq!(Media::of(&fields).unwrap(), Media::Json);
        let wrong = Offered { attributes: vec![("a b".into(), "x".into())], ..Offered::default() };
        assert_eq!(headers(&wrong, &json).unwrap_err().code, codes::NOT_AN_EVENT);
    }
}
