use std::{collections::BTreeSet, time::Duration};

use qc_model::{Failure, Timestamp};
use qc_vault::{Secret, VaultError};

use super::{
    Access, Connections,
    ask::{Asked, LEASE},
    failure,
    flight::Landed,
    stored::Found,
};
use crate::{
    machine::{Begin, Facts, Lease, Outcome, Settling, State},
    provider::{Grant, GrantKind},
    record::{LastFailure, Record, guest},
};

/// How often the record is looked at while another node asks for new tokens.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often a refresh decides anew because the record was changed meanwhile, or another node was at it: as long as two
/// leases.
const ROUNDS: usize = 600;
/// A refused token is replaced before its time no more often than this: what refuses it may be something else.
const FORCED_EVERY: Duration = Duration::from_secs(60);

/// Why new tokens are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It is time.
    Due,
    /// The other system refused the access token of this generation.
    Refused(u64),
    /// A person wants those of this generation replaced.
    ByHand(u64),
}

/// What a round came to.
enum Round {
    /// This is the end of it.
    Done(Landed),
    /// The record is another one: decide anew.
    Again,
    /// Another node is at it.
    Wait,
}

impl Connections {
    /// Brings new tokens, or those that another node brought. One node asks at a time: its lease is on disk before it
    /// asks, and ends after its request has.
    pub(super) async fn refresh(&self, grant: &Grant, why: Why) -> Landed {
        for _ in 0..ROUNDS {
            match self.round(grant, why).await? {
                Round::Done(landed) => return landed,
                Round::Again => {}
                Round::Wait => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        Err(failure::slow(&grant.id))
    }

    async fn round(&self, grant: &Grant, why: Why) -> Result<Round, Box<Failure>> {
        let id = &grant.id;
        let found = self.find(id).await.map_err(|error| failure::store(id, error))?;
        let seed = self.seed(grant, found.as_ref()).await.map_err(|e| failure::not_kept(id, &e))?;
        let (now, record) = (self.now(), Self::present(grant, found.as_ref(), seed.as_ref()));
        let Some(record) = record else {
            return Ok(Round::Done(Err(failure::nothing(id))));
        };
        let usable = record.usable(now);
        let settled = match why {
            Why::Due => usable && !record.is_due(now),
            Why::Refused(generation) => usable && record.generation > generation,
            Why::ByHand(generation) => record.generation > generation,
        };
        if settled {
            return self.landed_with(record).await;
        }
        let recent = record.forced_at.is_some_and(|at| now.since(at) < FORCED_EVERY);
        if matches!(why, Why::Refused(_)) && recent {
            return Ok(Round::Done(Ok(None)));
        }
        if self.adopt(grant, found.as_ref()).await? {
            return Ok(Round::Again);
        }
        let lease = Lease {
            owner: self.parts.node.clone(),
            attempt: format!("{:016x}{:016x}", self.random(), self.random()),
            generation: record.generation,
            began_at: now,
            until: now + LEASE,
            failures: 0,
            doubt: None,
        };
        let facts = Facts {
            rotation: grant.dialect.rotation,
            usable,
            refreshable: seed.is_some()
                || record.sealed.contains_key("refresh")
                || grant.kind == GrantKind::ClientCredentials,
            by_hand: matches!(why, Why::ByHand(_)),
        };
        match record.state.begin(lease, facts) {
            Begin::Send(state) => self.attempt(grant, found, record, state, why, seed).await,
            Begin::Wait(_) if usable && why == Why::Due => self.landed_with(record).await,
            Begin::Wait(_) => Ok(Round::Wait),
            Begin::Pause(_) | Begin::Stays if usable && why == Why::Due => {
                self.landed_with(record).await
            }
            Begin::Pause(_) | Begin::Stays if usable && !facts.by_hand => Ok(Round::Done(Ok(None))),
            Begin::Pause(_) | Begin::Stays => Ok(Round::Done(Err(failure::of_state(&record, now)))),
            Begin::Became(state) => {
                let record = Record { state, ..record };
                let put = self.put(&record, found.as_ref(), vec![]).await;
                put.map_err(|error| failure::store(id, error))?;
                Ok(Round::Again)
            }
        }
    }

    /// The record as it stands, or as it begins: anew when somebody brought another refresh token. None: it begins with
    /// consent.
    fn present(grant: &Grant, found: Option<&Found>, seed: Option<&Seed>) -> Option<Record> {
        match (found, seed) {
            (Some((record, _)), None) => Some(record.clone()),
            (Some((record, _)), Some(seed)) => {
                let generation = record.generation;
                let fresh = Record::new(grant, State::Active);
                Some(Record { generation, seed: Some(seed.fingerprint.clone()), ..fresh })
            }
            (None, seed) if !matches!(grant.kind, GrantKind::AuthorizationCode(_)) => {
                let seed = seed.map(|seed| seed.fingerprint.clone());
                Some(Record { seed, ..Record::new(grant, State::Active) })
            }
            (None, _) => None,
        }
    }

    /// The refresh token that somebody brought, when it is another one than that with which the connection began.
    async fn seed(&self, grant: &Grant, found: Option<&Found>) -> Result<Option<Seed>, VaultError> {
        let GrantKind::RefreshToken { seed } = &grant.kind else { return Ok(None) };
        let fingerprint = if let Some(fingerprint) = self.parts.vault.fingerprint(seed) {
            fingerprint
        } else {
            self.can_seal(grant).await?;
            self.parts.vault.fingerprint(seed).ok_or(VaultError::Busy)?
        };
        // One that people revoked stays so until they bring another token.
        let same = found.is_some_and(|(record, _)| record.seed.as_ref() == Some(&fingerprint));
        Ok((!same).then(|| Seed { token: seed.clone(), fingerprint }))
    }

    async fn landed_with(&self, record: Record) -> Result<Round, Box<Failure>> {
        let id = record.id();
        let shelved = self.shelve(record).await.map_err(|error| failure::not_kept(&id, &error))?;
        let now = self.now();
        Ok(Round::Done(match shelved.access(now) {
            Some(access) => Ok(Some(access)),
            None => Err(failure::of_state(&shelved.record, now)),
        }))
    }

    /// One request to the token endpoint: its intent on disk before it is sent, its tokens on disk before they are used.
    async fn attempt(
        &self,
        grant: &Grant,
        found: Option<Found>,
        record: Record,
        state: State,
        why: Why,
        seed: Option<Seed>,
    ) -> Result<Round, Box<Failure>> {
        let id = &grant.id;
        // Several releases share the connection: what one of them needs is not left out because another asks.
        let grant = &Grant { scopes: union(&record.asked, &grant.scopes), ..grant.clone() };
        let unkept = |error: &VaultError| failure::not_kept(id, error);
        // Who cannot seal must not ask: the tokens would be lost.
        self.can_seal(grant).await.map_err(|error| unkept(&error))?;
        let mut sealed = record.sealed.clone();
        let refresh = match seed {
            // From now on it is the connection's own.
            Some(seed) => {
                let name = id.text();
                let place = guest(&id.environment, &name);
                let slot = ("refresh", record.generation);
                let value = self.parts.vault.seal(place, slot, &seed.token, &Self::actor()).await;
                sealed.insert("refresh".to_owned(), value.map_err(|error| unkept(&error))?);
                Some(seed.token)
            }
            None => self.open(&record, "refresh").await.map_err(|error| unkept(&error))?,
        };
        let lease = state.lease().expect("who may send has a lease").clone();
        let now = lease.began_at;
        let well = found.as_ref().is_some_and(|(one, _)| one.state.is_well());
        let mends = !well || matches!(why, Why::ByHand(_));
        let forced_at = if matches!(why, Why::Refused(_)) { Some(now) } else { record.forced_at };
        let intent = Record { state, forced_at, sealed, ..record };
        let put = self.put(&intent, found.as_ref(), vec![]).await;
        if !put.map_err(|error| failure::store(id, error))? {
            return Ok(Round::Again);
        }
        let asked = self.ask(grant, refresh.as_ref(), &lease).await?;
        if let Asked::Granted(tokens) = asked {
            return match self.persist(grant, &lease, &tokens, mends).await? {
                Some(record) => self.landed_with(record).await,
                // Another refresh has the place; what it brought is used.
                None => Ok(Round::Again),
            };
        }
        let Some((outcome, detail)) = asked.outcome() else { return Ok(Round::Again) };
        self.note(grant, &lease, (outcome, detail), why).await
    }

    /// Writes what a refresh without tokens came to.
    async fn note(
        &self,
        grant: &Grant,
        lease: &Lease,
        (outcome, detail): (Outcome, LastFailure),
        why: Why,
    ) -> Result<Round, Box<Failure>> {
        let id = &grant.id;
        // Under the lease the record is read again: another one may have brought tokens, and then it was their refresh
        // that made this token invalid.
        let found = self.find(id).await.map_err(|error| failure::store(id, error))?;
        let Some(found) = found.filter(|(record, _)| record.state.lease() == Some(lease)) else {
            return Ok(Round::Again);
        };
        let facts =
            Settling { now: self.now(), rotation: grant.dialect.rotation, jitter: self.random() };
        let state = State::settle(lease, outcome, &[], facts);
        let record = Record { state, last_failure: Some(detail), ..found.0.clone() };
        let beside = match outcome {
            Outcome::InvalidClient => self.incident(grant).await,
            _ => vec![],
        };
        let put = self.put(&record, Some(&found), beside).await;
        if !put.map_err(|error| failure::store(id, error))? {
            return Ok(Round::Again);
        }
        if record.usable(facts.now) {
            return match why {
                Why::Due => self.landed_with(record).await,
                Why::Refused(_) => Ok(Round::Done(Ok(None))),
                Why::ByHand(_) => Ok(Round::Done(Err(failure::of_state(&record, facts.now)))),
            };
        }
        Ok(Round::Done(Err(failure::of_state(&record, facts.now))))
    }

    /// Whether the token before may be tried in place of one that was refused: while both are good, the new one may not
    /// be known everywhere at the other system.
    pub(super) fn young(record: &Record, now: Timestamp) -> bool {
        record.previous_until.is_some_and(|until| now < until)
    }
}

/// All of both, sorted.
fn union(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().chain(other).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A refresh token that somebody brought.
struct Seed {
    token: Secret,
    fingerprint: String,
}

impl Access {
    /// The scopes of these that it was not granted; none when the provider does not say what it granted.
    pub fn lacks(&self, needed: &[String]) -> Vec<String> {
        if self.granted.is_empty() {
            return Vec::new();
        }
        super::stored::missing(needed, &self.granted)
    }
}
