//! `schedule`.

use super::{Compiler, event::Seen};
use crate::{EventStart, Schedule, dsl};

impl Compiler<'_> {
    pub(super) fn schedule(&mut self, schedule: &dsl::Schedule) -> Option<Schedule> {
        match schedule {
            dsl::Schedule::Every(ms) => Some(Schedule::Every { ms: *ms }),
            dsl::Schedule::After(ms) => Some(Schedule::After { ms: *ms }),
            dsl::Schedule::Cron(cron) => Some(Schedule::Cron(cron.clone())),
            dsl::Schedule::On { strategy, read } => {
                let filters = self.filters(&strategy.filters, Seen::Event)?;
                Some(Schedule::On(EventStart { mode: strategy.mode, filters, read: *read }))
            }
        }
    }
}
