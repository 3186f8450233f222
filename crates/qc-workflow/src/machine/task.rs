//! What all tasks have in common: condition, input, time, output, export.

use std::sync::Arc;

use serde_json::Value;

use super::{
    STEP_BUDGET,
    fault::Fault,
    frame::{Frame, FrameId, Stage, TryPhase},
    step::{Deed, Step},
    timer::Purpose,
    view::Sight,
};
use crate::{
    NoteKind, codes,
    program::{Flow, Kind, Shape, Task, TaskIndex},
};

impl Step<'_> {
    pub(super) fn enter_task(&mut self, id: FrameId) {
        let (Some(task), Some(state)) = (self.task_of(id), self.state.frames.task(id)) else {
            return;
        };
        match state.stage {
            Stage::Call(_) => return self.resume_call(id),
            Stage::Child(_) => return self.resume_child(id),
            _ => {}
        }
        let raw = Arc::clone(&state.raw);
        self.state.executed += 1;
        if self.state.executed > STEP_BUDGET {
            let fault = self.budget_fault(id);
            self.fail(id, fault);
            return;
        }
        if let Some(condition) = &task.condition {
            match self.test(id, condition, &raw, Sight::default(), "if") {
                Err(fault) => return self.fail(id, fault),
                Ok(false) => return self.skip(id, raw),
                Ok(true) => {}
            }
        }
        self.note(id, NoteKind::Started, None);
        match self.mould_input(id, &task.input, &raw) {
            Err(fault) => self.fail(id, fault),
            Ok(input) => {
                if let Some(state) = self.state.frames.task_mut(id) {
                    state.input = Arc::clone(&input);
                    state.started = self.now;
                }
                if let Err(fault) = self.try_arm_task_timeout(id) {
                    return self.fail(id, fault);
                }
                if let Err(fault) = self.perform(id, task, input) {
                    self.fail(id, fault);
                }
            }
        }
    }

    /// The `if` was false: the input passes through, and `then` does not apply.
    fn skip(&mut self, id: FrameId, raw: Arc<Value>) {
        self.note(id, NoteKind::Skipped, None);
        if let Some(parent) = self.state.frames.remove(id).and_then(|frame| frame.parent) {
            let flow = Flow::Continue;
            self.push(Deed::Completed { parent, child: id, output: raw, flow });
        }
    }

    /// Begins what the task is for.
    fn perform(&mut self, id: FrameId, task: &Task, input: Arc<Value>) -> Result<(), Fault> {
        match &task.kind {
            Kind::Do(list) => {
                self.set_stage(id, Stage::Around);
                self.enter_list(id, list, input);
            }
            Kind::Set(shape) => {
                let output = self.form(id, shape, &input, Sight::default(), "set")?;
                self.push(Deed::Leave(id, output, task.then));
            }
            Kind::Function { arguments, body } => {
                self.enter_function(id, arguments.as_ref(), *body, &input)?;
            }
            Kind::Switch { cases, fallback } => {
                let flow = self.choose(id, cases, *fallback, &input)?.unwrap_or(task.then);
                self.push(Deed::Leave(id, input, flow));
            }
            Kind::For(each) => self.enter_loop(id, each, input)?,
            Kind::Fork { branches, .. } => self.enter_fork(id, branches, &input),
            Kind::Try(_) => self.enter_try(id),
            Kind::Raise(raise) => return Err(self.raised(id, raise, &input)?),
            Kind::Wait(length) => self.enter_wait(id, length, &input)?,
            Kind::Call(call) => self.enter_call(id, call, &input)?,
            Kind::Emit(shape) => self.emit(id, task, shape, &input)?,
            Kind::Listen(plan) => self.enter_listen(id, plan, &input)?,
            Kind::Run(plan) => self.enter_run(id, plan, &input)?,
        }
        Ok(())
    }

    /// A function of `use.functions`: its task sees the arguments as its input, and no variables of
    /// the place that calls it.
    fn enter_function(
        &mut self,
        id: FrameId,
        arguments: Option<&Shape>,
        body: TaskIndex,
        input: &Value,
    ) -> Result<(), Fault> {
        let arguments = match arguments {
            Some(shape) => self.form(id, shape, input, Sight::default(), "with")?,
            None => Arc::new(Value::Object(serde_json::Map::new())),
        };
        self.set_stage(id, Stage::Around);
        let Some(above) = self.state.frames.get(id) else { return Ok(()) };
        let frame = Frame {
            parent: Some(id),
            thread: above.thread,
            visit: Arc::clone(&above.visit),
            locals: Arc::new([]),
            body: self.task_body(body, arguments),
        };
        let child = self.state.frames.insert(frame);
        self.push(Deed::Enter(child));
        Ok(())
    }

    pub(super) fn set_stage(&mut self, id: FrameId, stage: Stage) {
        if let Some(state) = self.state.frames.task_mut(id) {
            state.stage = stage;
        }
    }

    fn try_arm_task_timeout(&mut self, id: FrameId) -> Result<(), Fault> {
        let (Some(task), Some(state)) = (self.task_of(id), self.state.frames.task(id)) else {
            return Ok(());
        };
        let Some(length) = &task.timeout else { return Ok(()) };
        let (input, armed) = (Arc::clone(&state.input), state.timeout);
        let ms = self.length_ms(id, length, &input, "timeout.after")?;
        self.state.timers.disarm(armed);
        let timer = self.arm(ms, id, Purpose::TaskTimeout);
        if let Some(state) = self.state.frames.task_mut(id) {
            state.timeout = Some(timer);
        }
        Ok(())
    }

    /// Arms the task's timeout anew.
    pub(super) fn arm_task_timeout(&mut self, id: FrameId) {
        if let Err(fault) = self.try_arm_task_timeout(id) {
            self.fail(id, fault);
        }
    }

    pub(super) fn task_timed_out(&mut self, id: FrameId) {
        let Some(task) = self.task_of(id) else { return };
        if let Some(state) = self.state.frames.task_mut(id) {
            state.timeout = None;
        }
        let what = format!("the task `{}`", task.name);
        let fault = self.timeout_fault(id, codes::TASK_TIMEOUT, &what);
        self.fail(id, fault);
    }

    /// The part of a task completed.
    pub(super) fn task_goes_on(&mut self, id: FrameId, child: FrameId, output: Arc<Value>) {
        let (Some(task), Some(state)) = (self.task_of(id), self.state.frames.task(id)) else {
            return;
        };
        match (&state.stage, &task.kind) {
            (Stage::For(_), _) => self.loop_goes_on(id, output),
            (Stage::Fork(_), _) => self.branch_done(id, child, output),
            (Stage::Listen(_), _) => self.item_worked(id, output),
            (Stage::Try(attempt), Kind::Try(plan)) => {
                let handled = matches!(attempt.phase, TryPhase::Handling);
                let then = if handled { plan.then.unwrap_or(task.then) } else { task.then };
                self.push(Deed::Leave(id, output, then));
            }
            _ => self.push(Deed::Leave(id, output, task.then)),
        }
    }

    /// The task's own work is done: forms and checks output and export, and hands on.
    pub(super) fn leave_task(&mut self, id: FrameId, raw: Arc<Value>, flow: Flow) {
        let Some(task) = self.task_of(id) else { return };
        self.state.timers.disarm_all_of(id);
        if task.undo.is_some() && !self.went_another_way(id) {
            self.completed_work(id, &raw);
        }
        self.set_stage(id, Stage::Leaving(Arc::clone(&raw), flow));
        let output = match self.formed_output(id, task, &raw) {
            Ok(output) => output,
            Err(fault) => return self.fail(id, fault),
        };
        self.note(id, NoteKind::Completed, None);
        if matches!(&task.kind, Kind::Try(attempt) if attempt.retry.is_some()) && !task.in_retry {
            let block = format!("{}/try/", task.pointer);
            self.state.memory.retain(|call, _| !call.pointer.starts_with(&block));
        }
        if let Some(parent) = self.state.frames.remove(id).and_then(|frame| frame.parent) {
            self.push(Deed::Completed { parent, child: id, output, flow });
        }
    }

    fn formed_output(
        &mut self,
        id: FrameId,
        task: &Task,
        raw: &Arc<Value>,
    ) -> Result<Arc<Value>, Fault> {
        let sight = Sight { raw_output: Some(raw), ..Sight::default() };
        self.mould_output(id, &task.output, &task.export, raw, sight, "")
    }
}
