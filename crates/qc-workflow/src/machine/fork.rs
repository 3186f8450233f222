//! `fork`: branches side by side, each with a `$context` of its own that ends with it. A race ends
//! with the first branch that completes.

use std::sync::Arc;

use serde_json::Value;

use super::{
    frame::{Branch, ForkState, Frame, FrameId, Stage},
    step::{Deed, Step},
};
use crate::program::{Kind, List};

impl Step<'_> {
    pub(super) fn enter_fork(&mut self, id: FrameId, branches: &List, input: &Arc<Value>) {
        let Some(above) = self.state.frames.get(id) else { return };
        let (thread, visit) = (above.thread, Arc::clone(&above.visit));
        let locals = Arc::clone(&above.locals);
        let context = Arc::clone(&self.state.contexts[thread]);
        let mut children = Vec::with_capacity(branches.len());
        for task in branches.iter() {
            self.state.contexts.push(Arc::clone(&context));
            let frame = Frame {
                parent: Some(id),
                thread: self.state.contexts.len() - 1,
                visit: Arc::clone(&visit),
                locals: Arc::clone(&locals),
                body: self.task_body(*task, Arc::clone(input)),
            };
            children.push(self.state.frames.insert(frame));
        }
        let branches = children.iter().map(|child| Branch::Running(*child)).collect();
        self.set_stage(id, Stage::Fork(ForkState { branches, won: None }));
        // The deeds are a stack: the first branch goes first.
        for child in children.into_iter().rev() {
            self.push(Deed::Enter(child));
        }
    }

    fn fork_mut(&mut self, id: FrameId) -> Option<&mut ForkState> {
        match &mut self.state.frames.task_mut(id)?.stage {
            Stage::Fork(fork) => Some(fork),
            _ => None,
        }
    }

    fn set_branch(&mut self, id: FrameId, child: FrameId, to: Branch) {
        let Some(fork) = self.fork_mut(id) else { return };
        let mut branches = fork.branches.iter_mut();
        let found = branches.find(|branch| matches!(branch, Branch::Running(id) if *id == child));
        if let Some(branch) = found {
            *branch = to;
        }
    }

    pub(super) fn branch_done(&mut self, id: FrameId, child: FrameId, output: Arc<Value>) {
        let compete = matches!(
            self.task_of(id).map(|task| &task.kind),
            Some(Kind::Fork { compete: true, .. })
        );
        self.set_branch(id, child, Branch::Done(Arc::clone(&output)));
        if compete {
            let Some(fork) = self.fork_mut(id) else { return };
            fork.won = Some(output);
            let losers: Vec<FrameId> = fork
                .branches
                .iter()
                .filter_map(|branch| match branch {
                    Branch::Running(id) => Some(*id),
                    _ => None,
                })
                .collect();
            // The race is decided; only what the losers sent is waited for.
            self.state.timers.disarm_all_of(id);
            for loser in losers {
                self.cut_branch(loser, id);
                self.set_branch(id, loser, Branch::Failed);
            }
        }
        self.fork_goes_on(id);
    }

    /// A branch of a race failed while others still run.
    pub(super) fn branch_failed(&mut self, id: FrameId, branch: FrameId) {
        self.cut_branch(branch, id);
        self.set_branch(id, branch, Branch::Failed);
    }

    /// Completes the fork when its outcome is known and nothing that was cut short is under way.
    pub(super) fn fork_goes_on(&mut self, id: FrameId) {
        if self.unsettled(id) {
            return;
        }
        let Some(task) = self.task_of(id) else { return };
        let Some(fork) = self.fork_mut(id) else { return };
        let output = if let Some(output) = &fork.won {
            Some(Arc::clone(output))
        } else {
            let outputs: Option<Vec<Value>> = fork
                .branches
                .iter()
                .map(|branch| match branch {
                    Branch::Done(output) => Some((**output).clone()),
                    _ => None,
                })
                .collect();
            outputs.map(|outputs| Arc::new(Value::Array(outputs)))
        };
        if let Some(output) = output {
            self.push(Deed::Leave(id, output, task.then));
        }
    }
}
