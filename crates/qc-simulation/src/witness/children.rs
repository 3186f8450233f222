//! Runs that run others: one child for each call, whose end is what its parent hears, and who does not
//! outlive a parent that was waiting for it.

use qc_model::RunId;
use qc_store::{LedgerKind, RunStatus};
use qc_workflow::{CallId, Outcome};
use serde::Deserialize;

use super::{Known, Run, Witness, commit::Look};
use crate::{Invariant, effect::task_of, exercise::Exercise, workflows::AWAITED};

/// From where a run comes, as its start says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Lineage {
    #[serde(default)]
    parent: Option<Parent>,
}

/// Who runs a run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Parent {
    run: RunId,
    task: CallId,
}

impl Lineage {
    pub(super) fn parent(&self) -> Option<Parent> {
        self.parent.clone()
    }
}

impl Parent {
    fn awaits(&self) -> bool {
        task_of(&self.task.pointer).starts_with(AWAITED)
    }
}

impl Witness {
    /// A run begins that another one runs: the only one for its call, or what continues one that
    /// ended otherwise than well.
    pub(super) fn child_begun(&self, known: &mut Known, look: &Look<'_>, child: &Run) {
        let Some(parent) = &child.parent else { return };
        // A replay that a person asks for is nobody's child.
        if !look.rows.iter().any(|row| row.kind == LedgerKind::Run && row.outcome == "begun") {
            return;
        }
        self.record.count(Exercise::ChildBegun);
        let id = child.facts.id;
        let Some(of) = known.runs.get(&parent.run).map(|seen| seen.facts.origin) else {
            return self.broken(
                Invariant::OneChildForACall,
                format_args!("{id} is the child of {}, which is not there", parent.run),
            );
        };
        let place = (of, parent.task.to_string());
        let before = known.children.insert(place, id);
        let Some(before) = before else { return };
        let ended = known.runs.get(&before).map(|seen| seen.status);
        let continues = child.facts.replay_of == Some(before);
        let may = matches!(ended, Some(RunStatus::Faulted | RunStatus::Cancelled));
        if !continues || !may {
            self.broken(
                Invariant::OneChildForACall,
                format_args!("{} has the children {before} ({ended:?}) and {id}", parent.task),
            );
        }
    }

    /// A run is told how its child ended.
    pub(super) fn child_ended(&self, known: &Known, seen: &Run, id: &CallId, outcome: &Outcome) {
        let open = seen.machine().children();
        let child = open.iter().find(|one| one.request.id == *id).and_then(|one| one.run.as_ref());
        let Some(child) = child.and_then(|run| run.parse::<RunId>().ok()) else { return };
        self.record.count(Exercise::ChildEnded);
        let real = known.runs.get(&child).and_then(|child| child.machine.as_ref()?.outcome());
        // Who retries it meanwhile has it end once more.
        if real != Some(outcome) && !known.touched.contains(&child) {
            self.broken(
                Invariant::ResultIsTrue,
                format_args!(
                    "{} was told that {child} ended with {outcome:?}, not {real:?}",
                    seen.facts.id
                ),
            );
        }
    }

    /// A run that is at its end has no child any more for which it was waiting. (A child that is
    /// cancelled without a word of people is cancelled for its parent.)
    pub(super) fn check_children(&self, known: &Known, seen: &Run) {
        let run = seen.facts.id;
        let orphan = known.runs.values().find(|child| {
            let awaits = child.parent.as_ref().is_some_and(|of| of.run == run && of.awaits());
            awaits && !child.status.is_terminal() && !known.touched.contains(&child.facts.id)
        });
        if let Some(orphan) = orphan.filter(|_| seen.status.is_terminal()) {
            self.broken(
                Invariant::ChildrenEndFirst,
                format_args!("{run} is at its end, and its child {} is not", orphan.facts.id),
            );
        }
        let just_now = seen.ended_at == Some(self.clock.uptime());
        let by_parent = seen.parent.is_some() && !known.touched.contains(&run);
        if just_now && by_parent && seen.status == RunStatus::Cancelled {
            self.record.count(Exercise::ChildCancelled);
        }
    }
}
