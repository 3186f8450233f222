//! Who answers for keys and clients, and what becomes of those whose owner is gone.
//!
//! The organisation is what the deployed releases say of it. An owner that it never had, such as a mail address, is told by
//! the review only; one that it had and has no more is gone: what he owned goes to his team, or, where he had none, ends
//! after a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use qc_access::{Holding, TOKEN_KIND, TokenKind, TokenRecord, disable, reassign};
use qc_model::{Actor, Name, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, PAGE_MAX, StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use crate::{Problem, State, codes};

/// How often owners are looked at.
const LOOK: Duration = Duration::from_secs(3_600);
/// An end that is nearer than this is told, once.
pub(crate) const SOON: Duration = Duration::from_secs(14 * 86_400);
/// The kind of the document that says who was in the organisation.
const PEOPLE_KIND: &str = "access-people";
const PEOPLE: &str = "known";
/// The most people that are remembered.
const PEOPLE_MAX: usize = 20_000;
/// The kind of the documents that say what was told of a key or client; named `<kind>/<id>`.
const NOTICE_KIND: &str = "access-notice";

/// Who is, or was, in the organisation: people with their teams, and teams with nobody's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    schema_version: u32,
    people: BTreeMap<String, BTreeSet<String>>,
    teams: BTreeSet<String>,
}

/// What was told of a key or a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Notice {
    schema_version: u32,
    /// Since when its owner is gone without anybody in his place, and who he was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orphaned: Option<(Timestamp, String)>,
    /// The end that was told to be near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_told: Option<Timestamp>,
}

impl Remembered {
    fn knows(&self, owner: &str) -> bool {
        self.people.contains_key(owner) || self.teams.contains(owner)
    }
}

impl State {
    /// Looks at owners now and then, for ever.
    pub async fn keep_owners(self: Arc<Self>) {
        loop {
            if let Err(error) = Box::pin(self.look_at_owners()).await {
                tracing::warn!(detail = %error.detail, "owners cannot be looked at now");
            }
            sleep(LOOK).await;
        }
    }

    /// The organisation, as what is deployed says it.
    fn organisation(&self) -> Remembered {
        let mut all = Remembered { schema_version: 1, ..Remembered::default() };
        for deployment in self.engine.deployments().iter() {
            let people = &deployment.release.people;
            for person in &people.people {
                all.people.entry(person.clone()).or_default();
            }
            for (team, members) in &people.teams {
                all.teams.insert(team.clone());
                for member in members {
                    all.people.entry(member.clone()).or_default().insert(team.clone());
                }
            }
        }
        all
    }

    /// Whether the organisation is known, and this is nobody of it.
    pub(crate) fn is_stranger(&self, owner: &str) -> bool {
        let now = self.organisation();
        !now.people.is_empty() && !now.knows(owner)
    }

    /// Looks at every key and client: who is gone, and what ends soon.
    pub async fn look_at_owners(&self) -> Result<(), Problem> {
        let present = self.organisation();
        if present.people.is_empty() {
            return Ok(());
        }
        let remembered = self.remember(&present).await?;
        let now = self.clock.now();
        for holding in self.holdings(now).await? {
            let owner = holding.owner.clone().unwrap_or_default();
            let gone = !present.knows(&owner) && remembered.knows(&owner);
            if gone && let Some(team) = new_owner(&owner, &present, &remembered) {
                let actor = Actor::platform("owners");
                self.give_owner(&holding, &team, &actor).await?;
                continue;
            }
            self.notice(&holding, gone.then_some(owner), now).await?;
        }
        Ok(())
    }

    /// Adds who is there now to who was.
    async fn remember(&self, present: &Remembered) -> Result<Remembered, StoreError> {
        let found = self.store.document(PEOPLE_KIND, PEOPLE).await?;
        let before = found.as_ref().map(|document| document.revision);
        let old = match &found {
            Some(document) => serde_json::from_slice(&document.body)
                .map_err(|error| StoreError::Corrupt(format!("who was known: {error}")))?,
            None => Remembered::default(),
        };
        let mut all = old.clone();
        all.schema_version = 1;
        all.teams.extend(present.teams.iter().cloned());
        // Whoever is there now has the teams that he has now.
        for (person, teams) in &present.people {
            if all.people.len() < PEOPLE_MAX || all.people.contains_key(person) {
                all.people.insert(person.clone(), teams.clone());
            }
        }
        if all != old {
            let put = DocumentOp::Put {
                kind: PEOPLE_KIND.to_owned(),
                name: PEOPLE.to_owned(),
                expect: before.map_or(Expect::Absent, Expect::Revision),
                body: serde_json::to_vec(&all).expect("only string keys").into(),
                at: self.clock.now(),
            };
            self.write(vec![put], vec![]).await?;
        }
        Ok(all)
    }

    /// All keys and clients that count now.
    pub(crate) async fn holdings(&self, now: Timestamp) -> Result<Vec<Holding>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.documents(TOKEN_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for document in &page {
                let record: TokenRecord =
                    serde_json::from_slice(&document.body).map_err(|error| {
                        let name = &document.name;
                        StoreError::Corrupt(format!("the record of token {name}: {error}"))
                    })?;
                if record.kind == TokenKind::ApiKey && !record.expired(now) {
                    all.push(Holding::from(record));
                }
            }
        }
        let mut after: Option<String> = None;
        loop {
            let page = self.authority.clients(after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.id.to_string());
            all.extend(
                page.into_iter().filter(|one| one.is_live(now)).map(qc_identity::Client::holding),
            );
        }
    }

    /// Tells what is to be told, once, and ends what nobody took over in time.
    async fn notice(
        &self,
        holding: &Holding,
        gone: Option<String>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let name = format!("{}/{}", holding.principal.kind.as_str(), holding.principal.id);
        let found = self.store.document(NOTICE_KIND, &name).await?;
        let before = match &found {
            Some(document) => serde_json::from_slice(&document.body)
                .map_err(|error| StoreError::Corrupt(format!("the notice {name}: {error}")))?,
            None => Notice::default(),
        };
        let mut notice = Notice { schema_version: 1, ..before.clone() };
        let mut rows = Vec::new();
        match gone {
            Some(owner) => match &before.orphaned {
                Some((since, known)) if *known == owner => {
                    if now >= *since + self.settings.orphans_end_after {
                        return self.end(holding, &Actor::platform("owners")).await;
                    }
                }
                _ => {
                    rows.push(told(holding, "owner gone", &owner, now));
                    notice.orphaned = Some((now, owner));
                }
            },
            None => notice.orphaned = None,
        }
        if let Some(end) = holding.expires_at.filter(|end| *end < now + SOON)
            && before.end_told != Some(end)
        {
            rows.push(told(holding, "ends soon", holding.owner.as_deref().unwrap_or(""), now));
            notice.end_told = Some(end);
        }
        if notice.orphaned == before.orphaned && notice.end_told == before.end_told {
            return Ok(());
        }
        let put = DocumentOp::Put {
            kind: NOTICE_KIND.to_owned(),
            name,
            expect: found.map_or(Expect::Absent, |document| Expect::Revision(document.revision)),
            body: serde_json::to_vec(&notice).expect("only string keys").into(),
            at: now,
        };
        // When another node was faster, it told.
        self.write(vec![put], rows).await?;
        Ok(())
    }

    /// Gives a key or a client another owner.
    pub(crate) async fn give_owner(
        &self,
        holding: &Holding,
        owner: &str,
        actor: &Actor,
    ) -> Result<(), Problem> {
        let id = &holding.principal.id;
        if holding.principal.kind == TokenKind::AccessToken {
            self.authority.reassign_client(&client_name(id)?, owner, actor).await?;
            return Ok(());
        }
        let (record, revision) = crate::api::record_of(self, id).await?;
        let change = reassign((&record, revision), owner, actor, self.clock.now(), &*self.entropy);
        self.changed(change).await
    }

    /// Ends a key or a client whose owner is gone.
    async fn end(&self, holding: &Holding, actor: &Actor) -> Result<(), Problem> {
        let id = &holding.principal.id;
        if holding.principal.kind == TokenKind::AccessToken {
            self.authority.revoke_client(&client_name(id)?, actor).await?;
            return Ok(());
        }
        let (record, revision) = crate::api::record_of(self, id).await?;
        let change = disable((&record, revision), actor, self.clock.now(), &*self.entropy);
        self.changed(change).await?;
        self.tokens.forget(id);
        Ok(())
    }

    async fn changed(&self, change: Change) -> Result<(), Problem> {
        match self.committer.change(change).await? {
            ChangeOutcome::Changed => Ok(()),
            ChangeOutcome::Conflict { .. } => {
                let detail = "it was changed at the same time; look at it and try again";
                Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail))
            }
        }
    }

    async fn write(
        &self,
        documents: Vec<DocumentOp>,
        ledger: Vec<LedgerRow>,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        self.committer.change(Change { id, documents, ledger, signals: Vec::new() }).await
    }
}

fn client_name(id: &str) -> Result<Name, Problem> {
    id.parse().map_err(|_| Problem::internal("a client's id is a name"))
}

/// Who takes over: the first team of whoever is gone that is still there.
fn new_owner(owner: &str, present: &Remembered, before: &Remembered) -> Option<String> {
    before.people.get(owner)?.iter().find(|team| present.teams.contains(*team)).cloned()
}

fn told(holding: &Holding, outcome: &str, owner: &str, now: Timestamp) -> LedgerRow {
    let kind = if holding.principal.kind == TokenKind::AccessToken { "client" } else { "token" };
    let facts =
        json!({ "owner": owner, "name": holding.principal.name, "expires_at": holding.expires_at });
    LedgerRow {
        at: now,
        kind: LedgerKind::Audit,
        tenant: TenantName::new("platform").expect("a legal name"),
        environment: holding.principal.environment.clone(),
        integration: None,
        run: None,
        event: None,
        actor: Actor::platform("owners").text(),
        subject: format!("{kind} {}", holding.principal.id),
        outcome: outcome.to_owned(),
        code: None,
        facts: facts.to_string().into_bytes().into(),
    }
}
