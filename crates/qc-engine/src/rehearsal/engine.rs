//! Rehearsals of a server: past runs are drawn from the store and played apart from the threads that serve.

use std::{sync::Arc, time::Duration};

use qc_model::{Class, EnvironmentName, Failure, Name, RunId, Timestamp};
use qc_store::{Entry, PAGE_MAX, RunFilter, RunHead, RunStatus, StoreError, StoredEvent};
use qc_workflow::Happening;
use serde_json::Value;

use super::{
    begin::begin,
    compare::{differences, reproduces},
    origin::Origins,
    past::Past,
    play::play,
    report::{Incomparable, Rehearsal, RehearsedRun, Verdict},
    sample::sampled,
};
use crate::{
    Deployment, Engine, EngineError, codes,
    data::{Custody, TokenRoots},
    entry,
};

/// So many runs are played when nothing else is said.
pub const SAMPLE_USUAL: usize = 50;
/// So many at most.
pub const SAMPLE_MAX: usize = 200;
/// So many past runs are looked at to draw from.
const LOOKED_AT: usize = 2_000;
/// A run with a larger journal is not played.
const JOURNAL_BYTES: usize = 8 << 20;
/// No further run is begun after so long.
const LASTS: Duration = Duration::from_secs(40);

/// What is to be rehearsed.
#[derive(Debug, Clone)]
pub struct Rehearsing {
    /// Where the runs were.
    pub environment: EnvironmentName,
    /// Whose they are.
    pub integration: Name,
    /// Only runs accepted at or after this moment.
    pub since: Option<Timestamp>,
    /// Only this one.
    pub run: Option<RunId>,
    /// At most so many; from 1 to [`SAMPLE_MAX`].
    pub sample: usize,
    /// Which of many: the same seed draws the same.
    pub seed: u64,
}

/// Runs to choose from.
pub(crate) struct Drawn {
    pub(crate) heads: Vec<RunHead>,
    pub(crate) found: usize,
    pub(crate) more: bool,
}

impl Engine {
    /// Plays past runs on a candidate and says what of their effects is different. Nothing is sent, opened or written;
    /// one rehearsal is at work at a time.
    pub async fn rehearse(
        &self,
        asked: &Rehearsing,
        candidate: Arc<Deployment>,
    ) -> Result<Rehearsal, EngineError> {
        let Ok(_place) = self.shared.rehearsing.try_acquire() else {
            return Err(busy());
        };
        let Drawn { heads, found, more } = self.draw(asked, None).await?;
        let mut rehearsal = Rehearsal {
            release: candidate.release.hash.clone(),
            found,
            more,
            runs: Vec::new(),
            left: 0,
        };
        let ends = self.shared.now() + LASTS;
        for head in heads {
            if self.shared.now() >= ends {
                rehearsal.left += 1;
                continue;
            }
            let run = self.rehearse_one(head, Arc::clone(&candidate)).await?;
            rehearsal.runs.push(run);
        }
        Ok(rehearsal)
    }

    /// Runs that are over and began with an event, drawn by the seed: the oldest first.
    pub(crate) async fn draw(
        &self,
        asked: &Rehearsing,
        trigger: Option<&Name>,
    ) -> Result<Drawn, EngineError> {
        let store = &self.shared.store;
        if let Some(run) = asked.run {
            let head = store.run(run).await?.ok_or(EngineError::NoRun(run))?;
            let facts = &head.facts;
            let here = facts.environment == asked.environment
                && facts.integration == asked.integration
                && trigger.is_none_or(|trigger| facts.trigger == *trigger);
            if !here {
                return Err(EngineError::NoRun(run));
            }
            return Ok(Drawn { heads: vec![head], found: 1, more: false });
        }
        let mut filter = RunFilter {
            statuses: vec![RunStatus::Completed, RunStatus::Faulted, RunStatus::Cancelled],
            environment: Some(asked.environment.clone()),
            integration: Some(asked.integration.clone()),
            trigger: trigger.cloned(),
            since: asked.since,
            limit: PAGE_MAX,
            ..RunFilter::default()
        };
        let (mut heads, mut seen, mut more) = (Vec::new(), 0, true);
        while more && seen < LOOKED_AT {
            let page = store.runs(&filter).await?;
            seen += page.len();
            more = page.len() == PAGE_MAX;
            filter.before = page.last().map(|head| head.facts.id);
            heads.extend(page.into_iter().filter(|head| head.facts.replay_of.is_none()));
        }
        let found = heads.len();
        heads.reverse();
        let heads = sampled(heads, asked.sample, asked.seed, |head| head.facts.id.to_string());
        Ok(Drawn { heads, found, more })
    }

    async fn rehearse_one(
        &self,
        head: RunHead,
        candidate: Arc<Deployment>,
    ) -> Result<RehearsedRun, EngineError> {
        let (run, accepted_at) = (head.facts.id, head.facts.accepted_at);
        let first = head.facts.release.clone();
        let read = self.read_past(head, candidate).await;
        let (release, verdict) = match read {
            Ok(reading) => {
                let release = reading.own.release.hash.clone();
                // Apart from the threads that serve: a run takes as long as its expressions take.
                let played = tokio::task::spawn_blocking(move || reading.verdict()).await;
                let broke_off = |_| Verdict::Incomparable(Incomparable::BrokeOff);
                (release, played.unwrap_or_else(broke_off))
            }
            Err(Unread::Incomparable(why)) => (first, Verdict::Incomparable(why)),
            Err(Unread::Store(error)) => return Err(error.into()),
        };
        Ok(RehearsedRun { run, release, accepted_at, verdict })
    }

    async fn read_past(
        &self,
        head: RunHead,
        candidate: Arc<Deployment>,
    ) -> Result<Reading, Unread> {
        let store = &self.shared.store;
        if !head.state.status.is_terminal() {
            return Err(Unread::Incomparable(Incomparable::NotOver));
        }
        let journal = store.journal(head.facts.id).await?;
        if journal.iter().map(|entry| entry.body.len()).sum::<usize>() > JOURNAL_BYTES {
            return Err(Unread::Incomparable(Incomparable::TooLarge));
        }
        let own = self.release_of(&head, &journal).await;
        let own = own.map_err(|_| Unread::Incomparable(Incomparable::Unreadable))?;
        let event = store.event(head.facts.id).await?;
        let roots = self.shared.settings.token_roots.clone();
        Ok(Reading { head, journal, event, own, candidate, roots })
    }
}

/// Only one of them is at work at a time: live work has the rest of the machine.
pub(crate) fn busy() -> EngineError {
    EngineError::Refused(Box::new(Failure::new(
        Class::Overloaded,
        codes::REHEARSAL_BUSY,
        "Past runs are read for somebody else",
        "this server plays or records the past of one request at a time; ask again when that is done",
    )))
}

enum Unread {
    Incomparable(Incomparable),
    Store(StoreError),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Everything that playing one run takes.
pub(super) struct Reading {
    pub(super) head: RunHead,
    pub(super) journal: Vec<Entry>,
    pub(super) event: Option<StoredEvent>,
    pub(super) own: Arc<Deployment>,
    pub(super) candidate: Arc<Deployment>,
    pub(super) roots: TokenRoots,
}

impl Reading {
    pub(super) fn verdict(&self) -> Verdict {
        self.compared().unwrap_or_else(Verdict::Incomparable)
    }

    fn compared(&self) -> Result<Verdict, Incomparable> {
        let Self { head, journal, event, own, candidate, .. } = self;
        let facts = &head.facts;
        let past = Past::of(journal, facts, own, self.custody(own))?;
        let as_then = play(&past, &past.start, facts, own, self.custody(own));
        if !reproduces(&past, &as_then) {
            return Err(if past.clock_went_back {
                Incomparable::ClockWentBack
            } else {
                Incomparable::NotReproduced
            });
        }
        let event: Option<Value> =
            event.as_ref().and_then(|event| serde_json::from_slice(&event.body).ok());
        let begun = match begin(&past, facts, event.as_ref(), own, candidate) {
            Ok(begun) => begun,
            Err(difference) => return Ok(Verdict::Differs(vec![difference])),
        };
        let now = play(&past, &begun.start, facts, candidate, self.custody(candidate));
        let mut found = begun.differences;
        found.extend(differences(&past, &as_then, &now, &self.origins(event.as_ref())));
        Ok(if found.is_empty() { Verdict::Same } else { Verdict::Differs(found) })
    }

    fn custody(&self, deployment: &Deployment) -> Custody {
        let rules = &deployment.release.data;
        Custody::of_event(&self.roots, rules, &self.head.facts, self.event.as_ref())
    }

    /// Where the values come from that the run works with.
    fn origins(&self, event: Option<&Value>) -> Origins {
        let mut origins = Origins::default();
        if let Some(event) = event {
            origins.learn("the event's", event);
        }
        for (index, stored) in self.journal.iter().enumerate() {
            let Ok(entry::Journaled::Input { input }) = entry::decode(index, stored) else {
                continue;
            };
            if let Happening::CallSucceeded { call, output, .. } = &input.happening {
                let task = call.pointer.rsplit('/').next().unwrap_or_default();
                origins.learn(&format!("`{task}` answered it at"), &output.content);
            }
        }
        origins
    }
}
