//! The standard's lifecycle events of a run, published for the releases that ask for them.

use qc_workflow::{Lifecycle, LifecycleFact};

use crate::{bus, draft::Draft, run::ActiveRun};

/// So many lifecycle events one step publishes at most: a step that runs through a loop of thousands of tasks must stay
/// within what a store writes at once.
const STEP_MAX: usize = 1_000;

impl ActiveRun {
    /// Publishes what the standard has for a fact, when the release asks for it.
    pub(crate) fn publish_life(&self, fact: LifecycleFact<'_>, draft: &mut Draft) {
        let context = &self.context;
        if !context.deployment.release.bus.lifecycle {
            return;
        }
        let facts = &context.facts;
        let run = facts.id.to_string();
        let life = Lifecycle { program: &context.deployment.release.program, run: &run };
        for event in life.events(fact, draft.at) {
            if draft.life == STEP_MAX {
                tracing::warn!(
                    run,
                    "a step has more than {STEP_MAX} lifecycle events; the others are not published"
                );
                return;
            }
            draft.life += 1;
            let signal =
                bus::of_run(facts, &context.deployment, context.lineage.hops + 1, event, draft.at);
            draft.signals.push(signal);
        }
    }
}
