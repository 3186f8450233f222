use std::{sync::Arc, time::Duration};

use qc_model::{Caller, Clock, EnvironmentName};

use super::{
    KvPlace, KvShelf,
    read::{KvError, Version, ask, newest},
};
use crate::{EngineLogin, SecretRef, Secrets, engine_login::Session};

/// What a keeper is made of.
pub struct KvParts<'a> {
    /// Where secrets are.
    pub place: KvPlace,
    /// How a token is got.
    pub login: EngineLogin,
    /// How often a secret is read again.
    pub refresh: Duration,
    /// How long a value counts that cannot be read again.
    pub stale: Duration,
    /// The way out.
    pub caller: Arc<dyn Caller>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where secrets are looked up.
    pub secrets: &'a Secrets,
}

/// Reads secrets from a KV engine, those that are looked for, and again now and then.
pub struct KvKeeper {
    place: KvPlace,
    session: Session,
    refresh: Duration,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    shelf: Arc<KvShelf>,
}

impl KvKeeper {
    /// From its parts. From now on look-ups wait for what it reads.
    pub fn new(parts: KvParts<'_>) -> Self {
        let KvParts { place, login, refresh, stale, caller, clock, secrets } = parts;
        let shelf = secrets.kv();
        shelf.turn_on(place.to_string(), Arc::clone(&clock), stale);
        let address = place.address.clone();
        let session = Session::new(address, login, Arc::clone(&caller), Arc::clone(&clock));
        Self { place, session, refresh, caller, clock, shelf }
    }

    /// Has these read in the next round.
    pub fn want<'r>(
        &self,
        environment: &EnvironmentName,
        references: impl IntoIterator<Item = &'r SecretRef>,
    ) {
        let keys = references.into_iter().map(|one| (environment.clone(), one.name().to_owned()));
        self.shelf.want(keys);
    }

    /// Reads what is due. An engine that is away is asked once, not for every secret; then that is the error.
    pub async fn round(&self) -> Result<(), KvError> {
        let due = self.shelf.due(self.clock.now() - self.refresh);
        let mut away = None;
        for key in due {
            let said = match &away {
                None => self.value(&key.0, &key.1).await,
                Some(error) => Err(KvError::clone(error)),
            };
            if let Err(error) = &said
                && error.is_everywhere()
            {
                away = Some(error.clone());
            }
            self.shelf.put(&key, said, self.clock.now());
        }
        away.map_or(Ok(()), Err)
    }

    /// The newest version of a secret; None: there is none.
    async fn value(
        &self,
        environment: &EnvironmentName,
        name: &str,
    ) -> Result<Option<Version>, KvError> {
        let url = format!("{}/v1/{}", self.place.address, self.place.of(environment, name));
        let token = self.session.token().await?;
        let mut answer = ask(&self.caller, url.clone(), Some(&token), None).await;
        // The token may have been revoked before its end; a policy that forbids it says so twice.
        if matches!(answer, Err(KvError::Denied(_))) && self.session.forget(&token).await {
            let token = self.session.token().await?;
            answer = ask(&self.caller, url, Some(&token), None).await;
        }
        answer?.map(|answer| newest(&answer, &self.place.field)).transpose()
    }
}
