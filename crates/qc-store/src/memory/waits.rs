use std::{collections::BTreeSet, ops::Bound};

use qc_model::RunId;

use super::{reads::is_or_any, state::State};
use crate::{OpenWait, PAGE_MAX, Wait, WaitFilter, filter_page};

/// Whether an event of this kind answers a wait.
fn answers(kind: &str, wait: &Wait) -> bool {
    wait.kind.is_empty() || wait.kind == kind
}

impl State {
    pub(super) fn list_waits(&self, filter: &WaitFilter) -> Vec<OpenWait> {
        let from = filter.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        self.waits
            .range((from, Bound::Unbounded))
            .filter(|(_, wait)| {
                is_or_any(filter.scope.as_ref(), Some(&wait.scope))
                    && filter.kind.as_ref().is_none_or(|kind| answers(kind, wait))
                    && is_or_any(filter.site.as_ref(), Some(&wait.site))
                    && is_or_any(filter.key.as_ref(), Some(&wait.key))
            })
            .filter_map(|((run, _), wait)| {
                let bucket = self.runs.get(run)?.head.facts.bucket;
                Some(OpenWait { run: *run, bucket, wait: wait.clone() })
            })
            .take(filter_page(filter.limit))
            .collect()
    }

    pub(super) fn wait_sites(&self, scope: &str, kind: &str, after: Option<&str>) -> Vec<String> {
        let sites: BTreeSet<&String> = self
            .waits
            .values()
            .filter(|wait| wait.scope == scope && answers(kind, wait))
            .map(|wait| &wait.site)
            .filter(|site| after.is_none_or(|after| site.as_str() > after))
            .collect();
        sites.into_iter().take(PAGE_MAX).cloned().collect()
    }

    pub(super) fn waits_of(&self, run: RunId) -> Vec<Wait> {
        self.waits
            .range((run, String::new())..)
            .take_while(|((of, _), _)| *of == run)
            .take(PAGE_MAX)
            .map(|(_, wait)| wait.clone())
            .collect()
    }
}
