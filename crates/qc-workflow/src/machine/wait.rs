//! `wait`: a durable pause.

use std::sync::Arc;

use serde_json::Value;

use super::{
    fault::Fault,
    frame::{FrameId, Stage},
    step::{Deed, Step},
    timer::Purpose,
};
use crate::program::Length;

impl Step<'_> {
    pub(super) fn enter_wait(
        &mut self,
        id: FrameId,
        length: &Length,
        input: &Value,
    ) -> Result<(), Fault> {
        let ms = self.length_ms(id, length, input, "wait")?;
        self.arm(ms, id, Purpose::Wait);
        self.set_stage(id, Stage::Wait);
        Ok(())
    }

    pub(super) fn wait_over(&mut self, id: FrameId) {
        let (Some(task), Some(state)) = (self.task_of(id), self.state.frames.task(id)) else {
            return;
        };
        let input = Arc::clone(&state.input);
        self.push(Deed::Leave(id, input, task.then));
    }
}
