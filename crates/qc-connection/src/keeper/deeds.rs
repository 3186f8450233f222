//! What people do to a connection. Each deed is one transaction with its row of the audit.

use std::{sync::Arc, time::Duration};

use qc_model::{Actor, Failure, Timestamp};
use qc_store::{DocumentOp, Expect};
use qc_vault::{Guest, SealedValues, Secret};
use serde_json::{Value, json};

use super::{Connections, Why, ask::CALL, failure, stored::audit};
use crate::{
    codes,
    consent::{self, Journey, LINK_KIND, LINK_LIFETIME, Link, link_name},
    machine::State,
    provider::{ConnectionId, Grant},
    record::Record,
    token::revocation,
};

/// How often a deed is tried that others were faster with.
const TRIES: usize = 10;

/// A link that was made: it is shown once.
#[derive(Debug, Clone)]
pub struct LinkMade {
    /// Where the account's holder consents.
    pub url: Secret,
    /// Until when.
    pub expires_at: Timestamp,
    /// The account that is expected, if one is.
    pub account: Option<String>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
}

impl Connections {
    /// Makes a link by which an account's holder consents, for a new connection or anew. A connection that works goes on
    /// working until then. `account` is whose consent is expected; when left out, that of the last consent, if the
    /// provider says accounts.
    pub async fn link(
        &self,
        grant: &Grant,
        account: Option<String>,
        actor: &Actor,
    ) -> Result<LinkMade, Box<Failure>> {
        let id = &grant.id;
        let Some(rules) = Self::consent_rules(grant) else {
            let detail =
                format!("`{}` needs no consent: its connector brings its credential", id.text());
            return Err(failure::refusal(codes::LINK, "No consent is needed", detail));
        };
        let code = consent::new_code(&*self.parts.entropy);
        let Some(url) = consent::link_url(rules, &code) else {
            let detail = "the connector's `redirect_uri` does not end in `/connect/callback`";
            return Err(failure::refusal(codes::LINK, "No link can be made", detail.to_owned()));
        };
        let (state, now) = (Journey::of(&code).state, self.now());
        let name = link_name(&state);
        let guest = Guest { environment: &id.environment, kind: LINK_KIND, name: &name };
        let sealed = self.parts.vault.seal(guest, ("code", 1), &code, actor).await;
        let sealed = sealed.map_err(|error| failure::not_kept(id, &error))?;
        for _ in 0..TRIES {
            let found = self.find(id).await.map_err(|error| failure::store(id, error))?;
            let known = found.as_ref().and_then(|(record, _)| record.account.clone());
            let account = account.clone().or(known);
            let link = Link {
                schema_version: 1,
                environment: id.environment.clone(),
                connection: id.name.clone(),
                account: account.clone(),
                scopes: grant.scopes.clone(),
                expires_at: now + LINK_LIFETIME,
                created_by: actor.text(),
                sealed: SealedValues::from([("code".to_owned(), sealed.clone())]),
            };
            let put = DocumentOp::Put {
                kind: LINK_KIND.to_owned(),
                name: name.clone(),
                expect: Expect::Absent,
                body: serde_json::to_vec(&link).expect("only string keys").into(),
                at: now,
            };
            let record = match &found {
                Some((record, _)) => record.clone(),
                None => Record::new(grant, State::PendingConsent),
            };
            let facts = json!({ "account": account, "scopes": grant.scopes });
            let row = audit(&record, "link made", facts, actor, now);
            let mut documents = vec![put];
            if found.is_none() {
                documents.push(record.put(None, now));
            }
            let done = self.change(documents, vec![row]).await;
            if done.map_err(|error| failure::store(id, error))? {
                self.sweep_links().await;
                let (url, expires_at) = (Secret::new(url), link.expires_at);
                return Ok(LinkMade { url, expires_at, account, scopes: link.scopes });
            }
        }
        Err(failure::busy(id))
    }

    /// Ends a connection: its tokens go from the store, and the provider is told, where it can be told.
    pub async fn revoke(
        &self,
        id: &ConnectionId,
        grant: Option<&Grant>,
        actor: &Actor,
    ) -> Result<bool, Box<Failure>> {
        for _ in 0..TRIES {
            let found = self.find(id).await.map_err(|error| failure::store(id, error))?;
            let Some(found) = found else { return Ok(false) };
            let tokens = [
                self.open(&found.0, "refresh").await.ok().flatten(),
                self.open(&found.0, "access").await.ok().flatten(),
            ];
            let now = self.now();
            let record = Record {
                state: State::Revoked { since: now },
                sealed: SealedValues::new(),
                ..found.0.clone()
            };
            if self.deed(&record, found.1, ("revoked", json!({})), actor).await? {
                if let Some(grant) = grant {
                    for token in tokens.iter().flatten() {
                        self.tell_revoked(grant, token).await;
                    }
                }
                return Ok(true);
            }
        }
        Err(failure::busy(id))
    }

    /// Has new tokens brought now.
    pub async fn rotate(
        self: &Arc<Self>,
        grant: Grant,
        actor: &Actor,
        wait: Duration,
    ) -> Result<bool, Box<Failure>> {
        let id = grant.id.clone();
        for _ in 0..TRIES {
            let found = self.find(&id).await.map_err(|error| failure::store(&id, error))?;
            let Some((record, revision)) = found else { return Ok(false) };
            let generation = record.generation;
            let facts = json!({ "generation": generation });
            if self.deed(&record, revision, ("rotation asked for", facts), actor).await? {
                self.landed(grant, Why::ByHand(generation), wait).await?;
                return Ok(true);
            }
        }
        Err(failure::busy(&id))
    }

    async fn deed(
        &self,
        record: &Record,
        before: u64,
        (deed, facts): (&str, Value),
        actor: &Actor,
    ) -> Result<bool, Box<Failure>> {
        let (id, now) = (record.id(), self.now());
        let row = audit(record, deed, facts, actor, now);
        let done = self.change(vec![record.put(Some(before), now)], vec![row]).await;
        self.shelf.forget(&id);
        done.map_err(|error| failure::store(&id, error))
    }

    /// Tells the provider that a token is not used any more. That it does not listen changes nothing here.
    pub(super) async fn tell_revoked(&self, grant: &Grant, token: &Secret) {
        let unique = format!("{:016x}{:016x}", self.random(), self.random());
        let Ok(Some(request)) = revocation(grant, token, self.asking(CALL, &unique)) else {
            return;
        };
        if let Err(error) = self.parts.caller.call(request).await {
            tracing::warn!(connection = %grant.id.text(), %error, "the provider was not told of a revocation");
        }
    }

    /// Removes links whose time is over.
    async fn sweep_links(&self) {
        let Ok(links) = self.store().documents(LINK_KIND, None, qc_store::PAGE_MAX).await else {
            return;
        };
        let now = self.now();
        let over = links.iter().filter(|one| now.since(one.updated_at) > LINK_LIFETIME);
        let deletes: Vec<DocumentOp> = over
            .map(|one| DocumentOp::Delete {
                kind: LINK_KIND.to_owned(),
                name: one.name.clone(),
                expect: Expect::Any,
            })
            .collect();
        if !deletes.is_empty() {
            drop(self.change(deletes, vec![]).await);
        }
    }
}
