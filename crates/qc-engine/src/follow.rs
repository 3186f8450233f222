//! Follows the signals: finds the runs that wait for each, and wakes those of this node.
//!
//! How far the signals were read is a document for each group of runs, which goes from owner to owner with the group:
//! whoever takes a group over makes the document its own first, so that nobody can move it who had the group before.
//! A node reads the signals once for all its groups that are equally far.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use qc_model::RunId;
use qc_store::{
    BUCKETS, ChangeOutcome, DocumentOp, Expect, OpenWait, PAGE_MAX, SignalEntry, SignalFilter,
    StoreError, WaitFilter,
};
use qc_workflow::CorrelationSite;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    Engine,
    bus::{self, Told},
    command::Request,
    groups::group_of,
    listening::RUN_SITE,
    tail::Tail,
    tenure::Tenure,
};

/// How many signals one look brings.
const PAGE: usize = 200;
/// Between two looks for what other nodes wrote.
const LOOK_SHARED: Duration = Duration::from_millis(150);
/// Between two looks when only this node writes: it knows by itself.
const LOOK_ALONE: Duration = Duration::from_secs(5);
/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);
/// How often the places are written down at most. What comes after them is read once more after an end of the process.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How many sites are kept compiled.
const SITES_MAX: usize = 1_000;

/// Where the places are kept.
const KIND: &str = "signal-place";
/// The version that is written.
const VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    v: u32,
    after: u64,
}

/// A place as it is in the store.
#[derive(Debug, Clone, Copy)]
struct Saved {
    after: u64,
    revision: u64,
}

/// The runs of one tenure, for which signals are read.
struct Part {
    tenure: Arc<Tenure>,
    /// None: it is to be taken over first.
    saved: Option<Saved>,
}

impl Part {
    fn tail(&self) -> &Arc<Tail> {
        &self.tenure.tail
    }

    /// Its place is to be written down, or read anew.
    fn is_unsettled(&self) -> bool {
        self.saved.is_none_or(|saved| self.tail().settled() != Some(saved.after))
    }

    /// The name of its document.
    fn name(&self) -> String {
        let buckets = &self.tenure.lease.buckets;
        if *buckets == (0..BUCKETS) {
            return "all".to_owned();
        }
        format!("{:02}", group_of(buckets.start))
    }

    fn put(&self, after: u64, expect: Expect, at: qc_model::Timestamp) -> DocumentOp {
        let body = serde_json::to_vec(&Place { v: VERSION, after }).expect("plain data");
        let (kind, name) = (KIND.to_owned(), self.name());
        DocumentOp::Put { kind, name, expect, body: Bytes::from(body), at }
    }
}

/// The parts of this node, by their first bucket.
#[derive(Default)]
struct Parts {
    parts: BTreeMap<u16, Part>,
    saved_at: Option<Instant>,
}

impl Parts {
    /// Keeps those that are still this node's, and adds what came.
    fn follow(&mut self, tenures: Vec<Arc<Tenure>>) {
        let mut parts = std::mem::take(&mut self.parts);
        for tenure in tenures {
            let first = tenure.lease.buckets.start;
            let known = parts.remove(&first).filter(|part| Arc::ptr_eq(&part.tenure, &tenure));
            self.parts.insert(first, known.unwrap_or(Part { tenure, saved: None }));
        }
    }

    /// Those whose place is known.
    fn ready(&self) -> impl Iterator<Item = &Part> {
        self.parts.values().filter(|part| part.saved.is_some())
    }

    /// The part of a bucket, when it is this node's and has not read so far yet.
    fn of(&self, bucket: u16, before: u64) -> Option<&Part> {
        let (_, part) = self.parts.range(..=bucket).next_back()?;
        let covers = part.tenure.lease.buckets.contains(&bucket);
        (covers && part.saved.is_some() && part.tail().read() < before).then_some(part)
    }
}

impl Engine {
    /// Follows the signals for the groups that are this node's.
    pub(crate) async fn follow_signals(&self) {
        let shared = &self.shared;
        let look = if shared.leases.is_alone() { LOOK_ALONE } else { LOOK_SHARED };
        let mut sites = Sites::default();
        let mut parts = Parts::default();
        loop {
            let news = shared.news.came.notified();
            let mut pause = look;
            parts.follow(shared.leases.tenures());
            if parts.parts.is_empty() {
                pause = pause.min(shared.settings.lease_ttl / 3);
            } else {
                match self.follow(&mut parts, &mut sites).await {
                    Ok(true) => pause = Duration::ZERO,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!("the signals cannot be followed now: {error}");
                        pause = STORE_AGAIN;
                    }
                }
                if parts.parts.values().any(Part::is_unsettled) {
                    pause = pause.min(SAVE_EVERY);
                }
            }
            if pause.is_zero() {
                if shared.is_draining() {
                    return;
                }
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = news => {}
                () = sleep(pause) => {}
                () = self.draining() => return,
            }
        }
    }

    /// Reads on; true when there may be more at once.
    async fn follow(&self, parts: &mut Parts, sites: &mut Sites) -> Result<bool, StoreError> {
        for part in parts.parts.values_mut() {
            if part.saved.is_none() || part.tail().settled().is_none() {
                part.saved = None;
                self.take_over(part).await?;
            }
        }
        let places: BTreeSet<u64> = parts.ready().map(|part| part.tail().read()).collect();
        // Those that are furthest first: who has to catch up keeps nobody waiting.
        let both = [places.last(), places.first().filter(|_| places.len() > 1)];
        let mut more = false;
        for after in both.into_iter().flatten() {
            more |= self.read_on(*after, parts, sites).await?;
        }
        if parts.saved_at.is_none_or(|at| at.elapsed() >= SAVE_EVERY) {
            self.save_places(parts).await?;
        }
        Ok(more)
    }

    /// Reads a page after a place, for all that have not read further. True when there may be more at once.
    async fn read_on(
        &self,
        after: u64,
        parts: &Parts,
        sites: &mut Sites,
    ) -> Result<bool, StoreError> {
        let filter = SignalFilter { after, limit: PAGE, ..SignalFilter::default() };
        let page = self.shared.store.signals(&filter).await?;
        let more = page.len() == PAGE;
        let last = page.last().map(|entry| entry.seq);
        for entry in page {
            self.route(&entry, parts, sites).await?;
            for part in parts.ready() {
                let tail = part.tail();
                if (after..entry.seq).contains(&tail.read()) {
                    tail.advance(entry.seq);
                }
            }
        }
        if let Some(last) = last {
            self.shared.news.saw(last);
            self.shared.news.published.notify_one();
        }
        Ok(more)
    }

    /// Reads a part's place and makes it this node's: whoever had it before cannot move it any more.
    async fn take_over(&self, part: &mut Part) -> Result<(), StoreError> {
        let stored = self.shared.store.document(KIND, &part.name()).await?;
        let (after, expect, revision) = match stored {
            None => (0, Expect::Absent, 1),
            Some(document) => {
                let place: Place = serde_json::from_slice(&document.body)
                    .ok()
                    .filter(|place: &Place| place.v == VERSION)
                    .ok_or_else(|| {
                        StoreError::Corrupt(format!("the {KIND} `{}` cannot be read", part.name()))
                    })?;
                (place.after, Expect::Revision(document.revision), document.revision + 1)
            }
        };
        let put = part.put(after, expect, self.shared.now());
        if self.change(vec![put]).await? == ChangeOutcome::Changed {
            part.tail().begin(after);
            part.saved = Some(Saved { after, revision });
        }
        Ok(())
    }

    /// Writes down how far everything is done. A place that another node has is left alone.
    async fn save_places(&self, parts: &mut Parts) -> Result<(), StoreError> {
        let now = self.shared.now();
        let mut moved: Vec<(u16, u64)> = Vec::new();
        let mut puts = Vec::new();
        for (first, part) in &parts.parts {
            let settled = part.tail().settled();
            if let (Some(saved), Some(settled)) = (part.saved, settled)
                && settled != saved.after
                && part.tenure.is_ours()
            {
                moved.push((*first, settled));
                puts.push(part.put(settled, Expect::Revision(saved.revision), now));
            }
        }
        if puts.is_empty() {
            return Ok(());
        }
        parts.saved_at = Some(Instant::now());
        let outcome = self.change(puts).await;
        match &outcome {
            Ok(ChangeOutcome::Changed) => {
                for (first, settled) in moved {
                    if let Some(saved) =
                        parts.parts.get_mut(&first).and_then(|it| it.saved.as_mut())
                    {
                        *saved = Saved { after: settled, revision: saved.revision + 1 };
                    }
                }
            }
            Ok(ChangeOutcome::Conflict { name, .. }) => {
                for part in parts.parts.values_mut().filter(|part| part.name() == *name) {
                    part.saved = None;
                }
            }
            // Whether it was written is not known: the places are read again.
            Err(_) => parts.parts.values_mut().for_each(|part| part.saved = None),
        }
        outcome.map(drop)
    }

    /// Hands a signal to the runs that wait for it.
    async fn route(
        &self,
        entry: &SignalEntry,
        parts: &Parts,
        sites: &mut Sites,
    ) -> Result<(), StoreError> {
        let signal = &entry.signal;
        if signal.scope != bus::RUNS && bus::parts_of(&signal.scope).is_none() {
            // No bus: what goes out to a broker has readers of its own.
            return Ok(());
        }
        let told = match bus::decode(signal) {
            Ok(told) => told,
            Err(why) => {
                // Whoever wrote it is newer, or it is damaged: it must not stop what comes after it.
                tracing::error!(
                    scope = signal.scope,
                    id = signal.id,
                    "a signal cannot be read: {why}"
                );
                return Ok(());
            }
        };
        let offered = match told {
            Told::Ended(run) => {
                let waits = WaitFilter {
                    scope: Some(bus::RUNS.to_owned()),
                    kind: Some(bus::RUN_ENDED.to_owned()),
                    site: Some(RUN_SITE.to_owned()),
                    key: Some(run.to_string()),
                    ..WaitFilter::default()
                };
                return self.wake_all(waits, entry.seq, &Request::Ended { run }, parts).await;
            }
            Told::Event(published) => Arc::new(published.event),
        };
        let mut after: Option<String> = None;
        loop {
            let page =
                self.shared.store.wait_sites(&signal.scope, &signal.kind, after.as_deref()).await?;
            for site in &page {
                for key in sites.keys(site, &offered) {
                    let waits = WaitFilter {
                        scope: Some(signal.scope.clone()),
                        kind: Some(signal.kind.clone()),
                        site: Some(site.clone()),
                        key: Some(key),
                        ..WaitFilter::default()
                    };
                    let what = Request::Offer { event: Arc::clone(&offered) };
                    self.wake_all(waits, entry.seq, &what, parts).await?;
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MAX => after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Asks all runs with such a wait, page by page.
    async fn wake_all(
        &self,
        mut filter: WaitFilter,
        seq: u64,
        what: &Request,
        parts: &Parts,
    ) -> Result<(), StoreError> {
        loop {
            let page = self.shared.store.waits(&filter).await?;
            let more = page.len() == PAGE_MAX;
            filter.after = page.last().map(|open| (open.run, open.wait.id.clone()));
            let mut last: Option<RunId> = None;
            for OpenWait { run, bucket, .. } in page {
                #[cfg(feature = "planted-bugs")]
                if crate::planted::planted(crate::planted::Bug::ListenerNotWoken)
                    && !self.shared.is_active(run)
                {
                    continue;
                }
                // A run with several such waits hears it once.
                if last != Some(run)
                    && let Some(part) = parts.of(bucket, seq)
                {
                    let hold = part.tail().hold_after(seq.saturating_sub(1));
                    self.hand_over(run, what.clone(), hold).await;
                }
                last = Some(run);
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// Sites of correlations, compiled.
#[derive(Default)]
struct Sites(HashMap<String, Option<CorrelationSite>>);

impl Sites {
    /// The keys that runs may wait with at a site for an event: that of the event, and that of those who do not know
    /// yet what they wait for.
    fn keys(&mut self, site: &str, event: &serde_json::Value) -> Vec<String> {
        if site.is_empty() {
            return vec![String::new()];
        }
        if self.0.len() >= SITES_MAX && !self.0.contains_key(site) {
            self.0.clear();
        }
        let compiled =
            self.0.entry(site.to_owned()).or_insert_with(|| CorrelationSite::parse(site));
        match compiled {
            Some(compiled) => match compiled.key(event) {
                Some(key) => vec![bus::bounded(&key), String::new()],
                None => Vec::new(),
            },
            None => Vec::new(),
        }
    }
}
