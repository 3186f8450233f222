//! Follows the signals: finds the runs that wait for each, and wakes those of this node.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use qc_model::{RunId, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, OpenWait, PAGE_MAX, SignalEntry, SignalFilter,
    StoreError, WaitFilter,
};
use qc_workflow::CorrelationSite;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    Engine,
    bus::{self, Told},
    command::Request,
    listening::RUN_SITE,
};

/// How many signals one look brings.
const PAGE: usize = 200;
/// Between two looks for what other nodes wrote.
const LOOK_SHARED: Duration = Duration::from_millis(150);
/// Between two looks when only this node writes: it knows by itself.
const LOOK_ALONE: Duration = Duration::from_secs(5);
/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);
/// How often the place is written down at most. What comes after it is read once more after an end of the process.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How many sites are kept compiled.
const SITES_MAX: usize = 1_000;

/// Where the place is kept.
const KIND: &str = "signal-place";
/// One place for all buckets: whoever leases them reads on from it.
const NAME: &str = "all";

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    v: u32,
    after: u64,
}

/// The place as it is in the store.
#[derive(Debug, Clone, Copy)]
struct Saved {
    after: u64,
    revision: u64,
    at: Instant,
}

impl Engine {
    /// Follows the signals while this node holds the lease.
    pub(crate) async fn follow_signals(&self) {
        let shared = &self.shared;
        let look = if shared.store.caps().shared { LOOK_SHARED } else { LOOK_ALONE };
        let mut sites = Sites::default();
        let mut saved: Option<Saved> = None;
        loop {
            let news = shared.tail.news.notified();
            let mut pause = look;
            if shared.is_leased() {
                match self.follow(&mut saved, &mut sites).await {
                    Ok(true) => pause = Duration::ZERO,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!("the signals cannot be followed now: {error}");
                        pause = STORE_AGAIN;
                    }
                }
                if saved.is_some_and(|saved| shared.tail.settled() != Some(saved.after)) {
                    pause = pause.min(SAVE_EVERY);
                }
            } else {
                saved = None;
                pause = pause.min(shared.settings.lease_ttl / 3);
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
    async fn follow(
        &self,
        saved: &mut Option<Saved>,
        sites: &mut Sites,
    ) -> Result<bool, StoreError> {
        let shared = &self.shared;
        if shared.tail.settled().is_none() {
            *saved = None;
        }
        let known = match *saved {
            Some(known) => known,
            None => {
                let known = self.take_over_place().await?;
                shared.tail.begin(known.after);
                *saved = Some(known);
                known
            }
        };
        let filter =
            SignalFilter { after: shared.tail.read(), limit: PAGE, ..SignalFilter::default() };
        let page = shared.store.signals(&filter).await?;
        let more = page.len() == PAGE;
        let any = !page.is_empty();
        for entry in page {
            self.route(&entry, sites).await?;
            shared.tail.advance(entry.seq);
        }
        if any {
            shared.tail.published.notify_one();
        }
        if let Some(settled) = shared.tail.settled()
            && settled != known.after
            && known.at.elapsed() >= SAVE_EVERY
        {
            *saved = self.save_place(settled, known.revision).await?;
        }
        Ok(more)
    }

    /// Reads the place and makes it this node's: whoever had it before cannot move it any more.
    async fn take_over_place(&self) -> Result<Saved, StoreError> {
        let stored = self.shared.store.document(KIND, NAME).await?;
        let Some(document) = stored else {
            return Ok(Saved { after: 0, revision: 0, at: Instant::now() });
        };
        let place: Place = serde_json::from_slice(&document.body)
            .map_err(|error| StoreError::Corrupt(format!("`{KIND}`: {error}")))?;
        self.save_place(place.after, document.revision).await?.ok_or_else(|| {
            StoreError::Unavailable("another node reads the signals at this moment".to_owned())
        })
    }

    /// Writes the place down; None when another node has it now.
    async fn save_place(&self, after: u64, revision: u64) -> Result<Option<Saved>, StoreError> {
        let shared = &self.shared;
        let now = shared.now();
        let body = serde_json::to_vec(&Place { v: 1, after }).expect("a place is plain data");
        let expect = if revision == 0 { Expect::Absent } else { Expect::Revision(revision) };
        let put = DocumentOp::Put {
            kind: KIND.to_owned(),
            name: NAME.to_owned(),
            expect,
            body: Bytes::from(body),
            at: now,
        };
        let change = Change {
            id: TxnId::new(now, &*shared.entropy),
            documents: vec![put],
            ledger: Vec::new(),
            signals: Vec::new(),
        };
        Ok(match shared.committer.change(change).await? {
            ChangeOutcome::Changed => {
                Some(Saved { after, revision: revision + 1, at: Instant::now() })
            }
            ChangeOutcome::Conflict { .. } => None,
        })
    }

    /// Hands a signal to the runs that wait for it.
    async fn route(&self, entry: &SignalEntry, sites: &mut Sites) -> Result<(), StoreError> {
        let signal = &entry.signal;
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
                return self.wake_all(waits, entry.seq, &Request::Ended { run }).await;
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
                    self.wake_all(waits, entry.seq, &what).await?;
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
    ) -> Result<(), StoreError> {
        loop {
            let page = self.shared.store.waits(&filter).await?;
            let more = page.len() == PAGE_MAX;
            filter.after = page.last().map(|open| (open.run, open.wait.id.clone()));
            let mut last: Option<RunId> = None;
            for OpenWait { run, bucket, .. } in page {
                // A run with several such waits hears it once.
                if last != Some(run) && self.shared.is_ours(bucket) {
                    let hold = self.shared.tail.hold_after(seq.saturating_sub(1));
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
