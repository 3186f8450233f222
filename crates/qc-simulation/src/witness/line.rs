//! The line of those who wait for a place in memory.

use qc_store::LiveCause;
use qc_workflow::CallTarget;

use super::{Known, Run, Witness, commit::Look, entries::Journaled};
use crate::Invariant;

/// So many more later runs than there are places may begin before one that waits: a house full of
/// them, while a process that has just begun looks at the line for the first time.
const OVERTAKEN_MORE: usize = 2;

impl Witness {
    /// A run was accepted. With its first calls on their way it has a place; then nobody may have
    /// waited for one for long.
    pub(super) fn queue_up(&self, known: &mut Known, look: &Look<'_>, seen: &mut Run) {
        if seen.standing.is_some() {
            return;
        }
        let placed = look.entries.iter().any(|entry| matches!(entry, Journaled::Intent { .. }));
        // One that is busy with its children, or listens, is on its way without a call.
        let calls = seen.machine().outstanding();
        let calls = calls.iter().any(|call| !matches!(call.target, CallTarget::Human { .. }));
        seen.in_line = !placed && calls && look.head.state.cause == LiveCause::Activity;
        // Where there is room for all nobody waits for it.
        if !placed || known.is_roomy() {
            return;
        }
        let process = look.writer.process;
        let most = u32::try_from(known.places + OVERTAKEN_MORE).unwrap_or(u32::MAX);
        let waiting =
            known.runs.values_mut().filter(|one| one.in_line && one.last_writer.process == process);
        for one in waiting {
            one.overtaken += 1;
            if one.overtaken == most {
                self.broken(
                    Invariant::LineIsKept,
                    format_args!("{} was overtaken {} times", one.facts.id, one.overtaken),
                );
            }
        }
    }
}
