//! `raise`: an error of the workflow's own making.

use std::sync::Arc;

use qc_model::{Class, Failure, StandardError};
use serde_json::{Map, Value, json};

use super::{
    fault::{Fault, Flight},
    frame::FrameId,
    step::Step,
};
use crate::{codes, program::Raise};

impl Step<'_> {
    /// The fault that the task raises; or the fault of an expression in it, as the error.
    pub(super) fn raised(&self, id: FrameId, raise: &Raise, input: &Value) -> Result<Fault, Fault> {
        let kind = self.word(id, &raise.kind, input, "error.type")?;
        let word = |wording: &Option<crate::program::Wording>, what: &str| match wording {
            Some(wording) => {
                self.word(id, wording, input, what).map(|text| Some(text.into_owned()))
            }
            None => Ok(None),
        };
        let title = word(&raise.title, "error.title")?;
        let detail = word(&raise.detail, "error.detail")?;
        let instance = word(&raise.instance, "error.instance")?;
        let standard = StandardError::from_uri(&kind);
        let class = standard.map_or_else(|| Class::of_status(raise.status), StandardError::class);
        let mut failure = Failure::new(
            class,
            codes::RAISED,
            title.as_deref().unwrap_or("The workflow raised an error"),
            detail.clone().unwrap_or_else(|| format!("the workflow raised `{kind}`")),
        );
        failure.status = raise.status;
        let mut object = Map::new();
        object.insert("type".into(), json!(kind));
        object.insert("status".into(), json!(raise.status));
        object.extend(title.map(|title| ("title".to_owned(), json!(title))));
        object.extend(detail.map(|detail| ("detail".to_owned(), json!(detail))));
        let here = || self.task_of(id).map(|task| task.pointer.to_string()).unwrap_or_default();
        object.insert("instance".into(), json!(instance.unwrap_or_else(here)));
        let error = Arc::new(Value::Object(object));
        Ok(Box::new(Flight { failure, error, raised: true, repeatable: true, fatal: false }))
    }
}
