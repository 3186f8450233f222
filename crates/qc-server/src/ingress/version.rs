//! Which version of the trigger's contract a sender speaks, and what every answer says of it: `Deprecation` (RFC 9745),
//! `Sunset` (RFC 8594) and where it says how to move on.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use http_body_util::Full;
use qc_model::{Actor, Event};
use qc_version::{Date, Entry, Guide, State, Versions};
use serde_json::{Value, json};

use super::door::Door;
use crate::{Problem, codes, usage::Speaker};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
/// How the version stands that was spoken; its name comes back in the field in which it was said.
const STATE: HeaderName = HeaderName::from_static("contract-version-state");
/// No event was looked at yet.
const NONE: usize = usize::MAX;

/// What is known of the version that is spoken in a request.
pub(super) struct Speech<'a> {
    /// What the address says.
    pub(super) address: Option<&'a str>,
    /// By what the sender is known.
    consumer: Vec<String>,
    /// The oldest version of its events: of a batch, each may say its own.
    oldest: AtomicUsize,
}

impl Speech<'_> {
    pub(super) fn by(name: Option<String>, actor: &Actor) -> Self {
        let consumer = name.into_iter().chain([actor.id.clone()]).collect();
        Self { address: None, consumer, oldest: AtomicUsize::new(NONE) }
    }
}

impl Door<'_> {
    /// The version that an event is in: what its sender says, else its pin, else the usual one.
    pub(super) fn version_of(&self, event: &Event) -> Result<Option<usize>, Problem> {
        let Some(versions) = &self.trigger.versions else { return Ok(None) };
        let attribute = versions.select.attribute.as_ref();
        let attribute = match attribute.and_then(|name| event.extensions.get(name)) {
            None => None,
            Some(Value::String(text)) => Some(text.as_str()),
            Some(_) => {
                return Err(
                    self.unknown(versions, "the version is said in an attribute that is no text")
                );
            }
        };
        let field = self.said_in_field(versions)?;
        let all: Vec<&str> =
            [self.spoken.address, field, attribute].into_iter().flatten().collect();
        if all.windows(2).any(|pair| pair[0].trim() != pair[1].trim()) {
            return Err(self.unknown(versions, "the request says two different versions"));
        }
        let consumer: Vec<&str> = self.spoken.consumer.iter().map(String::as_str).collect();
        let spoken = versions.spoken(all.first().copied(), &consumer);
        let spoken = spoken.map_err(|unknown| self.unknown(versions, &unknown.to_string()))?;
        self.spoken.oldest.fetch_min(spoken, Ordering::Relaxed);
        Ok(Some(spoken))
    }

    fn said_in_field(&self, versions: &Versions) -> Result<Option<&str>, Problem> {
        let mut fields = self.headers.get_all(versions.select.header.as_str()).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(self.unknown(versions, "the version is said more than once"));
        }
        let text = field.to_str();
        text.map(Some).map_err(|_| self.unknown(versions, "the version that is said is no text"))
    }

    /// 400, with the versions that there are.
    fn unknown(&self, versions: &Versions, why: &str) -> Problem {
        let live = versions.live(self.received_at);
        let names: Vec<String> = live
            .map(|(entry, state)| match state {
                State::Draft | State::Deprecated { .. } => {
                    format!("`{}` ({})", entry.name, state.as_str())
                }
                State::Current
                | State::Supported
                | State::Overdue { .. }
                | State::Retired { .. } => {
                    format!("`{}`", entry.name)
                }
            })
            .collect();
        let detail = format!("{why}; the versions that answer: {}", names.join(", "));
        let known: Vec<&str> =
            versions.live(self.received_at).map(|(entry, _)| entry.name.as_str()).collect();
        let mut problem = Problem::new(400, codes::UNKNOWN_VERSION, "Unknown version", detail);
        let error = crate::PointedError::header(versions.select.header.clone(), why);
        problem.errors.push(error.expecting(json!({ "enum": known })));
        problem
    }

    /// How a sender moves on from a version that has ended, for machines.
    pub(super) fn migration(&self, from: &str, to: Option<&str>) -> Option<Value> {
        let versions = self.trigger.versions.as_ref()?;
        let entry = versions.named(from).ok().map(|at| &versions.entries()[at]);
        let guide = entry.and_then(|entry| entry.guide.as_ref()).map(|guide| match guide {
            Guide::Url(url) => url.clone(),
            Guide::File { .. } => format!("{}/{from}", self.source()),
        });
        let mut facts = json!({ "from": from, "header": versions.select.header });
        if let Some(to) = to {
            facts["to"] = json!(to);
            if versions.select.path {
                facts["address"] = json!(format!("{}/{to}", self.source()));
            }
        }
        if let Some(guide) = guide {
            facts["guide"] = json!(guide);
        }
        Some(facts)
    }

    /// The name of a version.
    pub(super) fn name_of(&self, spoken: Option<usize>) -> Option<String> {
        let versions = self.trigger.versions.as_ref()?;
        Some(versions.entries()[spoken?].name.to_string())
    }

    /// Who speaks it.
    pub(super) fn speaker<'s>(&'s self, version: Option<&'s str>) -> Speaker<'s> {
        Speaker {
            environment: &self.deployment.environment,
            integration: &self.deployment.release.integration,
            trigger: &self.trigger.name,
            version: version.unwrap_or_default(),
            consumer: self.spoken.consumer.first().map_or("", String::as_str),
        }
    }

    /// How a version stands: one whose end has come goes on while somebody speaks it.
    fn standing(&self, versions: &Versions, index: usize) -> State {
        let state = versions.state(index, self.received_at);
        if !matches!(state, State::Retired { .. }) {
            return state;
        }
        let known = (versions, index);
        let contracts = &self.state.contracts;
        if contracts.outlives(self.deployment, &self.trigger.name, known, self.received_at) {
            state.outliving()
        } else {
            state
        }
    }

    /// Whether a version answers although its end has come.
    pub(super) fn outlives(&self, index: usize) -> bool {
        let versions = self.trigger.versions.as_deref();
        versions.is_some_and(|it| matches!(self.standing(it, index), State::Overdue { .. }))
    }

    /// The version that was spoken, once an event was looked at: the oldest, of a batch.
    fn was_spoken(&self) -> Option<(&Versions, usize, &Entry)> {
        let versions = self.trigger.versions.as_deref()?;
        let spoken = Some(self.spoken.oldest.load(Ordering::Relaxed)).filter(|at| *at != NONE)?;
        Some((versions, spoken, versions.entries().get(spoken)?))
    }

    /// The fields that every answer has that knows which version is spoken.
    pub(super) fn version_fields(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Some((versions, spoken, entry)) = self.was_spoken() else { return Vec::new() };
        let state = self.standing(versions, spoken);
        let mut fields = Fields(Vec::new());
        if let Ok(name) = HeaderName::from_bytes(versions.select.header.as_bytes()) {
            fields.add(name, entry.name.as_str());
        }
        fields.add(STATE, state.as_str());
        let (since, sunset) = match state {
            State::Deprecated { since, sunset } => (Some(since), sunset),
            State::Overdue { since } | State::Retired { since } => {
                (entry.window.deprecated, Some(since))
            }
            State::Draft | State::Current | State::Supported => return fields.0,
        };
        if let Some(since) = since {
            fields.add(DEPRECATION, &format!("@{}", since.begins().as_secs()));
        }
        if let Some(sunset) = sunset {
            fields.add(SUNSET, &http_date(sunset));
        }
        let address = self.source();
        if let Some(guide) = &entry.guide {
            let (target, kind) = match guide {
                Guide::Url(url) => (url.clone(), ""),
                Guide::File { .. } => {
                    (format!("{address}/{}", entry.name), "; type=\"text/markdown\"")
                }
            };
            fields.add(header::LINK, &format!("<{target}>; rel=\"deprecation\"{kind}"));
            if sunset.is_some() {
                fields.add(header::LINK, &format!("<{target}>; rel=\"sunset\"{kind}"));
            }
        }
        if let Some(successor) = versions.successor(spoken, self.received_at) {
            let target = if versions.select.path {
                format!("{address}/{}", successor.name)
            } else {
                address
            };
            fields.add(header::LINK, &format!("<{target}>; rel=\"successor-version\""));
        }
        fields.0
    }

    /// A run's output as the one gets it who waits: in the version that it speaks, where answers have versions.
    pub(super) fn lowered(&self, output: Value) -> Result<Value, Problem> {
        let Some((versions, spoken, entry)) = self.was_spoken() else { return Ok(output) };
        let Some(contract) = &entry.reply else { return Ok(output) };
        let ours = |detail: String| {
            Problem::new(500, codes::VERSION_CONVERSION, "Version not converted", detail)
        };
        let output =
            versions.replies().convert(output, versions.current(), spoken).map_err(|error| {
                ours(format!("the run is done, and its output cannot be converted: {error}"))
            })?;
        match contract.check(&output).first() {
            None => Ok(output),
            Some(first) => Err(ours(format!(
                "the run is done, and its output does not fit version `{}`: at `{}`: {}",
                entry.name, first.pointer, first.message
            ))),
        }
    }
}

/// The text that says how to move on from a version.
pub(super) fn guide(versions: &Versions, name: &str) -> Result<Response<Full<Bytes>>, Problem> {
    let entry = versions.named(name).ok().map(|at| &versions.entries()[at]);
    let Some(Guide::File { text, .. }) = entry.and_then(|entry| entry.guide.as_ref()) else {
        let detail = "there is no guide for this version of the trigger's contract";
        return Err(Problem::new(404, codes::UNKNOWN_VERSION, "No such guide", detail));
    };
    let mut response = Response::new(Full::new(Bytes::from(text.clone())));
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// Adds a field; a text that cannot be one is left out.
    fn add(&mut self, name: HeaderName, text: &str) {
        self.0.extend(HeaderValue::from_str(text).ok().map(|value| (name, value)));
    }
}

/// The beginning of a day as HTTP writes it: `Sat, 01 May 2027 00:00:00 GMT`.
fn http_date(date: Date) -> String {
    let seconds = u64::try_from(date.begins().as_secs()).unwrap_or(0);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_http_writes_it() {
        assert_eq!(http_date(Date::parse("2027-05-01").unwrap()), "Sat, 01 May 2027 00:00:00 GMT");
    }
}
