use std::time::Duration;

use qc_model::{Failure, Timestamp};
use qc_store::{DocumentOp, Expect, PAGE_MAX};
use qc_vault::{Guest, SealedValues, Secret, VaultError};
use serde::{Deserialize, Serialize};

use super::{
    Connections, failure,
    stored::{Found, missing},
};
use crate::{
    machine::{Lease, Outcome, Settling, State},
    provider::{ConnectionId, Grant, GrantKind, Rotation},
    record::{RECOVERY_KIND, Record, guest},
    schedule,
    token::Tokens,
};

/// How long the access token before is tried beside a new one.
const OVERLAP: Duration = Duration::from_secs(60);
/// How often tokens are written again whose commit failed: ten minutes of a store that is away.
const TRIES: usize = 300;
/// Ends that differ by less are the same one.
const FAMILY_END: Duration = Duration::from_secs(1);
/// The pause before each.
const PAUSE: Duration = Duration::from_secs(2);

/// Tokens whose place another refresh took, as they are stored. They are never dropped: should what is in the place turn
/// out to be dead, they are taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Recovery {
    schema_version: u32,
    environment: qc_model::EnvironmentName,
    connection: String,
    /// The generation that they were to replace.
    generation: u64,
    asked_at: Timestamp,
    lifetime_secs: u64,
    scopes: Option<Vec<String>>,
    sealed: SealedValues,
}

impl Connections {
    /// Writes new tokens under the lease with which they were asked for. None: the lease was lost, and they are kept
    /// beside. Tries for minutes: nobody else has these tokens. `mends`: work may wait for them, and hears of it.
    pub(super) async fn persist(
        &self,
        grant: &Grant,
        lease: &Lease,
        tokens: &Tokens,
        mends: bool,
    ) -> Result<Option<Record>, Box<Failure>> {
        let mut tries = 0;
        loop {
            match self.persist_once(grant, lease, tokens, mends).await {
                Ok(done) => return Ok(done),
                Err(error) if tries == TRIES => {
                    tracing::error!(connection = %grant.id.text(), %error, "tokens could not be stored and are lost");
                    return Err(failure::not_kept(&grant.id, &error));
                }
                Err(error) => {
                    if tries == 0 {
                        tracing::warn!(connection = %grant.id.text(), %error, "tokens cannot be stored now; tried again");
                    }
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn persist_once(
        &self,
        grant: &Grant,
        lease: &Lease,
        tokens: &Tokens,
        mends: bool,
    ) -> Result<Option<Record>, VaultError> {
        loop {
            let found = self.find(&grant.id).await?;
            let Some(found) = found.filter(|(one, _)| one.state.lease() == Some(lease)) else {
                // A commit whose outcome was not known may have been this very one.
                if let Some(own) = self.own(&grant.id, lease, tokens).await? {
                    return Ok(Some(own));
                }
                self.keep_beside(grant, lease, tokens).await?;
                return Ok(None);
            };
            let record = self.renewed(&found.0, grant, lease.began_at, tokens).await?;
            let mut beside = self.incident_over(grant).await;
            beside.extend(mends.then(|| self.works_again(&grant.id)));
            if self.put(&record, Some(&found), beside).await? {
                return Ok(Some(record));
            }
        }
    }

    /// The record when it holds exactly these tokens.
    async fn own(
        &self,
        id: &ConnectionId,
        lease: &Lease,
        tokens: &Tokens,
    ) -> Result<Option<Record>, VaultError> {
        let Some((record, _)) = self.find(id).await? else { return Ok(None) };
        if record.generation != lease.generation + 1 {
            return Ok(None);
        }
        let same = self.open(&record, "access").await?.as_ref() == Some(&tokens.access);
        Ok(same.then_some(record))
    }

    /// The record with new tokens in place of those that it has.
    pub(super) async fn renewed(
        &self,
        before: &Record,
        grant: &Grant,
        asked_at: Timestamp,
        tokens: &Tokens,
    ) -> Result<Record, VaultError> {
        let (now, generation) = (self.now(), before.generation + 1);
        let name = grant.id.text();
        let place = guest(&grant.id.environment, &name);
        let mut sealed = SealedValues::new();
        let old = if before.usable(now) { self.open(before, "access").await? } else { None };
        let kept = match &tokens.refresh {
            Some(refresh) => Some(refresh.clone()),
            None => self.open(before, "refresh").await?,
        };
        let slots = [("access", Some(tokens.access.clone())), ("refresh", kept), ("previous", old)];
        for (slot, value) in slots {
            let Some(value) = value else { continue };
            let value =
                self.parts.vault.seal(place, (slot, generation), &value, &Self::actor()).await?;
            sealed.insert(slot.to_owned(), value);
        }
        let previous_until = sealed
            .contains_key("previous")
            .then(|| before.expires_at.map_or(now, |end| end.min(now + OVERLAP)));
        let granted = match &tokens.scopes {
            Some(scopes) => scopes.clone(),
            // RFC 6749, section 5.1: nothing said is what was asked for.
            None if before.granted.is_empty() => grant.scopes.clone(),
            None => before.granted.clone(),
        };
        let lease = before.state.lease().cloned();
        let facts = Settling { now, rotation: grant.dialect.rotation, jitter: 0 };
        let lacks = missing(&grant.scopes, &granted);
        let state = match lease {
            Some(lease) => State::settle(&lease, Outcome::Granted, &lacks, facts),
            None if lacks.is_empty() => State::Active,
            None => State::ScopeDrift { missing: lacks },
        };
        let refresh_expires_at = match (tokens.refresh_lifetime, &tokens.refresh) {
            (Some(life), _) => Some(asked_at + life),
            (None, Some(_)) => None,
            (None, None) => before.refresh_expires_at,
        };
        let expires_at = Some(asked_at + tokens.lifetime);
        let ends_at = ends_at(grant, before, (expires_at, refresh_expires_at), &sealed);
        Ok(Record {
            state,
            generation,
            ends_at,
            connector: grant.connector.clone(),
            asked: grant.scopes.clone(),
            granted,
            issued_at: Some(now),
            renew_at: Some(schedule::renew_at(asked_at, tokens.lifetime, self.random())),
            expires_at,
            refresh_expires_at,
            previous_until,
            last_failure: None,
            sealed,
            ..before.clone()
        })
    }

    /// Keeps tokens whose place was taken.
    async fn keep_beside(
        &self,
        grant: &Grant,
        lease: &Lease,
        tokens: &Tokens,
    ) -> Result<(), VaultError> {
        let name = format!("{}/{}", grant.id.text(), lease.attempt);
        let place = recovery(&grant.id, &name);
        let mut sealed = SealedValues::new();
        for (slot, value) in
            [("access", Some(&tokens.access)), ("refresh", tokens.refresh.as_ref())]
        {
            let Some(value) = value else { continue };
            let value = self.parts.vault.seal(place, (slot, 1), value, &Self::actor()).await?;
            sealed.insert(slot.to_owned(), value);
        }
        let kept = Recovery {
            schema_version: 1,
            environment: grant.id.environment.clone(),
            connection: grant.id.name.clone(),
            generation: lease.generation,
            asked_at: lease.began_at,
            lifetime_secs: tokens.lifetime.as_secs(),
            scopes: tokens.scopes.clone(),
            sealed,
        };
        let put = DocumentOp::Put {
            kind: RECOVERY_KIND.to_owned(),
            name,
            expect: Expect::Any,
            body: serde_json::to_vec(&kept).expect("only string keys").into(),
            at: self.now(),
        };
        self.change(vec![put], vec![]).await?;
        tracing::warn!(connection = %grant.id.text(), "tokens came too late for their place and are kept beside it");
        Ok(())
    }

    /// Takes tokens that are kept beside, when the connection has none that work and these followed upon those that it
    /// had. Says whether it did.
    pub(super) async fn adopt(
        &self,
        grant: &Grant,
        found: Option<&Found>,
    ) -> Result<bool, Box<Failure>> {
        let Some(found) = found else { return Ok(false) };
        let now = self.now();
        let over = found.0.state.lease().is_some_and(|lease| lease.until <= now);
        if !over && !matches!(found.0.state, State::Suspect { .. } | State::ReauthRequired { .. }) {
            return Ok(false);
        }
        self.adopt_from(grant, found).await.map_err(|error| failure::not_kept(&grant.id, &error))
    }

    async fn adopt_from(&self, grant: &Grant, found: &Found) -> Result<bool, VaultError> {
        let first = format!("{}/", grant.id.text());
        let kept = self.store().documents(RECOVERY_KIND, Some(&first), PAGE_MAX).await?;
        for document in kept.iter().take_while(|one| one.name.starts_with(&first)) {
            let Ok(one) = serde_json::from_slice::<Recovery>(&document.body) else { continue };
            if one.generation != found.0.generation {
                continue;
            }
            let place = recovery(&grant.id, &document.name);
            let mut opened: [Option<Secret>; 2] = [None, None];
            for (slot, at) in [("access", 0), ("refresh", 1)] {
                if let Some(sealed) = one.sealed.get(slot) {
                    opened[at] = Some(self.open_of(place, slot, sealed).await?);
                }
            }
            let [Some(access), refresh] = opened else { continue };
            let tokens = Tokens {
                access,
                refresh,
                lifetime: Duration::from_secs(one.lifetime_secs),
                refresh_lifetime: None,
                scopes: one.scopes.clone(),
            };
            let record = self.renewed(&found.0, grant, one.asked_at, &tokens).await?;
            let delete = DocumentOp::Delete {
                kind: RECOVERY_KIND.to_owned(),
                name: document.name.clone(),
                expect: Expect::Revision(document.revision),
            };
            let beside = vec![delete, self.works_again(&grant.id)];
            return Ok(self.put(&record, Some(found), beside).await?);
        }
        Ok(false)
    }
}

/// When a connection with these tokens ends for good, as far as it is known.
fn ends_at(
    grant: &Grant,
    before: &Record,
    (access, refresh): (Option<Timestamp>, Option<Timestamp>),
    sealed: &SealedValues,
) -> Option<Timestamp> {
    if grant.kind == GrantKind::ClientCredentials {
        return None;
    }
    if !sealed.contains_key("refresh") {
        return access;
    }
    // A refresh token that is replaced begins to live anew, unless the provider sets an end for all of its family.
    let moves = match (before.refresh_expires_at, refresh) {
        (Some(old), Some(new)) if before.generation > 0 => new > old + FAMILY_END,
        _ => true,
    };
    refresh.filter(|_| grant.dialect.rotation == Rotation::Fixed || !moves)
}

fn recovery<'a>(id: &'a ConnectionId, name: &'a str) -> Guest<'a> {
    Guest { environment: &id.environment, kind: RECOVERY_KIND, name }
}
