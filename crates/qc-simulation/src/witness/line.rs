//! The line of those who wait for a place in memory.

use qc_store::LiveCause;

use super::{Known, Run, Witness, commit::Look, entries::Journaled};
use crate::Invariant;

/// So many later runs may begin before one that waits for a place: those who come while the line
/// is being looked at.
const OVERTAKEN_MAX: u32 = 4;

impl Witness {
    /// A run was accepted. With its first calls on their way it has a place; then nobody may have
    /// waited for one for long.
    pub(super) fn queue_up(&self, known: &mut Known, look: &Look<'_>, seen: &mut Run) {
        let placed = look.entries.iter().any(|entry| matches!(entry, Journaled::Intent { .. }));
        seen.in_line = !placed && look.head.state.cause == LiveCause::Activity;
        // Where there is room for all nobody waits for it.
        if !placed || known.roomy {
            return;
        }
        let process = look.writer.process;
        let waiting =
            known.runs.values_mut().filter(|one| one.in_line && one.last_writer.process == process);
        for one in waiting {
            one.overtaken += 1;
            if one.overtaken == OVERTAKEN_MAX {
                self.broken(
                    Invariant::LineIsKept,
                    format_args!("{} was overtaken {} times", one.facts.id, one.overtaken),
                );
            }
        }
    }
}
