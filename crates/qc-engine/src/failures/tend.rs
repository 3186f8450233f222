//! Looking at groups, and saying something of them.

use std::collections::HashMap;

use bytes::Bytes;
use qc_model::{Actor, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DeadFilter, DeadGroup, DocumentOp, Expect, LedgerKind, LedgerRow,
    PAGE_MAX, StoreError,
};
use serde_json::json;

use super::{
    FailureGroup, FailuresError, GroupFilter, GroupState, MUTE_LONGEST, Said, Word,
    group::{Seen, Stored, id_of, judged},
};
use crate::Engine;

/// The kind of the documents; they bear the groups' names.
const KIND: &str = "failure-group";

/// The longest note, in bytes.
const NOTE_BYTES: usize = 2_000;

/// How often a word is said again when others spoke at the same time.
const TRIES: usize = 10;

/// How long what was said of a group is kept when it has no letter any more.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

impl Engine {
    /// The groups of dead letters, the one in which somebody died last first; of the newest 1,000
    /// that pass the filter, those in the wanted states.
    pub async fn failure_groups(
        &self,
        filter: &GroupFilter,
    ) -> Result<Vec<FailureGroup>, FailuresError> {
        let dead = DeadFilter {
            environment: filter.environment.clone(),
            integration: filter.integration.clone(),
            code: filter.code.clone(),
            limit: PAGE_MAX,
            ..DeadFilter::default()
        };
        let found = self.shared.store.dead_groups(&dead).await?;
        let mut said = self.all_said().await?;
        let wanted =
            if filter.states.is_empty() { &GroupState::WANTED[..] } else { &filter.states[..] };
        let groups = found.into_iter().map(|letters| {
            let stored = said.remove(&id_of(&letters));
            self.group(letters, stored)
        });
        Ok(groups.filter(|group| wanted.contains(&group.state)).take(filter.limit).collect())
    }

    /// One group, by its name.
    pub async fn failure_group(&self, id: &str) -> Result<FailureGroup, FailuresError> {
        let none = || FailuresError::NoGroup(id.chars().take(64).collect());
        let store = &self.shared.store;
        if let Some(document) = store.document(KIND, id).await? {
            let stored = Stored::parse(id, &document.body)?;
            let filter = DeadFilter {
                fingerprint: Some(stored.fingerprint.clone()),
                environment: Some(stored.environment.clone()),
                limit: PAGE_MAX,
                ..DeadFilter::default()
            };
            let found = store.dead_groups(&filter).await?;
            let letters = found.into_iter().find(|group| group.tenant == stored.tenant);
            let stored = (stored, document.revision);
            return letters.map(|letters| self.group(letters, Some(stored))).ok_or_else(none);
        }
        let filter = DeadFilter { limit: PAGE_MAX, ..DeadFilter::default() };
        let found = store.dead_groups(&filter).await?;
        let letters = found.into_iter().find(|group| id_of(group) == id).ok_or_else(none)?;
        Ok(self.group(letters, None))
    }

    /// Says something of a group; it stands in the audit. Of several who speak at the same time
    /// each is heard, and the last one counts.
    pub async fn tell_failures(
        &self,
        id: &str,
        word: &Word,
        note: Option<&str>,
        actor: &Actor,
    ) -> Result<FailureGroup, FailuresError> {
        if let Some(bytes) = note.map(str::len).filter(|bytes| *bytes > NOTE_BYTES) {
            return Err(FailuresError::NoteTooLong { bytes, max: NOTE_BYTES });
        }
        let shared = &self.shared;
        for _ in 0..TRIES {
            let at = shared.now();
            if let Word::Mute { until } = word
                && (*until <= at || until.since(at) > MUTE_LONGEST)
            {
                return Err(FailuresError::MuteTime(MUTE_LONGEST));
            }
            let group = self.failure_group(id).await?;
            let said = Said {
                word: word.clone(),
                by: actor.clone(),
                at,
                note: note.map(str::to_owned),
                seen: Seen::of(&group.letters),
            };
            let row = audit(&group, &said);
            let stored = Stored::with(&group, said);
            let put = DocumentOp::Put {
                kind: KIND.to_owned(),
                name: group.id.clone(),
                expect: group.revision.map_or(Expect::Absent, Expect::Revision),
                body: serde_json::to_vec(&stored).expect("groups are plain data").into(),
                at,
            };
            let change = Change {
                id: TxnId::new(at, &*shared.entropy),
                documents: vec![put],
                ledger: vec![row],
                signals: Vec::new(),
            };
            match shared.committer.change(change).await? {
                ChangeOutcome::Changed => return self.failure_group(id).await,
                ChangeOutcome::Conflict { .. } => {}
            }
        }
        Err(FailuresError::Changed(id.to_owned()))
    }

    /// Forgets what was said long ago of groups that have no letter any more. Looks at one page;
    /// gives where the next one begins, None at the end.
    pub(crate) async fn tidy_failures(
        &self,
        after: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        const PAGE: usize = 200;
        let store = &self.shared.store;
        let now = self.shared.now();
        let page = store.documents(KIND, after, PAGE).await?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.name.clone());
        for document in page {
            if now.since(document.updated_at) < KEPT {
                continue;
            }
            // What cannot be read is kept: it may be a newer program's.
            let Ok(stored) = Stored::parse(&document.name, &document.body) else { continue };
            let filter = DeadFilter {
                fingerprint: Some(stored.fingerprint),
                environment: Some(stored.environment),
                limit: PAGE_MAX,
                ..DeadFilter::default()
            };
            let there = store.dead_groups(&filter).await?;
            if !there.iter().any(|group| group.tenant == stored.tenant) {
                let (kind, name) = (document.kind, document.name);
                let expect = Expect::Revision(document.revision);
                self.change(vec![DocumentOp::Delete { kind, name, expect }]).await?;
            }
        }
        Ok(next)
    }

    fn group(&self, letters: DeadGroup, stored: Option<(Stored, u64)>) -> FailureGroup {
        let (said, revision) = match stored {
            Some((stored, revision)) => (stored.said, Some(revision)),
            None => (Vec::new(), None),
        };
        let deployments = self.deployments();
        let deployment =
            deployments.lookup(letters.environment.as_str(), letters.integration.as_str());
        let release = deployment.map(|it| &it.release);
        FailureGroup {
            id: id_of(&letters),
            owner: release.and_then(|it| it.owner.clone()),
            contact: release.and_then(|it| it.people.contacts.get(it.owner.as_ref()?).cloned()),
            state: judged(&letters, said.last(), self.shared.now()),
            said,
            revision,
            letters,
        }
    }

    async fn all_said(&self) -> Result<HashMap<String, (Stored, u64)>, StoreError> {
        let mut all = HashMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.documents(KIND, after.as_deref(), PAGE_MAX).await?;
            for document in &page {
                // A newer program's: its group is shown as if nothing had been said, so that it is seen.
                match Stored::parse(&document.name, &document.body) {
                    Ok(stored) => {
                        drop(all.insert(document.name.clone(), (stored, document.revision)));
                    }
                    Err(error) => tracing::warn!("{error}"),
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MAX => after = Some(last.name.clone()),
                _ => return Ok(all),
            }
        }
    }
}

fn audit(group: &FailureGroup, said: &Said) -> LedgerRow {
    let letters = &group.letters;
    let until: Option<Timestamp> = match said.word {
        Word::Mute { until } => Some(until),
        Word::Acknowledge | Word::Resolve | Word::Reopen => None,
    };
    let facts = json!({
        "fingerprint": letters.fingerprint,
        "open": letters.open,
        "note": said.note,
        "until": until,
        "was": group.state.as_str(),
    });
    LedgerRow {
        at: said.at,
        kind: LedgerKind::Audit,
        tenant: letters.tenant.clone(),
        environment: Some(letters.environment.clone()),
        integration: Some(letters.integration.clone()),
        run: None,
        event: None,
        actor: said.by.text(),
        subject: format!("failures:{}", group.id),
        outcome: format!("failures.{}", said.word.as_str()),
        code: Some(letters.code.clone()),
        facts: Bytes::from(said.by.with_origin(facts).to_string()),
    }
}
