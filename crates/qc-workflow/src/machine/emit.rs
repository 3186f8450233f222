//! `emit`: publishes a CloudEvent; the event is the task's output.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    evaluate::{Sight, kind_of},
    fault::Fault,
    frame::FrameId,
    step::{Deed, Step},
};
use crate::{
    Action, CallId,
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
        for required in ["type", "source", "id"] {
            let sound = match event.get(required) {
                None => required != "type",
                Some(value) => value.as_str().is_some_and(|text| !text.is_empty()),
            };
            if !sound {
                let detail = format!("the event's `{required}` must be a text that is not empty");
                return Err(self.arguments_fault(id, detail));
            }
        }
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
        self.actions.push(Action::Emit { id: call, event: event.clone() });
        self.push(Deed::Leave(id, Arc::new(event), task.then));
        Ok(())
    }
}
