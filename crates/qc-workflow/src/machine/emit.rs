//! `emit`: publishes a CloudEvent; the event is the task's output.

use std::sync::Arc;

use qc_model::{Class, Event, Failure, StandardError, Timestamp};
use serde_json::{Value, json};

use super::{
    evaluate::kind_of,
    fault::Fault,
    frame::FrameId,
    step::{Deed, Step},
    view::Sight,
};
use crate::{
    Action, CallId, codes,
    program::{Shape, Task},
};

impl Step<'_> {
    /// Completes the event with what CloudEvents 1.0.2 requires and the workflow left out. The id
    /// is made of origin, task and visit: a repeat has the same one.
    pub(super) fn emit(
        &mut self,
        id: FrameId,
        task: &Task,
        shape: &Shape,
        input: &Value,
    ) -> Result<(), Fault> {
        let formed = self.form(id, shape, input, Sight::default(), "emit.event.with")?;
        let mut event = match Arc::unwrap_or_clone(formed) {
            Value::Object(event) => event,
            other => {
                let detail = format!("the event must be an object, but is {}", kind_of(&other));
                return Err(self.arguments_fault(id, detail));
            }
        };
        // Null leaves an attribute out, as for header fields; null as data is data.
        event.retain(|name, value| name == "data" || !value.is_null());
        let Some(frame) = self.state.frames.get(id) else { return Ok(()) };
        let call = CallId { pointer: Arc::clone(&task.pointer), visit: Arc::clone(&frame.visit) };
        let origin = &self.state.facts.origin;
        event.entry("id").or_insert_with(|| json!(format!("{origin}:{call}")));
        let program = self.program;
        event
            .entry("source")
            .or_insert_with(|| json!(format!("/{}/{}", program.namespace, program.name)));
        event.insert("specversion".into(), json!("1.0"));
        event.entry("time").or_insert_with(|| json!(self.now.to_string()));
        if event.contains_key("data") {
            event.entry("datacontenttype").or_insert_with(|| json!("application/json"));
        }
        let event = Value::Object(event);
        self.check_event(id, &event)?;
        self.keeps_promise(id, &event)?;
        self.actions.push(Action::Emit { id: call, event: event.clone() });
        self.push(Deed::Leave(id, Arc::new(event), task.then));
        Ok(())
    }

    /// Whoever receives the event reads it as a CloudEvent.
    fn check_event(&self, id: FrameId, event: &Value) -> Result<(), Fault> {
        let wrong = match Event::from_structured(event.clone(), |_| None) {
            Err(error) => format!("{error} (at `{}`)", error.pointer),
            Ok(Event { time: Some(time), .. }) if time.parse::<Timestamp>().is_err() => {
                "`time` is no RFC 3339 moment (at `/time`)".to_owned()
            }
            Ok(_) => return Ok(()),
        };
        let title = "The event is no CloudEvent";
        let failure = Failure::new(Class::Invalid, codes::NO_CLOUD_EVENT, title, wrong);
        Err(self.standard_fault(id, StandardError::Expression, failure))
    }

    /// Others rely on what is promised of events of this type.
    fn keeps_promise(&self, id: FrameId, event: &Value) -> Result<(), Fault> {
        let kind = event["type"].as_str().unwrap_or_default();
        let promised = self.program.promised.get(kind).into_iter().flatten();
        let data = &event["data"];
        let broken: Vec<String> = promised
            .flat_map(|contract| contract.check(data))
            .map(|mismatch| mismatch.to_string())
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        let detail = format!("the data of `{kind}` do not fit its contract: {}", broken.join("; "));
        let title = "The event is not what was promised";
        let failure = Failure::new(Class::Invalid, codes::BROKEN_PROMISE, title, detail);
        Err(self.standard_fault(id, StandardError::Validation, failure))
    }
}
