//! A faulted run continues: the failed task is tried again with a fresh budget, and what the
//! failure interrupted goes on where it was.

use super::{
    Phase,
    frame::{Body, CallPhase, FrameId, Stage, TryPhase, WholeStage},
    step::{Deed, Step},
    timer::Purpose,
};

impl Step<'_> {
    pub(super) fn reopen(&mut self) {
        let phase = std::mem::replace(&mut self.state.phase, Phase::Running);
        let Phase::Faulted { frame, at, .. } = phase else {
            self.state.phase = phase;
            return;
        };
        self.state.executed = 0;
        self.state.timers.shift(self.now.since(at));
        self.renew_deadline(at);
        self.take_deferred();
        // The deeds are a stack: the failed task goes first.
        for id in self.state.frames.ids() {
            if id != frame {
                self.resume_interrupted(id);
                self.settled(id);
            }
        }
        self.resume_failed(frame);
        self.run();
    }

    /// A call or child that the failure interrupted: its answer counts now, or it is sent again.
    fn resume_interrupted(&mut self, id: FrameId) {
        let again = match self.state.frames.task(id).map(|task| &task.stage) {
            Some(Stage::Call(call)) => {
                matches!(call.phase, CallPhase::Answered(_) | CallPhase::Idle | CallPhase::Held)
            }
            Some(Stage::Child(child)) => !child.is_open(),
            _ => false,
        };
        if again {
            self.push(Deed::Enter(id));
        }
    }

    fn resume_failed(&mut self, id: FrameId) {
        let Some(frame) = self.state.frames.get_mut(id) else { return };
        match &mut frame.body {
            Body::List(_) => self.rearm_attempt(id),
            Body::Undo(_) => {}
            Body::Whole(whole) => match &whole.stage {
                WholeStage::Leaving(output) => {
                    let output = output.clone();
                    self.push(Deed::Leave(id, output, crate::program::Flow::Continue));
                }
                WholeStage::Entering => self.push(Deed::Enter(id)),
                WholeStage::Running if whole.timeout.is_none() => self.arm_workflow_timeout(id),
                WholeStage::Running | WholeStage::Ending(_) => self.settled(id),
            },
            Body::Task(task) => match &mut task.stage {
                Stage::Leaving(output, flow) => {
                    let (output, flow) = (output.clone(), *flow);
                    self.push(Deed::Leave(id, output, flow));
                }
                Stage::Entering => self.push(Deed::Enter(id)),
                Stage::Call(_) | Stage::Child(_) => {
                    // A pause that its timeout cut short is over: it is sent at once.
                    task.timeout = None;
                    self.state.timers.disarm_all_of(id);
                    self.push(Deed::Enter(id));
                }
                Stage::Try(state) if matches!(state.phase, TryPhase::Exhausted) => {
                    state.attempt = 0;
                    state.since = self.now;
                    self.next_attempt(id);
                }
                Stage::For(_) => self.next_iteration(id),
                Stage::Listen(_) => self.resume_listen(id),
                // It took too long: its parts go on, and its time begins anew.
                Stage::Around | Stage::Fork(_) | Stage::Try(_) | Stage::Wait => {
                    self.arm_task_timeout(id);
                    self.settled(id);
                }
            },
        }
    }

    /// An attempt of a `try` took too long: its parts go on, and its time begins anew.
    fn rearm_attempt(&mut self, list: FrameId) {
        let Some(parent) = self.state.frames.get(list).and_then(|frame| frame.parent) else {
            return;
        };
        let Some(ms) = self.attempt_limit(parent) else { return };
        let timer = self.arm(ms, parent, Purpose::AttemptTimeout);
        if let Some(state) = self.state.frames.try_mut(parent) {
            state.phase = TryPhase::Running(Some(timer));
        }
    }
}
