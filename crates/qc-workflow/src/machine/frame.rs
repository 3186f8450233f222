//! Frames: what is under way, as a tree.

use std::sync::Arc;

use qc_model::{Failure, Timestamp};
use serde_json::Value;

use super::{
    Work,
    child::{ChildPhase, ChildState},
    compensate::UndoState,
    fault::Fault,
    listen::ListenState,
};
use crate::{
    CallOutput, CallRequest, TimerId,
    program::{Flow, List, TaskIndex},
};

/// A place in the slab. The generation tells a frame from an earlier one at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FrameId {
    index: u32,
    generation: u32,
}

/// Variables of loops and catches, outermost first.
pub(super) type Locals = Arc<[Arc<Value>]>;

/// Something under way.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) parent: Option<FrameId>,
    /// Which `$context` it sees.
    pub(super) thread: usize,
    pub(super) visit: Arc<str>,
    pub(super) locals: Locals,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Whole(Whole),
    List(ListState),
    Task(TaskState),
    /// The undoing of completed tasks.
    Undo(UndoState),
}

/// The workflow itself.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) raw: Arc<Value>,
    pub(super) timeout: Option<TimerId>,
    pub(super) deadline: Option<TimerId>,
    pub(super) stage: WholeStage,
}

#[derive(Debug)]
pub(super) enum WholeStage {
    Entering,
    Running,
    /// `then: end`: what was cut short is being settled.
    Ending(Arc<Value>),
    Leaving(Arc<Value>),
}

/// A list of tasks under way.
#[derive(Debug)]
pub(super) struct ListState {
    pub(super) list: List,
    pub(super) position: usize,
    /// How often each task was entered in this execution of the list.
    pub(super) entries: Vec<u32>,
    pub(super) data: Arc<Value>,
}

/// A task under way.
#[derive(Debug)]
pub(super) struct TaskState {
    pub(super) task: TaskIndex,
    pub(super) raw: Arc<Value>,
    pub(super) input: Arc<Value>,
    pub(super) started: Timestamp,
    pub(super) timeout: Option<TimerId>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Its own work has not begun, or began and failed at once.
    Entering,
    /// Waits for its one child.
    Around,
    For(ForState),
    Fork(ForkState),
    Try(TryState),
    Wait,
    Call(Box<CallState>),
    Listen(Box<ListenState>),
    Child(Box<ChildState>),
    /// Its work is done; output and export are being formed.
    Leaving(Arc<Value>, Flow),
}

#[derive(Debug)]
pub(super) struct ForState {
    pub(super) items: Arc<Value>,
    pub(super) index: usize,
    pub(super) data: Arc<Value>,
}

#[derive(Debug)]
pub(super) struct ForkState {
    pub(super) branches: Vec<Branch>,
    /// The winner's output, while the losers are being settled.
    pub(super) won: Option<Arc<Value>>,
}

#[derive(Debug)]
pub(super) enum Branch {
    Running(FrameId),
    Done(Arc<Value>),
    Failed,
}

#[derive(Debug)]
pub(super) struct TryState {
    /// From 1.
    pub(super) attempt: u32,
    /// When the first attempt of this budget began.
    pub(super) since: Timestamp,
    /// `$context` when the task began: every attempt starts from it.
    pub(super) context: Arc<Value>,
    pub(super) phase: TryPhase,
}

#[derive(Debug)]
pub(super) enum TryPhase {
    /// The block runs; the timer bounds this attempt.
    Running(Option<TimerId>),
    /// An error was caught; what it cut short is being settled.
    Settling(Fault),
    /// Waits before the next attempt.
    Pausing,
    /// `catch.do` runs.
    Handling,
    /// Gave up: the error went on.
    Exhausted,
}

#[derive(Debug)]
pub(super) struct CallState {
    pub(super) request: CallRequest,
    pub(super) phase: CallPhase,
    /// Failed attempts that count against the budget.
    pub(super) failed: u32,
    /// When the first attempt of this budget was sent.
    pub(super) since: Timestamp,
    /// How many pauses the other side stated, and their sum.
    pub(super) stated: u32,
    pub(super) stated_ms: u64,
    /// Whether an attempt may have taken effect.
    pub(super) doubtful: bool,
    /// What its system's absence has led to.
    pub(super) absence: Absence,
}

/// What the absence of a call's system has led to.
#[expect(clippy::large_enum_variant, reason = "a call has one")]
#[derive(Debug)]
pub(super) enum Absence {
    /// Nothing.
    None,
    /// It is held.
    Held(Holding),
    /// Another operation is called.
    Diverted,
    /// It is left out.
    LeftOut,
}

#[derive(Debug)]
pub(super) struct Holding {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// When its last attempt failed, and how.
    pub(super) failed_at: Timestamp,
    pub(super) failure: Failure,
    pub(super) timer: TimerId,
}

#[derive(Debug)]
pub(super) enum CallPhase {
    Sent,
    Pausing,
    /// Waits for its system.
    Held,
    /// Answered while the run was failing; used when it is reopened.
    Answered(Arc<CallOutput>),
    /// Not requested, or answered and not requested again.
    Idle,
}

/// All frames of a run.
#[derive(Debug, Default)]
pub(super) struct Frames {
    slots: Vec<(u32, Option<Frame>)>,
    free: Vec<u32>,
}

impl Frames {
    pub(super) fn insert(&mut self, frame: Frame) -> FrameId {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.1 = Some(frame);
            return FrameId { index, generation: slot.0 };
        }
        let index = u32::try_from(self.slots.len()).expect("the step budget bounds the frames");
        self.slots.push((0, Some(frame)));
        FrameId { index, generation: 0 }
    }

    pub(super) fn remove(&mut self, id: FrameId) -> Option<Frame> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.0 == id.generation)?;
        let frame = slot.1.take()?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(id.index);
        Some(frame)
    }

    pub(super) fn get(&self, id: FrameId) -> Option<&Frame> {
        let slot = self.slots.get(id.index as usize)?;
        slot.1.as_ref().filter(|_| slot.0 == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.0 == id.generation)?;
        slot.1.as_mut()
    }

    pub(super) fn task(&self, id: FrameId) -> Option<&TaskState> {
        match &self.get(id)?.body {
            Body::Task(task) => Some(task),
            _ => None,
        }
    }

    pub(super) fn task_mut(&mut self, id: FrameId) -> Option<&mut TaskState> {
        match &mut self.get_mut(id)?.body {
            Body::Task(task) => Some(task),
            _ => None,
        }
    }

    pub(super) fn call_mut(&mut self, id: FrameId) -> Option<&mut CallState> {
        match &mut self.task_mut(id)?.stage {
            Stage::Call(call) => Some(call),
            _ => None,
        }
    }

    pub(super) fn try_mut(&mut self, id: FrameId) -> Option<&mut TryState> {
        match &mut self.task_mut(id)?.stage {
            Stage::Try(state) => Some(state),
            _ => None,
        }
    }

    /// The request of a call that was sent and is not answered.
    pub(super) fn request(&self, id: FrameId) -> Option<&CallRequest> {
        match &self.task(id)?.stage {
            Stage::Call(call) if matches!(call.phase, CallPhase::Sent) => Some(&call.request),
            _ => None,
        }
    }

    pub(super) fn child(&self, id: FrameId) -> Option<&ChildState> {
        match &self.task(id)?.stage {
            Stage::Child(child) => Some(child),
            _ => None,
        }
    }

    pub(super) fn child_mut(&mut self, id: FrameId) -> Option<&mut ChildState> {
        match &mut self.task_mut(id)?.stage {
            Stage::Child(child) => Some(child),
            _ => None,
        }
    }

    /// What a frame asked for and waits for.
    pub(super) fn sent(&self, id: FrameId) -> Option<Work> {
        if let Some(request) = self.request(id) {
            return Some(Work::Call(request.clone()));
        }
        let child = self.child(id).filter(|child| child.is_open())?;
        let run = match &child.phase {
            ChildPhase::Started(run) => Some(run.clone()),
            _ => None,
        };
        Some(Work::Child { request: child.request.clone(), run })
    }

    /// All frames in the order of their places.
    pub(super) fn ids(&self) -> Vec<FrameId> {
        let places = self.slots.iter().enumerate().filter(|(_, slot)| slot.1.is_some());
        places
            .map(|(index, slot)| FrameId {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                generation: slot.0,
            })
            .collect()
    }

    /// Whether `id` stands below `above`.
    pub(super) fn is_below(&self, id: FrameId, above: FrameId) -> bool {
        let mut at = self.get(id).and_then(|frame| frame.parent);
        while let Some(parent) = at {
            if parent == above {
                return true;
            }
            at = self.get(parent).and_then(|frame| frame.parent);
        }
        false
    }

    /// All frames below one.
    pub(super) fn below(&self, above: FrameId) -> Vec<FrameId> {
        self.ids().into_iter().filter(|id| self.is_below(*id, above)).collect()
    }
}
