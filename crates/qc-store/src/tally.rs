use crate::RunStatus;

/// What was counted as it happened, next to what is there: two independent records of the same
/// runs. The counts survive pruning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Counted in the transactions in which it happened.
    pub counted: Counted,
    /// Counted now, row by row.
    pub held: Held,
}

/// Counts that only rise, each written in the transaction of what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Runs accepted.
    pub accepted: u64,
    /// Those of them that replay another run.
    pub replays: u64,
    /// Runs that came to their end.
    pub ended: ByEnd,
    /// Runs that left their end again: opened again, or moved to another end.
    pub reopened: ByEnd,
    /// Runs that were pruned.
    pub pruned: ByEnd,
    /// Dead letters that became open. A letter that replaces an open one settles that one.
    pub dead_made: u64,
    /// Dead letters that stopped being open.
    pub dead_settled: u64,
}

/// Runs by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByEnd {
    /// Ended well.
    pub completed: u64,
    /// Ended with a failure.
    pub faulted: u64,
    /// Ended by somebody.
    pub cancelled: u64,
}

/// What the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Runs at work.
    pub running: u64,
    /// Runs that wait.
    pub waiting: u64,
    /// Parked runs.
    pub parked: u64,
    /// Runs at their end.
    pub ended: ByEnd,
    /// Open dead letters.
    pub dead_open: u64,
}

/// Two records of the same thing that say different numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Of what.
    pub what: &'static str,
    /// How many there must be by the counts.
    pub counted: i128,
    /// How many there are.
    pub held: i128,
}

impl ByEnd {
    /// Counts a run with this status, when that is an end.
    pub const fn add(&mut self, status: RunStatus) {
        match status {
            RunStatus::Completed => self.completed += 1,
            RunStatus::Faulted => self.faulted += 1,
            RunStatus::Cancelled => self.cancelled += 1,
            RunStatus::Running | RunStatus::Waiting | RunStatus::Parked => {}
        }
    }

    /// Counts what another has counted.
    pub const fn add_all(&mut self, other: &Self) {
        self.completed += other.completed;
        self.faulted += other.faulted;
        self.cancelled += other.cancelled;
    }

    /// All together.
    pub const fn total(&self) -> u64 {
        self.completed + self.faulted + self.cancelled
    }
}

impl Held {
    /// All runs that are there.
    pub const fn runs(&self) -> u64 {
        self.running + self.waiting + self.parked + self.ended.total()
    }
}

impl Tally {
    /// Where the two records differ; nothing when every run that was accepted is accounted for.
    pub fn gaps(&self) -> Vec<Gap> {
        let Self { counted, held } = self;
        let left = |of: fn(&ByEnd) -> u64| {
            i128::from(of(&counted.ended))
                - i128::from(of(&counted.reopened))
                - i128::from(of(&counted.pruned))
        };
        let runs = i128::from(counted.accepted) - i128::from(counted.pruned.total());
        let dead = i128::from(counted.dead_made) - i128::from(counted.dead_settled);
        [
            ("runs", runs, held.runs()),
            ("completed runs", left(|by| by.completed), held.ended.completed),
            ("faulted runs", left(|by| by.faulted), held.ended.faulted),
            ("cancelled runs", left(|by| by.cancelled), held.ended.cancelled),
            ("open dead letters", dead, held.dead_open),
        ]
        .into_iter()
        .filter(|(_, counted, held)| *counted != i128::from(*held))
        .map(|(what, counted, held)| Gap { what, counted, held: held.into() })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_nowhere_is_a_gap() {
        let ended = ByEnd { completed: 3, faulted: 2, cancelled: 0 };
        let reopened = ByEnd { faulted: 1, ..ByEnd::default() };
        let pruned = ByEnd { completed: 1, ..ByEnd::default() };
        let counted = Counted { accepted: 6, ended, reopened, pruned, ..Counted::default() };
        let held = Held {
            running: 1,
            waiting: 1,
            ended: ByEnd { completed: 2, faulted: 1, cancelled: 0 },
            ..Held::default()
        };
        assert_eq!(Tally { counted, held }.gaps(), []);
        let lost = Held { waiting: 0, dead_open: 1, ..held };
        let gaps = Tally { counted, held: lost }.gaps();
        assert_eq!(
            gaps,
            [
                Gap { what: "runs", counted: 5, held: 4 },
                Gap { what: "open dead letters", counted: 0, held: 1 },
            ]
        );
    }
}
