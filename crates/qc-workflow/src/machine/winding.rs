//! Cutting work short. A call that was sent is interrupted and settled by the engine first; only
//! when all of them are answered does the flow go on.

use qc_model::{Applied, Failure};

use super::{
    Orphan, Phase, State,
    frame::{Body, CallPhase, FrameId, Stage, TryPhase, WholeStage},
    step::{Deed, Step},
};
use crate::{Action, CallId, CallOutput, CallRequest, NoteKind, Outcome, program::Flow};
use std::sync::Arc;

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
        if let Some(request) = self.state.frames.request(id).cloned() {
            let remembered = self.task_of(id).is_some_and(|task| task.in_retry);
            self.state.live.remove(&request.id);
            if !self.withdraw(&request) {
                let call = request.id.clone();
                self.actions.push(Action::Interrupt { call, attempt: request.attempt });
                let orphan = Orphan { request, owner, remembered };
                self.state.orphans.insert(orphan.request.id.clone(), orphan);
            }
        }
        for orphan in self.state.orphans.values_mut() {
            if orphan.owner == id {
                orphan.owner = owner;
            }
        }
        self.state.timers.disarm_all_of(id);
        self.state.frames.remove(id);
    }

    /// Takes back a request of this same step, which nobody has seen yet.
    fn withdraw(&mut self, request: &CallRequest) -> bool {
        let before = self.actions.len();
        self.actions.retain(|action| match action {
            Action::Call(made) => made.id != request.id || made.attempt != request.attempt,
            _ => true,
        });
        self.actions.len() < before
    }

    /// Interrupts every call under way and keeps the frames.
    pub(super) fn interrupt_all(&mut self) {
        let live: Vec<FrameId> = self.state.live.values().copied().collect();
        for id in live {
            let Some(request) = self.state.frames.request(id).cloned() else { continue };
            if self.withdraw(&request) {
                self.state.live.remove(&request.id);
                if let Some(call) = self.state.frames.call_mut(id) {
                    call.phase = CallPhase::Idle;
                }
            } else {
                let attempt = request.attempt;
                self.actions.push(Action::Interrupt { call: request.id, attempt });
            }
        }
    }

    /// An orphan was answered.
    pub(super) fn orphan_settled(&mut self, call: &CallId, answer: Result<&CallOutput, &Failure>) {
        let Some(orphan) = self.state.orphans.remove(call) else { return };
        let effect = orphan.request.effect;
        let applied = answer.map_or_else(|failure| failure.applied, |_| Applied::Yes);
        match answer {
            Ok(output) if orphan.remembered && State::remembers(effect) => {
                let memory = self.state.memory.entry(call.clone()).or_default();
                memory.answer = Some(Arc::new(output.clone()));
            }
            // Done and not remembered: nothing repeats it but an idempotent call.
            Ok(_) => {}
            Err(_) => {
                if let Some(state) = self.state.frames.try_mut(orphan.owner)
                    && let TryPhase::Settling(fault) = &mut state.phase
                {
                    fault.absorb(effect.may_resend(applied), applied);
                }
            }
        }
        if self.running() {
            self.settled(orphan.owner);
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
            Body::List(_) => {}
        }
    }

    /// Ends a failing or cancelled run once nothing is under way any more.
    pub(super) fn settle_run(&mut self) {
        if !self.state.live.is_empty() || !self.state.orphans.is_empty() {
            return;
        }
        let phase = std::mem::replace(&mut self.state.phase, Phase::Running);
        self.state.phase = match phase {
            Phase::Failing { fault, frame } => {
                let outcome =
                    Outcome::Faulted { failure: fault.failure, error: (*fault.error).clone() };
                self.actions.push(Action::Finish(outcome.clone()));
                Phase::Faulted { outcome, frame, at: self.now }
            }
            Phase::Cancelling { reason } => {
                let outcome = Outcome::Cancelled { reason };
                self.actions.push(Action::Finish(outcome.clone()));
                Phase::Over(outcome)
            }
            other => other,
        };
    }

    /// Somebody ends the run.
    pub(super) fn cancel(&mut self, reason: &str) {
        match self.state.phase {
            Phase::Running => self.interrupt_all(),
            // The calls under way are interrupted already.
            Phase::Failing { .. } => {}
            Phase::Faulted { .. } | Phase::Cancelling { .. } | Phase::Over(_) => return,
        }
        self.state.phase = Phase::Cancelling { reason: reason.to_owned() };
        self.settle_run();
    }
}
