//! Driving the bulks that are at work: one task for each, on the node that owns the bulk's bucket.
//! Two nodes at a time would do no harm: a deed is known by its key, and the cursor moves only from
//! where it was read.

use std::{collections::HashSet, time::Duration};

use qc_model::{Actor, RunId};
use qc_store::{ChangeOutcome, DocumentOp, Expect, StoreError};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Bulk, BulkError, BulkId, BulkState, Deed,
    record::{ACTIVE_KIND, KIND, PAGE_KIND, PAGE_RUNS, page_name},
    steer::{audit, idle},
};
use crate::{
    Engine, EngineError, record,
    unwind::{caught, how},
};

/// How often a node looks for bulks to drive.
const LOOK: Duration = Duration::from_secs(2);
/// So many bulks are driven at once by a node; further ones wait.
const AT_ONCE: usize = 4;
/// So many runs of a bulk are in hand at once.
const IN_HAND: u32 = 16;
/// The pause after something that passes.
const AGAIN: Duration = Duration::from_secs(2);
/// So often the same run is begun with before it is passed by.
const TRIES: u32 = 15;
/// How often the cursor's move is written again after a change by others.
const MOVES: usize = 10;
/// How often what is past its time is removed.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// One page of bulks.
const PAGE: usize = 200;

impl Engine {
    /// Drives the bulks of this node until the drain.
    pub(crate) async fn keep_bulks(&self) {
        let mut driving: JoinSet<BulkId> = JoinSet::new();
        let mut driven: HashSet<BulkId> = HashSet::new();
        let mut tidy_at = Instant::now() + TIDY_EVERY;
        loop {
            while let Some(ended) = driving.try_join_next() {
                match ended {
                    Ok(id) => drop(driven.remove(&id)),
                    Err(error) => {
                        // Nobody knows which: those that are driven still are found by their tasks' ends.
                        tracing::error!("driving a bulk broke off: {}", how(&error));
                        driving.shutdown().await;
                        driven.clear();
                    }
                }
            }
            match self.shared.store.documents(ACTIVE_KIND, None, PAGE).await {
                Ok(active) => {
                    for id in active.iter().filter_map(|it| it.name.parse::<BulkId>().ok()) {
                        if driven.len() < AT_ONCE && self.drives(id) && driven.insert(id) {
                            let engine = self.clone();
                            driving.spawn(async move {
                                Box::pin(engine.drive_bulk(id)).await;
                                id
                            });
                        }
                    }
                }
                Err(error) => tracing::debug!("bulks cannot be looked for now: {error}"),
            }
            if Instant::now() >= tidy_at {
                tidy_at = Instant::now() + TIDY_EVERY;
                if let Err(error) = self.tidy_bulks().await {
                    tracing::warn!("bulks that are past their time stay for now: {error}");
                }
            }
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = self.shared.bulks.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    fn drives(&self, id: BulkId) -> bool {
        // A run's bucket is the rest of its number.
        self.shared.leases.owns(RunId::from_bits(id.bits())) && !self.shared.is_draining()
    }

    /// Goes on with a bulk until its end, or until it is another node's.
    async fn drive_bulk(&self, id: BulkId) {
        let mut page = Page::default();
        let mut tries = 0;
        while self.drives(id) {
            let began = Instant::now();
            match self.take_batch(id, &mut page, &mut tries).await {
                Ok(Some(pause)) => {
                    tokio::select! {
                        biased;
                        () = self.draining() => return,
                        () = sleep_until(began + pause) => {}
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(bulk = %id, "the bulk goes on later: {error}");
                    tokio::select! {
                        biased;
                        () = self.draining() => return,
                        () = sleep(AGAIN) => {}
                    }
                }
            }
        }
    }

    /// Takes some runs; gives the pause before the next ones. None: there is nothing more to do.
    async fn take_batch(
        &self,
        id: BulkId,
        page: &mut Page,
        tries: &mut u32,
    ) -> Result<Option<Duration>, BulkError> {
        let (bulk, revision) = match self.bulk_with_revision(id).await {
            Ok(found) => found,
            Err(BulkError::NoBulk(_)) => {
                self.change(vec![idle(id)]).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if bulk.state != BulkState::Running {
            self.change(vec![idle(id)]).await?;
            return Ok(None);
        }
        if bulk.progress.looked_at >= bulk.total {
            return self.finish_bulk(bulk, revision).await;
        }
        let runs = self.next_runs(&bulk, page).await?;
        if runs.is_empty() {
            let platform = Actor::platform(&format!("engine/{}", self.shared.settings.node));
            self.abort_bulk(id, "a page of its runs is gone from the store", &platform).await?;
            return Ok(None);
        }
        let mut moved = bulk.clone();
        let mut broken = None;
        for (run, came) in self.act_on(&bulk, &runs).await {
            match came {
                Ok(came) => {
                    moved.progress.count(run, came, self.shared.now());
                    *tries = 0;
                }
                Err(error) => {
                    *tries += 1;
                    if *tries < TRIES {
                        broken = Some(error);
                        break;
                    }
                    *tries = 0;
                    moved.progress.count(run, Err(error), self.shared.now());
                }
            }
        }
        let taken = moved.progress.looked_at - bulk.progress.looked_at;
        if taken > 0 {
            self.move_cursor(&bulk, revision, &moved).await?;
        }
        if let Some(error) = broken {
            tracing::info!(bulk = %id, "a run of the bulk is begun with again: {error}");
            return Ok(Some(AGAIN));
        }
        let seconds = Duration::from_secs(taken);
        Ok(Some(seconds.checked_div(bulk.rate.max(1)).unwrap_or(AGAIN)))
    }

    /// What became of each run, in their order; of those after one that is to be begun with again, nothing may be known.
    async fn act_on(
        &self,
        bulk: &Bulk,
        runs: &[RunId],
    ) -> Vec<(RunId, Result<Result<(), String>, String>)> {
        // Replays join the lines of their keys at the end: one after the other, in the order of their events.
        if bulk.deed == Deed::Replay {
            let mut came = Vec::new();
            for run in runs {
                let one = match caught(Box::pin(self.act_once(bulk, *run))).await {
                    Ok(one) => one.map_err(|error| error.to_string()),
                    Err(said) => Err(format!("it broke off: {said}")),
                };
                let broken = one.is_err();
                came.push((*run, one));
                if broken {
                    break;
                }
            }
            return came;
        }
        let mut acting = JoinSet::new();
        for (index, run) in runs.iter().copied().enumerate() {
            let (engine, bulk) = (self.clone(), bulk.clone());
            acting.spawn(async move { (index, Box::pin(engine.act_once(&bulk, run)).await) });
        }
        let mut came: Vec<Option<Result<Result<(), String>, EngineError>>> = Vec::new();
        came.resize_with(runs.len(), || None);
        while let Some(ended) = acting.join_next().await {
            if let Ok((index, outcome)) = ended {
                came[index] = Some(outcome);
            }
        }
        let told = |outcome: Option<Result<Result<(), String>, EngineError>>| match outcome {
            Some(Ok(came)) => Ok(came),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it broke off".to_owned()),
        };
        runs.iter().copied().zip(came.into_iter().map(told)).collect()
    }

    async fn next_runs(&self, bulk: &Bulk, page: &mut Page) -> Result<Vec<RunId>, StoreError> {
        let place = usize::try_from(bulk.progress.looked_at).unwrap_or(usize::MAX);
        let (number, within) = (place / PAGE_RUNS, place % PAGE_RUNS);
        if page.number != Some(number) {
            let name = page_name(bulk.id, number);
            let document = self.shared.store.document(PAGE_KIND, &name).await?;
            let runs = document.and_then(|it| serde_json::from_slice(&it.body).ok());
            *page = Page { number: Some(number), runs: runs.unwrap_or_default() };
        }
        let count = bulk.rate.div_ceil(10).clamp(1, IN_HAND);
        let rest = page.runs.iter().skip(within).copied();
        Ok(rest.take(usize::try_from(count).unwrap_or(1)).collect())
    }

    /// Writes how far it has come. When it was stopped meanwhile, that is kept; when another node
    /// has moved it, that one has counted the same runs.
    async fn move_cursor(
        &self,
        from: &Bulk,
        mut revision: u64,
        moved: &Bulk,
    ) -> Result<(), BulkError> {
        let mut bulk = moved.clone();
        for _ in 0..MOVES {
            let put = bulk.put(Expect::Revision(revision), self.shared.now());
            if self.change(vec![put]).await? == ChangeOutcome::Changed {
                return Ok(());
            }
            (bulk, revision) = self.bulk_with_revision(from.id).await?;
            if bulk.progress.looked_at != from.progress.looked_at {
                return Ok(());
            }
            bulk.progress = moved.progress.clone();
        }
        Err(BulkError::Changed(from.id))
    }

    async fn finish_bulk(
        &self,
        mut bulk: Bulk,
        revision: u64,
    ) -> Result<Option<Duration>, BulkError> {
        let at = self.shared.now();
        bulk.state = BulkState::Done { at };
        let engine = Actor::platform("engine");
        let mut row = audit(&bulk, at, &engine, "done", &bulk.reason);
        record::signed(&mut row, &self.shared.settings.node);
        // When it was changed meanwhile, the next look says how it stands.
        let done = self.change_bulk(&bulk, revision, idle(bulk.id), row).await?;
        Ok((!done).then_some(Duration::ZERO))
    }

    async fn tidy_bulks(&self) -> Result<(), StoreError> {
        let now = self.shared.now();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.documents(KIND, after.as_deref(), PAGE).await?;
            for document in &page {
                // What cannot be read is kept: it may be a newer program's.
                let Ok(bulk) = Bulk::parse(document) else { continue };
                if !bulk.is_past(now) {
                    continue;
                }
                let delete = |kind: &str, name: String, expect| DocumentOp::Delete {
                    kind: kind.to_owned(),
                    name,
                    expect,
                };
                let revision = Expect::Revision(document.revision);
                let mut documents = vec![delete(KIND, document.name.clone(), revision)];
                let pages = (0..bulk.pages()).map(|number| page_name(bulk.id, number));
                documents.extend(pages.map(|name| delete(PAGE_KIND, name, Expect::Any)));
                self.change(documents).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
                _ => return Ok(()),
            }
        }
    }
}

/// A page of a bulk's runs, as it was read.
#[derive(Debug, Default)]
struct Page {
    number: Option<usize>,
    runs: Vec<RunId>,
}
