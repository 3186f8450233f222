//! Cutting work short. A call that was sent is interrupted and settled by the engine first, a child
//! is cancelled; only when all of them are answered does the flow go on.

use std::sync::Arc;

use qc_model::{Applied, Failure, NextAction};

use super::{
    Answer, Orphan, Phase, State, Work,
    child::ChildPhase,
    compensate::Ending,
    frame::{Body, CallPhase, FrameId, Stage, TryPhase, WholeStage},
    step::{Deed, Step},
};
use crate::{
    Action, CallId, CallOutput, NoteKind, Outcome,
    program::{Flow, Kind},
};

impl Step<'_> {
    /// Removes everything below a frame. Calls under way become orphans of `owner`.
    pub(super) fn cut_below(&mut self, above: FrameId, owner: FrameId) {
        for id in self.state.frames.below(above) {
            self.cut(id, owner);
        }
    }

    /// Removes a frame and everything below it.
    pub(super) fn cut_branch(&mut self, branch: FrameId, owner: FrameId) {
        self.cut_below(branch, owner);
        self.cut(branch, owner);
    }

    fn cut(&mut self, id: FrameId, owner: FrameId) {
        if matches!(self.state.frames.task(id).map(|t| &t.stage), Some(stage) if !matches!(stage, Stage::Entering))
        {
            self.note(id, NoteKind::Cancelled, None);
        }
        if let Some(work) = self.state.frames.sent(id) {
            self.orphan(id, work, owner);
        }
        for orphan in self.state.orphans.values_mut() {
            if orphan.owner == id {
                orphan.owner = owner;
            }
        }
        self.state.timers.disarm_all_of(id);
        self.state.frames.remove(id);
    }

    /// Cuts short what a frame asked for; `owner` waits for its end.
    fn orphan(&mut self, id: FrameId, work: Work, owner: FrameId) {
        self.state.live.remove(work.id());
        // A child that nobody waits for lives on.
        let forgotten = matches!(&work, Work::Child { request, .. } if !request.awaited);
        if self.withdraw(&work) || forgotten {
            return;
        }
        let (Some(task), Some(frame)) = (self.state.frames.task(id), self.state.frames.get(id))
        else {
            return;
        };
        let (index, input) = (task.task, Arc::clone(&task.input));
        let visit = Arc::clone(&frame.visit);
        self.interrupt(&work, false);
        let orphan = Orphan { work, owner, task: index, visit, input };
        self.state.orphans.insert(orphan.work.id().clone(), orphan);
    }

    fn interrupt(&mut self, work: &Work, compensate: bool) {
        self.actions.push(match work {
            Work::Call(request) => {
                Action::Interrupt { call: request.id.clone(), attempt: request.attempt }
            }
            Work::Child { request, .. } => {
                let (id, attempt) = (request.id.clone(), request.attempt);
                Action::CancelChild { id, attempt, compensate }
            }
        });
    }

    /// Takes back a request of this same step, which nobody has seen yet.
    fn withdraw(&mut self, work: &Work) -> bool {
        let before = self.actions.len();
        self.actions.retain(|action| match (action, work) {
            (Action::Call(made), Work::Call(request)) => {
                made.id != request.id || made.attempt != request.attempt
            }
            (Action::StartChild(made), Work::Child { request, .. }) => {
                made.id != request.id || made.attempt != request.attempt
            }
            _ => true,
        });
        let withdrawn = self.actions.len() < before;
        // A child that was never asked for has had no attempt: the next one is to begin it. (With
        // calls the number is only a number, and stored journals hold it as it is.)
        if withdrawn
            && let Work::Child { request, .. } = work
            && let Some(memory) = self.state.memory.get_mut(&request.id)
        {
            memory.attempts = request.attempt - 1;
        }
        withdrawn
    }

    /// Interrupts everything under way and keeps the frames. A child whose parent ends so undoes
    /// what it did when `compensate` says so and this workflow undoes too.
    pub(super) fn interrupt_all(&mut self, compensate: bool) {
        let compensate = compensate && self.program.compensates;
        let live: Vec<FrameId> = self.state.live.values().copied().collect();
        for id in live {
            let Some(work) = self.state.frames.sent(id) else { continue };
            if self.withdraw(&work) {
                self.state.live.remove(work.id());
                if let Some(call) = self.state.frames.call_mut(id) {
                    call.phase = CallPhase::Idle;
                } else if let Some(child) = self.state.frames.child_mut(id) {
                    child.phase = ChildPhase::Idle;
                    child.request.attempt -= 1;
                }
            } else if !matches!(&work, Work::Child { request, .. } if !request.awaited) {
                self.interrupt(&work, compensate);
            }
        }
    }

    /// A call that was cut short was answered.
    pub(super) fn orphan_settled(&mut self, call: &CallId, answer: Result<&CallOutput, &Failure>) {
        let Some(orphan) = self.state.orphans.remove(call) else { return };
        let Work::Call(request) = &orphan.work else { return };
        let effect = request.effect;
        let applied = answer.map_or_else(|failure| failure.applied, |_| Applied::Yes);
        let task = self.program.task(orphan.task);
        match answer {
            Ok(output) => {
                // What another operation did is not what the task's compensation undoes.
                if let Kind::Call(plan) = &task.kind
                    && request.id.pointer == task.pointer
                {
                    let shaped = Arc::new(output.shaped(plan.output));
                    self.took_effect(orphan.task, orphan.visit, orphan.input, shaped);
                }
                // Done and not remembered: nothing repeats it but an idempotent call.
                if task.in_retry && State::remembers(effect) {
                    let pointer = Arc::clone(&task.pointer);
                    let id = CallId { pointer, visit: Arc::clone(&call.visit) };
                    let memory = self.state.memory.entry(id).or_default();
                    memory.answer = Some(Answer::Call(Arc::new(output.clone())));
                }
            }
            Err(failure) => {
                self.leave_in_doubt(call, failure);
                self.keep_stated_pause(call, task, failure);
                if let Some(state) = self.state.frames.try_mut(orphan.owner)
                    && let TryPhase::Settling(fault) = &mut state.phase
                {
                    fault.absorb(effect.may_resend(applied), applied);
                }
            }
        }
        self.orphan_gone(orphan.owner);
    }

    /// Whether a call took effect that a failing run cut short is not known: whoever reads why the run failed reads it there.
    pub(super) fn leave_in_doubt(&mut self, call: &CallId, failure: &Failure) {
        let Phase::Failing { fault, .. } = &mut self.state.phase else { return };
        if failure.applied == Applied::Maybe {
            let (run, pointer) = (&mut fault.failure, &call.pointer);
            run.detail = format!(
                "{}; the call at `{pointer}` was cut off then, and may have taken effect",
                run.detail
            );
            if run.next_action == NextAction::None {
                run.next_action = NextAction::ContactOwner;
            }
        }
    }

    /// A child that was cut short ended.
    pub(super) fn orphan_ended(&mut self, child: &CallId, outcome: &Outcome) {
        let Some(orphan) = self.state.orphans.remove(child) else { return };
        if let Outcome::Completed { output } = outcome {
            let output = Arc::new(output.clone());
            if self.program.task(orphan.task).in_retry {
                let memory = self.state.memory.entry(child.clone()).or_default();
                memory.answer = Some(Answer::Value(Arc::clone(&output)));
            }
            self.took_effect(orphan.task, orphan.visit, orphan.input, output);
        }
        self.orphan_gone(orphan.owner);
    }

    fn orphan_gone(&mut self, owner: FrameId) {
        if self.running() {
            self.settled(owner);
            self.run();
        } else {
            self.settle_run();
        }
    }

    /// Whether calls that were cut short are still on their way for this frame.
    pub(super) fn unsettled(&self, owner: FrameId) -> bool {
        self.state.orphans.values().any(|orphan| orphan.owner == owner)
    }

    /// Goes on with what waited for the calls that were cut short.
    pub(super) fn settled(&mut self, owner: FrameId) {
        if self.unsettled(owner) {
            return;
        }
        let Some(frame) = self.state.frames.get(owner) else { return };
        match &frame.body {
            Body::Whole(whole) => {
                if let WholeStage::Ending(output) = &whole.stage {
                    let output = Arc::clone(output);
                    self.push(Deed::Leave(owner, output, Flow::Continue));
                }
            }
            Body::Task(task) => match &task.stage {
                Stage::Try(state) => {
                    if let TryPhase::Settling(fault) = &state.phase {
                        let fault = fault.clone();
                        self.decide(owner, fault);
                    }
                }
                Stage::Fork(_) => self.fork_goes_on(owner),
                _ => {}
            },
            Body::Undo(_) => self.undo_settled(owner),
            Body::List(_) => {}
        }
    }

    /// Ends a failing or cancelled run once nothing is under way any more.
    pub(super) fn settle_run(&mut self) {
        if !self.state.live.is_empty() || !self.state.orphans.is_empty() {
            return;
        }
        let phase = std::mem::replace(&mut self.state.phase, Phase::Running);
        let undo = !self.state.undoable.is_empty();
        self.state.phase = match phase {
            Phase::Failing { fault, .. } if undo => {
                return self.compensate(Ending::Faulted(fault));
            }
            Phase::Failing { fault, frame } => {
                let outcome = Ending::Faulted(fault).outcome(None);
                self.actions.push(Action::Finish(outcome.clone()));
                Phase::Faulted { outcome, frame, at: self.now }
            }
            Phase::Cancelling { reason, compensate: true } if undo => {
                return self.compensate(Ending::Cancelled(reason));
            }
            Phase::Cancelling { reason, .. } => {
                let outcome = Ending::Cancelled(reason).outcome(None);
                self.actions.push(Action::Finish(outcome.clone()));
                Phase::Over(outcome)
            }
            other => other,
        };
    }

    /// Somebody ends the run.
    pub(super) fn cancel(&mut self, reason: &str, compensate: bool) {
        match self.state.phase {
            Phase::Running => self.interrupt_all(compensate),
            // The calls under way are interrupted already.
            Phase::Failing { .. } => {}
            // What is being undone is undone to its end.
            Phase::Compensating(_)
            | Phase::Faulted { .. }
            | Phase::Cancelling { .. }
            | Phase::Over(_) => return,
        }
        self.state.phase = Phase::Cancelling { reason: reason.to_owned(), compensate };
        self.settle_run();
    }
}
