//! By what people find a run: business keys that an integration declares, ids that the sender
//! gave, and one question that looks a value up in all of them.
//!
//! A key is no condition: an expression that fails on an event, or gives nothing that can be a key,
//! leaves the run without it, and the event is taken all the same.

use std::collections::{BTreeMap, BTreeSet};

use qc_expression::{Expression, Limits, Scope};
use qc_model::{EnvironmentName, EventId, Name, RunId, Timestamp};
use qc_store::{KEY_BYTES_MAX, KEYS_MAX, RunFilter, RunHead, RunKey, StoreError};
use qc_workflow::{CallId, CallOutput};
use serde_json::Value;

use crate::{Engine, EngineError, Release};

/// The id that the sender gave the event.
const EVENT: &str = "event_id";
/// The id of a business process over several systems, as the sender names it.
const CORRELATION: &str = "correlation_id";
/// The id of the sender's request.
const REQUEST: &str = "request_id";

/// The extension attributes of events that hold them.
pub const CORRELATION_ATTRIBUTE: &str = "correlationid";
/// The extension attribute that holds the id of the sender's request.
pub const REQUEST_ATTRIBUTE: &str = "requestid";

/// Something by which people find the runs of an integration.
#[derive(Debug)]
pub struct SearchKey {
    /// What it is, such as `order`.
    pub name: Name,
    /// Its values.
    pub value: Expression,
    /// The task whose call's answer the expression is over; the event when absent.
    pub task: Option<String>,
}

/// The keys of a run that begins with this event.
pub(crate) fn keys_of_event(release: &Release, event: &Value, at: Timestamp) -> Vec<RunKey> {
    let mut keys = Keys::default();
    let sent = event["id"].as_str().filter(|id| id.parse::<EventId>().is_err());
    let given = [
        (EVENT, sent),
        (CORRELATION, event[CORRELATION_ATTRIBUTE].as_str()),
        (REQUEST, event[REQUEST_ATTRIBUTE].as_str()),
    ];
    for (name, value) in given {
        keys.extend(name, value.map(str::to_owned));
    }
    for key in release.search_keys.iter().filter(|key| key.task.is_none()) {
        keys.evaluate(key, event, at);
    }
    keys.taken()
}

/// The keys that the answer to a call brings.
pub(crate) fn keys_of_answer(
    release: &Release,
    call: &CallId,
    answer: &CallOutput,
    at: Timestamp,
) -> Vec<RunKey> {
    let mut keys = Keys::default();
    let mut of_tasks = release.search_keys.iter().filter(|key| key.task.is_some()).peekable();
    if of_tasks.peek().is_none() {
        return Vec::new();
    }
    let site = release.program.calls().find(|site| *site.pointer == *call.pointer);
    let Some(site) = site else { return Vec::new() };
    for key in of_tasks {
        let named = |task: &str| task == &*site.task_name || task == &*site.pointer;
        if key.task.as_deref().is_some_and(named) {
            keys.evaluate(key, &answer.content, at);
        }
    }
    keys.taken()
}

/// The id of the sender's trace.
pub(crate) fn trace_of(traceparent: Option<&str>) -> Option<String> {
    let trace = traceparent?.split('-').nth(1)?;
    is_trace(trace).then(|| trace.to_owned())
}

fn is_trace(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Gathers keys, each once.
#[derive(Default)]
struct Keys(BTreeSet<RunKey>);

impl Keys {
    fn evaluate(&mut self, key: &SearchKey, over: &Value, at: Timestamp) {
        let scope = Scope { variables: &[], now_ms: at.as_millis(), limits: Limits::default() };
        match key.value.evaluate_all(over, &scope, KEYS_MAX) {
            Ok(values) => self.extend(key.name.as_str(), values.iter().filter_map(text_of)),
            Err(error) => tracing::debug!(key = %key.name, "a search key cannot be had: {error}"),
        }
    }

    fn extend(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let fits = values.into_iter().filter(|it| !it.is_empty() && it.len() <= KEY_BYTES_MAX);
        self.0.extend(fits.map(|value| RunKey { name: name.to_owned(), value }));
    }

    fn taken(self) -> Vec<RunKey> {
        self.0.into_iter().take(KEYS_MAX).collect()
    }
}

/// The value of a key: a text, a number or a boolean. Nothing else can be typed into a search.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Engine {
    /// The runs that have to do with a value, newest first: it is looked up as the id of a run, of
    /// an event and of a trace, as a call's key, as business subject and as the value of any
    /// business key, those included that the sender gave.
    pub async fn find_runs(
        &self,
        text: &str,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<RunHead>, EngineError> {
        let store = &self.shared.store;
        let text = text.trim();
        let mut found: BTreeMap<RunId, RunHead> = BTreeMap::new();
        for run in self.runs_named(text).await? {
            found.extend(store.run(run).await?.map(|head| (run, head)));
        }
        let usual = RunFilter {
            environment: environment.cloned(),
            integration: integration.cloned(),
            limit,
            ..RunFilter::default()
        };
        let mut filters = vec![
            RunFilter { subject: Some(text.to_owned()), ..usual.clone() },
            RunFilter { value: Some(text.to_owned()), ..usual.clone() },
        ];
        if let Ok(event) = text.parse::<EventId>() {
            filters.push(RunFilter { event: Some(event), ..usual.clone() });
        }
        let trace = trace_of(Some(text)).or_else(|| is_trace(text).then(|| text.to_owned()));
        if let Some(trace) = trace {
            filters.push(RunFilter { trace: Some(trace), ..usual });
        }
        for filter in filters {
            let heads = store.runs(&filter).await?;
            found.extend(heads.into_iter().map(|head| (head.facts.id, head)));
        }
        let here = |head: &RunHead| {
            environment.is_none_or(|it| *it == head.facts.environment)
                && integration.is_none_or(|it| *it == head.facts.integration)
        };
        Ok(found.into_values().rev().filter(here).take(limit).collect())
    }

    /// The runs that an id names: the run itself, and the whole chain that it began.
    async fn runs_named(&self, text: &str) -> Result<Vec<RunId>, StoreError> {
        // A call's key, as other systems saw it: `qc:<first run of the chain>:<task>:<visit>`.
        let text = text.strip_prefix("qc:").and_then(|rest| rest.split(':').next()).unwrap_or(text);
        // The trace of a run whose sender named none.
        let own_trace = || is_trace(text).then(|| u128::from_str_radix(text, 16).ok()).flatten();
        let named = text.parse::<RunId>().ok().or_else(|| own_trace().map(RunId::from_bits));
        let Some(run) = named else { return Ok(Vec::new()) };
        let mut runs = self.shared.chain(run).await?.runs().to_vec();
        runs.push(run);
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str, value: &str) -> SearchKey {
        let value = Expression::parse(value, &[]).unwrap();
        SearchKey { name: Name::new(name).unwrap(), value, task: None }
    }

    fn of(key: &SearchKey, event: &Value) -> Vec<String> {
        let mut keys = Keys::default();
        keys.evaluate(key, event, Timestamp::from_millis(0));
        keys.taken().into_iter().map(|key| key.value).collect()
    }

    #[test]
    fn an_expression_gives_one_value_or_several_or_none() {
        let event = json!({"data": {"n": 7, "ids": ["a", "b", "a"], "deep": {"x": 1}, "no": null}});
        assert_eq!(of(&key("n", ".data.n"), &event), ["7"]);
        assert_eq!(of(&key("id", ".data.ids[]"), &event), ["a", "b"]);
        for nothing in [".data.no", ".data.deep", ".data.ids", ".data.missing", ".data.n.x"] {
            assert_eq!(of(&key("x", nothing), &event), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_much_is_no_key() {
        let long = json!({"data": "x".repeat(KEY_BYTES_MAX + 1)});
        assert_eq!(of(&key("x", ".data"), &long), Vec::<String>::new());
        let many = json!({"data": (0..=KEYS_MAX).collect::<Vec<_>>()});
        assert_eq!(of(&key("x", ".data[]"), &many), Vec::<String>::new(), "bounded");
    }

    #[test]
    fn a_trace_is_known_by_its_form() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{trace}-b7ad6b7169203331-01");
        assert_eq!(trace_of(Some(&parent)).as_deref(), Some(trace));
        assert_eq!(trace_of(Some("x-y")), None);
        assert!(is_trace(trace) && !is_trace("0AF7651916CD43DD8448EB211C80319C"));
    }
}
