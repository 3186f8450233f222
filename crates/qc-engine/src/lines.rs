//! Looking at lines: which there are, and who stands in them.

use std::collections::BTreeMap;

use qc_model::{EnvironmentName, Name, RunId, TenantName};
use qc_store::{LiveCause, RunHead, Turn};

use crate::{Engine, EngineError, groups::BUCKETS, line::Line};

/// So many lines are listed at most.
const LINES_MAX: usize = 1_000;

/// So many runs of a line are listed at most.
const BEHIND_MAX: usize = 1_000;

/// One page of open runs, and so many pages are looked at.
const PAGE: usize = 1_000;
const PAGES_MAX: usize = 100;

/// A line's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineName {
    /// Whose runs.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Of which integration.
    pub integration: Name,
    /// The key that the runs share.
    pub key: String,
}

impl LineName {
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.environment, self.integration)
    }

    fn line(&self) -> Line {
        Line { scope: self.scope(), key: self.key.clone() }
    }
}

/// A line in which somebody waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// Which.
    pub name: LineName,
    /// The run at its head: at work, or failed and in the way of the others.
    pub first: RunHead,
    /// Whether its key is parked: somebody decides about it.
    pub parked: bool,
    /// Those behind it, in their order.
    pub behind: Vec<RunId>,
}

impl Engine {
    /// The lines in which runs wait for their turn, by name: at most 1,000, of the first 100,000
    /// open runs.
    pub async fn lines(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Vec<LineView>, EngineError> {
        let wanted = |head: &RunHead| {
            environment.is_none_or(|wanted| *wanted == head.facts.environment)
                && integration.is_none_or(|wanted| *wanted == head.facts.integration)
        };
        self.lines_where(0..BUCKETS, wanted, |_| true).await
    }

    /// One line. None: nobody waits in it.
    pub async fn line(&self, name: &LineName) -> Result<Option<LineView>, EngineError> {
        let line = name.line();
        let bucket = line.bucket();
        let turn = line.turn();
        let found = self.lines_where(bucket..bucket + 1, |_| true, |it| *it == turn).await?;
        Ok(found.into_iter().next())
    }

    async fn lines_where(
        &self,
        buckets: std::ops::Range<u16>,
        wanted: impl Fn(&RunHead) -> bool,
        of: impl Fn(&Turn) -> bool,
    ) -> Result<Vec<LineView>, EngineError> {
        let store = &self.shared.store;
        let mut lines: BTreeMap<LineName, (Turn, Vec<(usize, RunId)>)> = BTreeMap::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = store.open_runs(buckets.clone(), after, PAGE).await?;
            let standing = page.iter().filter(|head| head.state.cause == LiveCause::Turn);
            for head in standing.filter(|head| wanted(head)) {
                let Some(place) = store.turn_of(head.facts.id).await? else { continue };
                if !of(&place.turn) {
                    continue;
                }
                let name = LineName {
                    tenant: head.facts.tenant.clone(),
                    environment: head.facts.environment.clone(),
                    integration: head.facts.integration.clone(),
                    key: place.turn.key.clone(),
                };
                if lines.len() == LINES_MAX && !lines.contains_key(&name) {
                    continue;
                }
                let (_, behind) = lines.entry(name).or_insert_with(|| (place.turn, Vec::new()));
                if behind.len() < BEHIND_MAX {
                    behind.push((place.ahead, head.facts.id));
                }
            }
            after = page.last().filter(|_| page.len() == PAGE).map(|last| last.facts.id);
            if after.is_none() {
                break;
            }
        }
        let mut views = Vec::with_capacity(lines.len());
        for (name, (turn, mut behind)) in lines {
            let Some(first) = store.first_in_line(&turn.scope, &turn.key).await? else { continue };
            let Some(first) = store.run(first).await? else { continue };
            behind.sort_unstable();
            let ids = behind.into_iter().map(|(_, run)| run);
            let behind = ids.filter(|run| *run != first.facts.id).collect();
            let parked = self.is_parked(&first).await;
            views.push(LineView { name, first, parked, behind });
        }
        Ok(views)
    }
}
