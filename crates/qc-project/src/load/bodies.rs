//! What is sent: the events of the integration's scenarios, each made another one, and as large as declared.

use qc_engine::{OrderingRule, Trigger, TriggerKind, judge, over_event};
use qc_model::{Event, EventData, Finding, Timestamp};
use serde_json::{Value, json};

use crate::{
    Project,
    acceptance::{Scenario, Step},
    codes,
    compile::Compiled,
    project::{IntegrationFolder, Loaded, parse_file},
};

/// The highest number that an event of a load test gets: its place must hold so many digits.
const LAST: u64 = 9_999_999;

/// What is sent to one trigger.
pub struct Bodies<'a> {
    trigger: &'a Trigger,
    /// The events of the scenarios, in turn.
    models: Vec<Model>,
    size: Option<usize>,
    keys: u64,
}

/// One event of a scenario.
struct Model {
    kind: String,
    data: Value,
    /// Where its idempotency key comes from; None: the key is the sender's own.
    key_at: Option<String>,
    /// Where its ordering key comes from, when it stands in a line.
    line_at: Option<String>,
}

/// One body, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its media type.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The sender's key of it, where its own content has none.
    pub key: Option<String>,
}

impl<'a> Bodies<'a> {
    /// Of the events that the integration's scenarios send to a trigger and that are taken. `size`: of the bodies.
    /// `keys`: over how many ordering keys they are spread.
    ///
    /// Errors: there is no such event, or it cannot be made another one.
    pub fn of(
        project: &Project,
        folder: &IntegrationFolder,
        compiled: &'a Compiled,
        trigger: &str,
        (size, keys): (Option<usize>, u64),
    ) -> Result<Self, Box<Finding>> {
        let release = &compiled.release;
        let known = release.triggers.values().find(|known| known.name.as_str() == trigger);
        let trigger_there = known.ok_or_else(|| {
            Box::new(Finding::error(codes::NO_LOAD, format!("there is no trigger `{trigger}`")))
        })?;
        let mut bodies =
            Self { trigger: trigger_there, models: Vec::new(), size, keys: keys.max(1) };
        let mut why = None;
        for (kind, data) in sent_to(project, folder, trigger_there) {
            match bodies.model(kind, data, release.ordering.as_ref()) {
                Ok(model) => bodies.models.push(model),
                Err(reason) => why = Some(reason),
            }
        }
        if bodies.models.is_empty() {
            let reason = why.unwrap_or_else(|| "no scenario sends one that is taken".to_owned());
            let message = format!("there is no event to send to `{trigger}`: {reason}");
            let help = "write a scenario without faults that sends one: `acceptance/NAME.yaml`";
            return Err(Box::new(Finding::error(codes::NO_LOAD, message).help(help)));
        }
        Ok(bodies)
    }

    fn model(
        &self,
        kind: String,
        data: Value,
        ordering: Option<&OrderingRule>,
    ) -> Result<Model, String> {
        let mut model = Model { kind, data, key_at: None, line_at: None };
        let plain = self.judged(&Self::event(&model, &model.data, 1))?;
        // The id of a CloudEvent is another one each time.
        let by_id = self.judged(&Self::event(&model, &model.data, LAST))? != plain
            && matches!(self.trigger.kind, TriggerKind::CloudEvents { .. });
        if self.trigger.idempotency.is_some() && !by_id {
            let place = places(&model.data).into_iter().find(|place| {
                let keys = [1, LAST].map(|nth| {
                    let data = varied(&model.data, &[(place, nth)]);
                    self.judged(&Self::event(&model, &data, nth)).ok().flatten()
                });
                matches!(&keys, [Some(a), Some(b)] if a != b)
            });
            let place = place.ok_or(
                "its idempotency key does not follow from a field that can have another value",
            )?;
            model.key_at = Some(place);
        }
        if let Some(rule) = ordering.filter(|_| self.keys > 1) {
            let line = |data: &Value| {
                let event = Self::event(&model, data, 1).to_structured(|_| String::new());
                over_event(&rule.key, &event, Timestamp::from_millis(0)).ok()
            };
            let plain = line(&model.data);
            let place = places(&model.data).into_iter().find(|place| {
                let data = varied(&model.data, &[(place, LAST)]);
                let taken = self.judged(&Self::event(&model, &data, 1)).is_ok();
                taken && line(&data).is_some_and(|line| Some(line) != plain)
            });
            model.line_at = place.filter(|place| model.key_at.as_ref() != Some(place));
        }
        Ok(model)
    }

    /// The idempotency key of an event that is taken, or why it is not.
    fn judged(&self, event: &Event) -> Result<Option<String>, String> {
        let given = Some("load".to_owned());
        let judged =
            judge(self.trigger, &mut event.clone(), given, None, Timestamp::from_millis(0));
        let judged = judged.map_err(|refusal| refusal.detail())?;
        match judged.breach {
            Some(breach) => Err(breach.detail()),
            None => Ok(judged.key),
        }
    }

    fn event(model: &Model, data: &Value, nth: u64) -> Event {
        Event {
            id: format!("load-{nth}"),
            source: "/qc/loadtest".to_owned(),
            kind: model.kind.clone(),
            subject: None,
            time: None,
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: std::collections::BTreeMap::new(),
            data: EventData::Json(data.clone()),
        }
    }

    /// The n-th body, which no other one is.
    pub fn nth(&self, nth: u64) -> Body {
        let at = usize::try_from(nth).unwrap_or(usize::MAX) % self.models.len();
        let model = &self.models[at];
        let (key, line) = (nth % LAST + 1, nth % self.keys + 1);
        let places = model.key_at.iter().map(|place| (place, key));
        let places: Vec<(&String, u64)> =
            places.chain(model.line_at.iter().map(|place| (place, line))).collect();
        let data = varied(&model.data, &places);
        let (media_type, whole) = match &self.trigger.kind {
            TriggerKind::CloudEvents { .. } => {
                let event = Self::event(model, &data, nth);
                ("application/cloudevents+json", event.to_structured(|_| String::new()))
            }
            _ => ("application/json", data),
        };
        let mut bytes = whole.to_string().into_bytes();
        // Blanks belong to no value: any contract takes them.
        if let Some(short) = self.size.map(|size| size.saturating_sub(bytes.len()))
            && matches!(bytes.last(), Some(b'}' | b']'))
        {
            let end = bytes.len() - 1;
            bytes.splice(end..end, std::iter::repeat_n(b' ', short));
        }
        let key = (self.trigger.idempotency.is_none()
            && !matches!(self.trigger.kind, TriggerKind::CloudEvents { .. }))
        .then(|| format!("load-{nth}"));
        Body { media_type, bytes, key }
    }

    /// The trigger.
    pub fn trigger(&self) -> &'a Trigger {
        self.trigger
    }
}

/// The events that scenarios send to a trigger whose runs end by themselves.
fn sent_to(
    project: &Project,
    folder: &IntegrationFolder,
    trigger: &Trigger,
) -> Vec<(String, Value)> {
    let calm = folder.scenarios.iter().filter(|file| ends_alone(&file.value));
    let steps = calm.flat_map(|file: &Loaded<Scenario>| &file.value.when);
    let mut found: Vec<(String, Value)> = Vec::new();
    for step in steps {
        let Step::Send(sending) = step else { continue };
        if sending.trigger.value != trigger.name || sending.refused || sending.version.is_some() {
            continue;
        }
        let of_file = || {
            let path = folder.path(&sending.file.as_ref()?.path);
            Some(parse_file(project.files(), &path, &mut Vec::new())?.root.to_value())
        };
        let data = sending.data.as_ref().map(|data| data.value.clone()).or_else(of_file);
        let kind = sending.event_type.clone().or_else(|| usual_kind(trigger));
        if let (Some(data), Some(kind)) = (data, kind)
            && !found.iter().any(|(_, known)| *known == data)
        {
            found.push((kind, data));
        }
    }
    found
}

/// Whether its runs end by themselves: nothing goes wrong, and they wait for no person and no other event.
fn ends_alone(scenario: &Scenario) -> bool {
    let waits = |step: &Step| matches!(step, Step::Task(_) | Step::Publish(_));
    scenario.is_calm() && !scenario.when.iter().any(waits)
}

fn usual_kind(trigger: &Trigger) -> Option<String> {
    match &trigger.kind {
        TriggerKind::CloudEvents { types, .. } => types.first().cloned(),
        TriggerKind::Json { event_type } => Some(event_type.clone()),
        // The door finds it in the body.
        _ => Some("webhook".to_owned()),
    }
}

/// The places of all texts and whole numbers, as JSON pointers, in order.
fn places(data: &Value) -> Vec<String> {
    fn below(value: &Value, at: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                below(value, &format!("{at}/{name}"), out);
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(nth, value)| {
                below(value, &format!("{at}/{nth}"), out);
            }),
            Value::String(_) => out.push(at.to_owned()),
            Value::Number(number) if number.is_i64() || number.is_u64() => out.push(at.to_owned()),
            _ => {}
        }
    }
    let mut out = Vec::new();
    below(data, "", &mut out);
    out
}

/// The same with other values at some places.
fn varied(data: &Value, places: &[(&String, u64)]) -> Value {
    let mut data = data.clone();
    for (place, nth) in places {
        let Some(value) = data.pointer_mut(place) else { continue };
        *value = match value {
            Value::String(text) => json!(another(text, *nth)),
            _ => json!(nth),
        };
    }
    data
}

/// A text of the same kind with a number in it: in place of its last digits, or at its end.
fn another(text: &str, nth: u64) -> String {
    let is_uuid = text.is_ascii()
        && text.len() == 36
        && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    if is_uuid {
        return format!("{}{nth:012}", &text[..24]);
    }
    let Some(end) = text.rfind(|c: char| c.is_ascii_digit()) else {
        return match text.split_once('@') {
            Some((name, rest)) => format!("{name}-{nth}@{rest}"),
            None => format!("{text}-{nth}"),
        };
    };
    let start = text[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let digits = end + 1 - start;
    format!("{}{nth:0digits$}{}", &text[..start], &text[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_another_one_of_its_kind() {
        for (text, wanted) in [
            ("CASE-1042", "CASE-0007"),
            ("CUST-7", "CUST-7"),
            ("order", "order-7"),
            ("a12b345c", "a12b007c"),
            ("ä9", "ä7"),
            ("ops@example.com", "ops-7@example.com"),
            // As long as a UUID, and none: a letter of two bytes stands where one would be cut.
            ("----aaaaaaaaaaaaaaaaaaaéaaaaaaaaaaa", "----aaaaaaaaaaaaaaaaaaaéaaaaaaaaaaa-7"),
            ("0e8d1f0a-7d0b-4d3a-9f0e-5a4c1b2d3e4f", "0e8d1f0a-7d0b-4d3a-9f0e-000000000007"),
        ] {
            assert_eq!(another(text, 7), wanted);
        }
    }

    #[test]
    fn every_text_and_whole_number_has_its_place() {
        let data = json!({"a": {"b/c": ["x", 1, 1.5, true, null]}, "d": "y"});
        assert_eq!(places(&data), ["/a/b~1c/0", "/a/b~1c/1", "/d"]);
        let all = places(&data);
        let varied = varied(&data, &[(&all[0], 3), (&all[1], 4)]);
        assert_eq!(varied, json!({"a": {"b/c": ["x-3", 4, 1.5, true, null]}, "d": "y"}));
    }
}
