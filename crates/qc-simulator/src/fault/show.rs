//! A fault as JSON, in the form in which it is read.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Condition, Deed, Drift, Fault, Moment};

impl Fault {
    /// The fault as JSON; reading it back gives the same fault.
    pub fn to_value(&self) -> Value {
        json!({
            "when": condition(&self.when),
            "then": { self.then.name(): argument(&self.then) },
            "times": self.times.map_or(json!("always"), |times| json!(times)),
        })
    }
}

fn condition(when: &Condition) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("operation", when.operation.as_ref().map(|name| json!(name)));
    put("nth", when.nth.map(|nth| json!(nth)));
    put("every", when.every.map(|every| json!(every)));
    put("probability", when.per_million.map(|share| json!(f64::from(share) / 1_000_000.0)));
    put("body_contains", when.body_contains.as_ref().map(|text| json!(text)));
    put("body", when.body_at.as_ref().map(|(at, equals)| json!({ "at": at, "equals": equals })));
    put("after", when.after.map(moment));
    put("until", when.until.map(moment));
    Value::Object(fields)
}

fn moment(moment: Moment) -> Value {
    match moment {
        Moment::Later(by) => duration(by),
        Moment::At(at) => json!(at.to_string()),
    }
}

fn duration(duration: Duration) -> Value {
    json!(format!("{}ms", duration.as_millis()))
}

fn argument(deed: &Deed) -> Value {
    match deed {
        Deed::Status { code, retry_after, body, applied } => {
            let mut fields = Map::new();
            fields.insert("code".into(), json!(code));
            fields.insert("applied".into(), json!(applied));
            if let Some(after) = retry_after {
                fields.insert("retry_after".into(), duration(*after));
            }
            if let Some(body) = body {
                fields.insert("body".into(), body.clone());
            }
            Value::Object(fields)
        }
        Deed::Throttle { retry_after: Some(after) }
        | Deed::Unavailable { retry_after: Some(after) } => {
            json!({ "retry_after": duration(*after) })
        }
        Deed::Throttle { .. }
        | Deed::Unavailable { .. }
        | Deed::ExpireToken
        | Deed::RevokeCredentials
        | Deed::DropAfterApply
        | Deed::DropBeforeApply
        | Deed::Malformed
        | Deed::WrongType { at: None } => Value::Null,
        Deed::Hang { applied } => json!({ "applied": applied }),
        Deed::Slow { by } => duration(*by),
        Deed::WrongType { at } => json!({ "at": at }),
        Deed::Drift(Drift::Rename { from, to }) => json!({ "rename": { "from": from, "to": to } }),
        Deed::Drift(Drift::Remove { at }) => match &at[..] {
            [one] => json!({ "remove": one }),
            all => json!({ "remove": all }),
        },
        Deed::Drift(Drift::ChangeType { at }) => json!({ "change_type": at }),
        Deed::Oversize { bytes } => json!({ "bytes": bytes }),
        Deed::ErrorIn200 { body } => body.clone(),
    }
}
