use std::{cmp::Reverse, collections::BTreeMap, ops::Bound};

use super::{reads::is_or_any, state::State};
use crate::{DeadFilter, DeadGroup, DeadLetter, DeadState, filter_page};

impl State {
    pub(super) fn list_dead(&self, filter: &DeadFilter) -> Vec<DeadLetter> {
        self.letters(filter).take(filter_page(filter.limit)).cloned().collect()
    }

    /// The letters that pass the filter, the newest run's first.
    fn letters(&self, filter: &DeadFilter) -> impl Iterator<Item = &DeadLetter> {
        let to = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        self.dead.range((Bound::Unbounded, to)).rev().map(|(_, letter)| letter).filter(|letter| {
            filter.state.is_none_or(|state| letter.state == state)
                && is_or_any(filter.environment.as_ref(), Some(&letter.environment))
                && is_or_any(filter.integration.as_ref(), Some(&letter.integration))
                && is_or_any(filter.fingerprint.as_ref(), Some(&letter.fingerprint))
                && is_or_any(filter.code.as_ref(), Some(&letter.code))
                && filter.since.is_none_or(|since| letter.at >= since)
                && filter.until.is_none_or(|until| letter.at < until)
        })
    }

    pub(super) fn dead_groups(&self, filter: &DeadFilter) -> Vec<DeadGroup> {
        let mut groups = BTreeMap::new();
        for letter in self.letters(filter) {
            let DeadLetter { tenant, environment, fingerprint, .. } = letter;
            // The first of a group is its newest run's.
            let (_, group) =
                groups.entry((tenant, environment, fingerprint)).or_insert_with(|| {
                    let group = DeadGroup {
                        tenant: tenant.clone(),
                        environment: environment.clone(),
                        fingerprint: fingerprint.clone(),
                        code: letter.code.clone(),
                        summary: letter.summary.clone(),
                        integration: letter.integration.clone(),
                        open: 0,
                        total: 0,
                        first_at: letter.at,
                        last_at: letter.at,
                    };
                    (letter.run, group)
                });
            group.open += u64::from(letter.state == DeadState::Open);
            group.total += 1;
            group.first_at = group.first_at.min(letter.at);
            group.last_at = group.last_at.max(letter.at);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_unstable_by_key(|(newest, group)| Reverse((group.last_at, *newest)));
        groups.into_iter().take(filter_page(filter.limit)).map(|(_, group)| group).collect()
    }
}
