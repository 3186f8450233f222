use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use http_body_util::Full;
use percent_encoding::percent_decode;
use qc_connect::webhook::{Challenge, SignatureScheme};
use qc_document::{ParseLimits, parse_json_value};
use qc_engine::{Deployment, Trigger, TriggerAuth, TriggerKind, is_legal_key, over_event};
use qc_expression::Expression;
use qc_model::{Event, EventData, EventId, Timestamp};
use qc_vault::Secret;
use serde_json::{Map, Value, map::Entry};

use super::{body_hash, cloudevents::Sent, door::Door, media::Media, sender};
use crate::{Problem, State, codes};

/// Header fields that hold credentials: no expression sees them.
const HIDDEN: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
/// The most fields of a form.
const FORM_FIELDS: usize = 1_000;

/// Whether the trigger takes a provider's handshake, which may come with another method than POST.
pub(super) fn has_challenge(trigger: &Trigger) -> bool {
    challenge_of(trigger).is_some()
}

fn challenge_of(trigger: &Trigger) -> Option<&Challenge> {
    match &trigger.kind {
        TriggerKind::Webhook { challenge, .. } | TriggerKind::CloudEvents { challenge, .. } => {
            challenge.as_ref()
        }
        TriggerKind::Json { .. } | TriggerKind::Amqp(_) | TriggerKind::Poll(_) => None,
    }
}

/// Answers the provider's handshake; None when the request is an ordinary delivery.
pub(super) fn challenge(
    state: &State,
    deployment: &Deployment,
    trigger: &Trigger,
    parts: &Parts,
    body: &[u8],
    arrived_at: Timestamp,
) -> Result<Option<Response<Full<Bytes>>>, Problem> {
    let Some(challenge) = challenge_of(trigger) else { return Ok(None) };
    let secrets = challenge_secrets(state, deployment, trigger, challenge);
    let query = parts.uri.query().unwrap_or_default();
    let Some(answer) = challenge.answer(&parts.method, query, &parts.headers, body, &secrets)
    else {
        return Ok(None);
    };
    if challenge.is_signed() {
        sender::by_signature(state, deployment, trigger, &parts.headers, body, arrived_at)?;
    }
    if answer.status >= 400 {
        let detail = "the handshake's word or origin is not the one that is configured here";
        return Err(Problem::new(403, codes::HANDSHAKE, "Handshake refused", detail));
    }
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(Some(response))
}

fn challenge_secrets(
    state: &State,
    deployment: &Deployment,
    trigger: &Trigger,
    challenge: &Challenge,
) -> Vec<Secret> {
    let reference = match (&challenge.secret, &trigger.auth) {
        (Some(own), _) => own,
        (None, TriggerAuth::Signature { secret, .. }) => secret,
        (None, TriggerAuth::Token | TriggerAuth::Open | TriggerAuth::Fetched) => return Vec::new(),
    };
    // A handshake that needs a secret is refused without one by `Challenge::answer`.
    state.secrets.live(&deployment.environment, reference).unwrap_or_default()
}

impl Door<'_> {
    /// Wraps a provider's delivery as an event, and finds its id.
    pub(super) fn wrap_webhook(
        &self,
        event_type: &Expression,
        event_id: Option<&Expression>,
        media: Media,
        body: &Bytes,
        limits: &ParseLimits,
    ) -> Result<(Sent, Option<String>), Problem> {
        let (content_type, value) = match media {
            Media::Form => ("application/json", form(body, limits)?),
            // Several providers send JSON as `text/plain` or without saying what it is.
            Media::Json | Media::Absent | Media::Text => {
                let value =
                    parse_json_value(body, limits).map_err(|error| Problem::json(&error))?;
                ("application/json", value)
            }
            Media::CloudEvent
            | Media::CloudEventBatch
            | Media::ForeignCloudEvent
            | Media::Other => {
                let detail = "this webhook takes JSON or form bodies";
                return Err(Problem::new(415, codes::MEDIA_TYPE, "Media type", detail));
            }
        };
        let mut delivery = Map::new();
        delivery.insert("headers".to_owned(), visible(self.headers, self.trigger));
        delivery.insert("body".to_owned(), value);
        let delivery = Value::Object(delivery);
        let kind = match text_of(event_type, &delivery, self.received_at)? {
            Some(kind) if kind.len() <= 255 => kind,
            _ => {
                return Err(expression_fault(
                    event_type,
                    "it gives no text of 1 to 255 characters",
                ));
            }
        };
        let delivery_id = match event_id {
            Some(expression) => match text_of(expression, &delivery, self.received_at)? {
                Some(id) if !is_legal_key(&id) => return Err(unusable_id(expression)),
                id => id,
            },
            None => self.standard_webhook_id(),
        };
        let Value::Object(mut delivery) = delivery else { unreachable!("made as an object above") };
        let data = delivery.remove("body").unwrap_or_default();
        let id = delivery_id
            .clone()
            .unwrap_or_else(|| EventId::new(self.received_at, &*self.state.entropy).to_string());
        let event = Event {
            id,
            source: self.source(),
            kind,
            subject: None,
            time: Some(self.received_at.to_string()),
            datacontenttype: Some(content_type.to_owned()),
            dataschema: None,
            extensions: std::collections::BTreeMap::new(),
            data: EventData::Json(data),
        };
        Ok((Sent { event, hash: body_hash(body) }, delivery_id))
    }

    /// Standard Webhooks names every delivery in a header; its signature covers it.
    fn standard_webhook_id(&self) -> Option<String> {
        let TriggerAuth::Signature { scheme: SignatureScheme::StandardWebhooks { .. }, .. } =
            &self.trigger.auth
        else {
            return None;
        };
        let id = self.headers.get("webhook-id")?.to_str().ok()?;
        (!id.is_empty() && id.len() <= 255).then(|| id.to_owned())
    }
}

fn visible(headers: &HeaderMap, trigger: &Trigger) -> Value {
    // Where the signature is the secret itself, its field is hidden with the others.
    let own = match &trigger.auth {
        TriggerAuth::Signature { scheme: SignatureScheme::Token { header }, .. } => Some(header),
        _ => None,
    };
    let mut object = Map::new();
    for (name, value) in headers {
        let hidden = HIDDEN.contains(&name.as_str()) || own == Some(name);
        if let (false, Ok(text)) = (hidden, value.to_str()) {
            object.entry(name.as_str()).or_insert_with(|| Value::String(text.to_owned()));
        }
    }
    Value::Object(object)
}

/// The text that an expression gives over the delivery; None for null and for an empty text.
fn text_of(
    expression: &Expression,
    delivery: &Value,
    now: Timestamp,
) -> Result<Option<String>, Problem> {
    match over_event(expression, delivery, now) {
        Ok(Value::Null) => Ok(None),
        Ok(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
        Ok(Value::Number(number)) => Ok(Some(number.to_string())),
        Ok(_) => Err(expression_fault(expression, "it gives neither a text nor a number")),
        Err(error) => Err(expression_fault(expression, &error.to_string())),
    }
}

fn expression_fault(expression: &Expression, why: &str) -> Problem {
    let detail = format!("`{}` cannot be used on this delivery: {why}", expression.source());
    Problem::new(422, codes::WEBHOOK_EXPRESSION, "Delivery not understood", detail)
}

fn unusable_id(expression: &Expression) -> Problem {
    let detail = format!(
        "the trigger finds the delivery's id with `{}`, and on this delivery it is longer than 255 bytes or has control characters",
        expression.source()
    );
    Problem::new(422, codes::BAD_KEY, "Unusable idempotency key", detail)
}

/// One side of a form's `name=value`: `+` is a space, the rest is percent-decoded.
fn form_text(bytes: &[u8]) -> Result<String, Problem> {
    let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(decoded).map_err(|_| {
        let detail = "the form is not percent-encoded UTF-8";
        Problem::new(400, codes::BODY_ENCODING, "Encoded body", detail)
    })
}

/// A form as an object: a text for each field, a list of texts for fields that stand there several times.
fn form(body: &[u8], limits: &ParseLimits) -> Result<Value, Problem> {
    let too_many = || {
        let detail = format!("the form has more than {FORM_FIELDS} fields or is too long");
        Problem::new(413, codes::BODY_TOO_LARGE, "Body too large", detail)
    };
    if body.len() > limits.bytes {
        return Err(too_many());
    }
    let mut object = Map::new();
    let fields = body.split(|b| *b == b'&').filter(|field| !field.is_empty());
    for (count, field) in fields.enumerate() {
        if count >= FORM_FIELDS {
            return Err(too_many());
        }
        let mut sides = field.splitn(2, |b| *b == b'=');
        let name = form_text(sides.next().unwrap_or_default())?;
        let value = Value::String(form_text(sides.next().unwrap_or_default())?);
        match object.entry(name) {
            Entry::Vacant(place) => drop(place.insert(value)),
            Entry::Occupied(mut place) => match place.get_mut() {
                Value::Array(values) => values.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    Ok(Value::Object(object))
}
