//! The workflow itself: its input, its time, its end.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Phase,
    fault::Fault,
    frame::{Body, Frame, FrameId, ListState, Whole, WholeStage},
    step::{Deed, Step},
    timer::Purpose,
    view::Sight,
};
use crate::{Action, Outcome, codes, program::List};

impl Step<'_> {
    pub(super) fn begin(&mut self, raw: Arc<Value>) {
        let whole = Whole { raw, timeout: None, deadline: None, stage: WholeStage::Entering };
        let root = self.state.frames.insert(Frame {
            parent: None,
            thread: 0,
            visit: "".into(),
            locals: Arc::new([]),
            body: Body::Whole(whole),
        });
        self.state.root = Some(root);
        if self.is_too_late() {
            self.deadline_over(root);
        } else {
            self.arm_deadline(root);
            self.push(Deed::Enter(root));
        }
        self.run();
    }

    pub(super) fn whole_mut(&mut self, id: FrameId) -> Option<&mut Whole> {
        match &mut self.state.frames.get_mut(id)?.body {
            Body::Whole(whole) => Some(whole),
            _ => None,
        }
    }

    pub(super) fn enter_whole(&mut self, id: FrameId) {
        let Some(whole) = self.whole_mut(id) else { return };
        let raw = Arc::clone(&whole.raw);
        let program = self.program;
        match self.mould_input(id, &program.input, &raw) {
            Err(fault) => self.fail(id, fault),
            Ok(input) => {
                self.state.contexts[0] = Arc::clone(&input);
                if let Err(fault) = self.try_arm_workflow_timeout(id, &input) {
                    return self.fail(id, fault);
                }
                // Kept as the input that a timeout's expression is evaluated on.
                if let Some(whole) = self.whole_mut(id) {
                    whole.raw = Arc::clone(&input);
                    whole.stage = WholeStage::Running;
                }
                self.enter_list(id, &program.root, input);
            }
        }
    }

    fn try_arm_workflow_timeout(&mut self, id: FrameId, input: &Value) -> Result<(), Fault> {
        let Some(length) = &self.program.timeout else { return Ok(()) };
        let ms = self.length_ms(id, length, input, "timeout.after")?;
        let timer = self.arm(ms, id, Purpose::WorkflowTimeout);
        if let Some(whole) = self.whole_mut(id) {
            whole.timeout = Some(timer);
        }
        Ok(())
    }

    /// Arms the workflow's timeout anew.
    pub(super) fn arm_workflow_timeout(&mut self, id: FrameId) {
        let Some(whole) = self.whole_mut(id) else { return };
        let input = Arc::clone(&whole.raw);
        if let Err(fault) = self.try_arm_workflow_timeout(id, &input) {
            self.fail(id, fault);
        }
    }

    pub(super) fn workflow_timed_out(&mut self, id: FrameId) {
        if let Some(whole) = self.whole_mut(id) {
            whole.timeout = None;
        }
        let fault = self.timeout_fault(id, codes::WORKFLOW_TIMEOUT, "the workflow");
        self.fail(id, fault);
    }

    /// Begins a list of tasks below a frame.
    pub(super) fn enter_list(
        &mut self,
        parent: FrameId,
        list: &List,
        data: Arc<Value>,
    ) -> Option<FrameId> {
        let state =
            ListState { list: Arc::clone(list), position: 0, entries: vec![0; list.len()], data };
        let id = self.child(parent, Body::List(state))?;
        self.push(Deed::Enter(id));
        Some(id)
    }

    /// `then: end`: everything else is cut short, and this is the workflow's raw output.
    pub(super) fn end(&mut self, output: Arc<Value>) {
        let Some(root) = self.state.root else { return };
        self.cut_below(root, root);
        if let Some(whole) = self.whole_mut(root) {
            whole.stage = WholeStage::Ending(output);
            let (timeout, deadline) = (whole.timeout.take(), whole.deadline.take());
            self.state.timers.disarm(timeout);
            self.state.timers.disarm(deadline);
        }
        self.settled(root);
    }

    pub(super) fn leave_whole(&mut self, id: FrameId, raw: Arc<Value>) {
        if let Some(whole) = self.whole_mut(id) {
            whole.stage = WholeStage::Leaving(Arc::clone(&raw));
        }
        let mould = &self.program.output;
        let formed = match &mould.shape {
            None => Ok(raw),
            Some(shape) => self.form(id, shape, &raw, Sight::default(), "output.as"),
        };
        let checked = formed.and_then(|output| {
            self.conforms(id, mould.schema.as_ref(), &output, "output").map(|()| output)
        });
        match checked {
            Err(fault) => self.fail(id, fault),
            Ok(output) => {
                self.state.timers.disarm_all_of(id);
                self.state.frames.remove(id);
                let outcome = Outcome::Completed { output: Arc::unwrap_or_clone(output) };
                self.actions.push(Action::Finish(outcome.clone()));
                self.state.phase = Phase::Over(outcome);
            }
        }
    }
}
