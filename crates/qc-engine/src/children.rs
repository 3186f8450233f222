//! The runs that a run runs, seen from it: which of them are to be started, looked at or cancelled.
//!
//! The machine says at any time which children it still has to hear of. What is done about them follows from that alone,
//! so a run that is taken up again goes on with them without knowing how far it was.

use std::{collections::BTreeMap, sync::Arc};

use qc_model::RunId;
use qc_store::RunKey;
use qc_workflow::{CallId, ChildRequest, Happening as Told, OpenChild, Outcome};
use tokio::task::JoinSet;

use crate::{
    Engine, draft::Draft, engine::Shared, entry::Parent, run::ActiveRun, tail::Hold, tenure::Tenure,
};

/// Among the keys of a run: by this one the children of a run are found.
pub(crate) const PARENT: &str = "qc.parent";

/// The errands of a run in memory.
pub(crate) type Errands = JoinSet<News>;

/// What is known of the children beside what the machine knows.
#[derive(Debug, Default)]
pub(crate) struct Children {
    known: BTreeMap<CallId, Care>,
    /// Of those of which is known how they ended, until that is written.
    closing: Vec<Hold>,
    /// Which of those that are to be cancelled undo what they did.
    compensate: BTreeMap<CallId, bool>,
}

/// What is done about a child.
#[derive(Debug)]
struct Care {
    attempt: u32,
    stage: Stage,
    /// Keeps the signal of its end until its wait is written and it was looked at once more.
    hold: Option<Hold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is being started.
    Starting,
    /// It has started; whether it has ended already is to be looked at.
    Unseen,
    /// That is being looked at.
    Looking,
    /// It had not ended: the signal of its end wakes the run.
    Awaited,
    /// It is being cancelled.
    Cancelling,
}

/// Something to be done about a child.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// Start it, or find it started.
    Start,
    /// It is not to be run: see whether it was started, and cancel it then.
    Withdraw { compensate: bool },
    /// See whether it has ended.
    Look { run: RunId },
    /// Cancel it and wait for its end.
    Cancel { run: RunId, compensate: bool },
}

/// What came of an errand.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) id: CallId,
    pub(crate) attempt: u32,
    pub(crate) what: Found,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// It has started; and this is how it ended, if it did already.
    Started { run: RunId, ended: Option<Outcome> },
    /// It has ended, or could not be started.
    Ended { outcome: Outcome },
    /// It has not ended.
    Open,
    /// It cannot be found out now: whoever takes the run up next does.
    GaveUp,
}

impl Children {
    /// A child is to be cancelled.
    pub(crate) fn cancelled(&mut self, id: CallId, compensate: bool) {
        self.compensate.insert(id, compensate);
    }

    /// Those that are awaited are looked at once more.
    pub(crate) fn look_again(&mut self) {
        for care in self.known.values_mut() {
            if care.stage == Stage::Awaited {
                care.stage = Stage::Unseen;
            }
        }
    }

    /// What was heard of them is on disk.
    pub(crate) fn written(&mut self) {
        self.closing.drain(..).for_each(Hold::done);
    }

    /// Nothing is to be done about a child any more, once that is written.
    fn close(&mut self, id: &CallId) {
        self.closing.extend(self.known.remove(id).and_then(|care| care.hold));
    }

    /// What is to be done next about a child; None when it is under way, or the child is awaited.
    fn next(&mut self, child: &OpenChild, hold: impl FnOnce() -> Hold) -> Option<Errand> {
        let id = &child.request.id;
        let attempt = child.request.attempt;
        if self.known.get(id).is_some_and(|care| care.attempt != attempt) {
            self.close(id);
        }
        let run = child.run.as_deref().and_then(|run| run.parse().ok());
        let stage = self.known.get(id).map(|care| care.stage);
        let compensate = self.compensate.get(id).copied().unwrap_or(false);
        let (stage, errand) = match (run, child.cut, stage) {
            (_, _, Some(Stage::Starting | Stage::Looking | Stage::Cancelling))
            | (Some(_), false, Some(Stage::Awaited)) => return None,
            (None, false, _) => (Stage::Starting, Errand::Start),
            (None, true, _) => (Stage::Starting, Errand::Withdraw { compensate }),
            (Some(run), true, _) => (Stage::Cancelling, Errand::Cancel { run, compensate }),
            (Some(run), false, Some(Stage::Unseen) | None) => {
                (Stage::Looking, Errand::Look { run })
            }
        };
        let care = self.known.entry(id.clone());
        let care = care.or_insert_with(|| Care { attempt, stage, hold: None });
        care.stage = stage;
        if care.hold.is_none() {
            care.hold = Some(hold());
        }
        Some(errand)
    }
}

/// Sends for what the run's children need now. Must be called when what the run did is on disk.
pub(crate) async fn tend_children(
    shared: &Arc<Shared>,
    tenure: &Arc<Tenure>,
    run: &mut ActiveRun,
    errands: &mut Errands,
) {
    if run.end.is_some() || !tenure.is_ours() {
        return;
    }
    let open = run.machine().children();
    let known = run.children.known.keys();
    let over = known.filter(|id| !open.iter().any(|child| child.request.id == **id));
    for id in over.cloned().collect::<Vec<_>>() {
        run.children.close(&id);
    }
    run.children.written();
    if open.is_empty() || !tenure.can_wait().await {
        return;
    }
    for child in open {
        if let Some(errand) = run.children.next(&child, || tenure.tail.hold()) {
            let engine = Engine { shared: Arc::clone(shared) };
            let context = Arc::clone(&run.context);
            let (request, tenure): (ChildRequest, _) = (child.request, Arc::clone(tenure));
            errands.spawn(async move {
                let what = Box::pin(engine.run_errand(&context, &tenure, &request, errand)).await;
                News { id: request.id, attempt: request.attempt, what }
            });
        }
    }
}

impl ActiveRun {
    /// Whether it waits for the end of another run.
    pub(crate) fn has_children(&self) -> bool {
        !self.machine().children().is_empty()
    }

    /// Whether something has to be done about a child before there is nothing but waiting for its end.
    pub(crate) fn has_errands(&self) -> bool {
        self.machine().children().iter().any(|child| child.run.is_none() || child.cut)
    }

    /// An errand is done.
    pub(crate) fn hear_of_child(&mut self, news: News, entropy: u64, draft: &mut Draft) {
        let News { id, attempt, what } = news;
        let Some(care) = self.children.known.get_mut(&id).filter(|care| care.attempt == attempt)
        else {
            return;
        };
        match what {
            Found::Open => {
                care.stage = Stage::Awaited;
                if let Some(hold) = care.hold.take() {
                    hold.done();
                }
            }
            Found::GaveUp => {
                // Not done: what came in is read again.
                care.hold = None;
                draft.withheld = true;
            }
            Found::Started { run, ended } => {
                care.stage = Stage::Unseen;
                let started = Told::ChildStarted { id: id.clone(), attempt, run: run.to_string() };
                self.tell(started, entropy, draft);
                if let Some(outcome) = ended
                    && draft.end.is_none()
                {
                    self.tell(Told::ChildEnded { id, attempt, outcome }, entropy, draft);
                }
            }
            Found::Ended { outcome } => {
                self.children.close(&id);
                self.tell(Told::ChildEnded { id, attempt, outcome }, entropy, draft);
            }
        }
    }

    /// A run has ended that may be one of its children.
    pub(crate) fn child_ended(
        &mut self,
        run: RunId,
        outcome: &Outcome,
        entropy: u64,
        draft: &mut Draft,
    ) {
        let run = run.to_string();
        let open = self.machine().children();
        if let Some(child) = open.into_iter().find(|child| child.run.as_ref() == Some(&run)) {
            self.children.close(&child.request.id);
            let (id, attempt) = (child.request.id, child.request.attempt);
            let outcome = outcome.clone();
            self.tell(Told::ChildEnded { id, attempt, outcome }, entropy, draft);
        }
    }
}

/// The key by which a child is found among the runs.
pub(crate) fn key_of(parent: &Parent) -> RunKey {
    RunKey { name: PARENT.to_owned(), value: parent.run.to_string() }
}
