use std::{sync::Arc, time::Duration};

use qc_access::{AuthenticationError, Principal, TokenKind};
use qc_model::{Actor, Timestamp};
use qc_store::{DocumentOp, Expect, PAGE_MAX, StoreError};
use qc_vault::{SealedValues, Secret, Vault, VaultError};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    provider::{NotGiven, Provider},
    session::{ACCESS, ID, REFRESH, Session, Tokens, open},
};
use crate::{
    Ground,
    ground::body,
    revocations::TRIES,
    text::{base64url, sha256_text},
};

/// The kind of the documents that hold sessions; their name is the hash of the session's text.
pub(crate) const SESSION_KIND: &str = "session";
/// What the text of a session begins with.
pub(crate) const PREFIX: &str = "qcs_";
/// How often its use is written down.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// After this time the provider is asked again, and
const CHECK_AFTER: Duration = Duration::from_secs(40);
/// after this one the session does not count until it has answered: who is removed there is out here within a minute.
const CHECKED_WITHIN: Duration = Duration::from_secs(60);
/// How long the node that asks may take, before another one may ask.
const CLAIM: Duration = Duration::from_secs(35);
/// Sessions whose checks wait for each other on a node are a few by chance; each has one at a time.
const STRIPES: usize = 32;

/// The sessions of people.
pub struct Sessions {
    ground: Ground,
    vault: Arc<Vault>,
    provider: Option<Arc<Provider>>,
    checking: Vec<Mutex<()>>,
}

impl Sessions {
    /// Sessions of people who sign in at this provider.
    pub(super) fn new(ground: Ground, vault: Arc<Vault>, provider: Option<Arc<Provider>>) -> Self {
        let checking = (0..STRIPES).map(|_| Mutex::new(())).collect();
        Self { ground, vault, provider, checking }
    }

    /// Whether a text claims to be a session.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The text of a new session, and the write that begins it, with what the provider gave.
    pub(super) async fn begin(
        &self,
        mut session: Session,
        tokens: Option<&Tokens>,
    ) -> Result<(Secret, DocumentOp), VaultError> {
        let text = format!("{PREFIX}{}", self.ground.random_text::<4>());
        let name = sha256_text(&text);
        if let Some(tokens) = tokens {
            session.sealed = tokens.seal(&self.vault, SESSION_KIND, &name, 1).await?;
        }
        let put = self.ground.put((SESSION_KIND, &name), Expect::Absent, &session);
        Ok((Secret::new(text), put))
    }

    /// Who acts by this session. Every use looks at the store, so that its end counts at once on every node.
    pub async fn authenticate(&self, text: &str) -> Result<Arc<Principal>, AuthenticationError> {
        self.find(text).await.map(|session| Arc::new(session.principal()))
    }

    /// The session with this text, when it holds.
    pub async fn find(&self, text: &str) -> Result<Session, AuthenticationError> {
        let name = sha256_text(text);
        let now = self.ground.clock.now();
        let found = self.ground.read::<Session>(SESSION_KIND, &name).await?;
        let (mut session, revision) = found.ok_or(AuthenticationError::Unknown)?;
        let end = session.ends();
        if end <= now {
            self.end(&name, &session, "expired", &session.actor()).await?;
            return Err(AuthenticationError::Expired(end));
        }
        if session.kind == TokenKind::Session && now >= session.checked_at + CHECK_AFTER {
            return self.checked(&name, now).await;
        }
        if now >= session.seen_at + SEEN_EVERY {
            session.seen_at = now;
            let put = self.ground.put((SESSION_KIND, &name), Expect::Revision(revision), &session);
            // Another use was faster, or it ended: the next one sees that.
            self.ground.change(vec![put], Vec::new()).await?;
        }
        Ok(session)
    }

    /// The session after the provider was asked, by one at a time on all nodes: a refresh token counts once.
    async fn checked(&self, name: &str, now: Timestamp) -> Result<Session, AuthenticationError> {
        let stripe = usize::from(name.as_bytes()[0]) % STRIPES;
        let _one_at_a_time = self.checking[stripe].lock().await;
        let found = self.ground.read::<Session>(SESSION_KIND, name).await?;
        let (mut session, revision) = found.ok_or(AuthenticationError::Unknown)?;
        if now < session.checked_at + CHECK_AFTER {
            return Ok(session);
        }
        let young = now < session.checked_at + CHECKED_WITHIN;
        let later = |session: Session, why: String| {
            if young { Ok(session) } else { Err(StoreError::Unavailable(why).into()) }
        };
        let elsewhere = || "another node asks the identity provider about it".to_owned();
        if session.asking_until.is_some_and(|until| now < until) {
            return later(session, elsewhere());
        }
        session.asking_until = Some(now + CLAIM);
        let put = self.ground.put((SESSION_KIND, name), Expect::Revision(revision), &session);
        if !self.ground.change(vec![put], Vec::new()).await? {
            return later(session, elsewhere());
        }
        let (sealed, verdict) = Box::pin(self.ask(name, &session)).await;
        match verdict {
            Ok(()) => self.settle(name, Some(now), sealed).await,
            Err(NotGiven::Refused(why)) => {
                tracing::info!(session = %session.id, why, "a session ended at the provider");
                self.end(name, &session, "ended by the provider", &Actor::platform("identity"))
                    .await?;
                Err(AuthenticationError::Refused(
                    "the session ended: the identity provider does not confirm it any more",
                ))
            }
            Err(NotGiven::Unavailable(why)) => {
                tracing::warn!(session = %session.id, why, "the identity provider cannot be asked");
                later(self.settle(name, None, sealed).await?, why)
            }
        }
    }

    /// Writes down what came of asking. What others wrote meanwhile, of its use or by sealing it anew, is kept.
    async fn settle(
        &self,
        name: &str,
        checked_at: Option<Timestamp>,
        sealed: SealedValues,
    ) -> Result<Session, AuthenticationError> {
        for _ in 0..TRIES {
            let found = self.ground.read::<Session>(SESSION_KIND, name).await?;
            // It ended meanwhile, and does not come back.
            let (mut session, revision) = found.ok_or(AuthenticationError::Unknown)?;
            session.asking_until = None;
            if let Some(now) = checked_at {
                (session.checked_at, session.seen_at) = (now, session.seen_at.max(now));
            }
            session.sealed.extend(sealed.clone());
            let put = self.ground.put((SESSION_KIND, name), Expect::Revision(revision), &session);
            if self.ground.change(vec![put], Vec::new()).await? {
                return Ok(session);
            }
        }
        Err(busy().into())
    }

    /// Whether the provider still knows the person, in a group that gives the session's role; and, whatever it says of
    /// that, by what it is asked next, sealed.
    async fn ask(&self, name: &str, session: &Session) -> (SealedValues, Result<(), NotGiven>) {
        let mut sealed = SealedValues::new();
        let verdict = match &self.provider {
            Some(provider) => {
                let told = Box::pin(self.told(provider, name, session, &mut sealed)).await;
                told.and_then(|claims| judge(provider, session, &claims))
            }
            None => Err(NotGiven::Refused("nobody signs in here any more".to_owned())),
        };
        (sealed, verdict)
    }

    /// What the provider says of the person now.
    async fn told(
        &self,
        provider: &Provider,
        name: &str,
        session: &Session,
        sealed: &mut SealedValues,
    ) -> Result<Value, NotGiven> {
        let Some(token) = self.opened(name, session, REFRESH).await? else {
            let token = self.opened(name, session, ACCESS).await?;
            let gone = || NotGiven::Refused("there is nothing to ask by".to_owned());
            return provider.userinfo(&token.ok_or_else(gone)?).await;
        };
        let mut given = provider.refresh(&token).await?;
        let id_token = given.id.take();
        // Before anything else can fail, as the one before counts no more. One that the answer leaves out counts on
        // (RFC 6749, section 6).
        if given.refresh.is_some() {
            let version = session.sealed.get(REFRESH).map_or(1, |old| old.version + 1);
            *sealed = Tokens::of(&given)
                .seal(&self.vault, SESSION_KIND, name, version)
                .await
                .map_err(|error| NotGiven::Unavailable(error.to_string()))?;
        }
        if let Some(text) = id_token {
            let claims = provider.id_claims(&text, None).await?;
            // Groups may stand in one place or in the other.
            if provider.settings.roles_of(&claims).is_some() {
                return Ok(claims);
            }
            if claims["sub"].as_str() != Some(&session.subject) {
                return Ok(claims);
            }
        }
        provider.userinfo(&Secret::new(given.access)).await
    }

    async fn opened(
        &self,
        name: &str,
        session: &Session,
        slot: &str,
    ) -> Result<Option<Secret>, NotGiven> {
        open(&self.vault, (SESSION_KIND, name), &session.sealed, slot)
            .await
            .map_err(|error| NotGiven::Unavailable(error.to_string()))
    }

    /// Ends the session with this text; the id token by which the provider knows the sign-in. None: there was none.
    pub(super) async fn log_out(
        &self,
        text: &str,
    ) -> Result<Option<(Session, Option<Secret>)>, StoreError> {
        let name = sha256_text(text);
        let found = self.ground.read::<Session>(SESSION_KIND, &name).await?;
        let Some((session, _)) = found else { return Ok(None) };
        // Without it the provider may ask; the session here ends all the same.
        let hint = self.opened(&name, &session, ID).await.unwrap_or_default();
        self.end(&name, &session, "logged out", &session.actor()).await?;
        Ok(Some((session, hint)))
    }

    /// Ends the sessions of which this is true; gives them.
    pub(super) async fn end_all(
        &self,
        which: impl Fn(&Session) -> bool,
        outcome: &str,
        actor: &Actor,
    ) -> Result<Vec<Session>, StoreError> {
        let mut ended = Vec::new();
        for (name, session) in self.all().await? {
            if which(&session) && self.end(&name, &session, outcome, actor).await? {
                ended.push(session);
            }
        }
        Ok(ended)
    }

    /// All sessions that hold.
    pub async fn list(&self) -> Result<Vec<Session>, StoreError> {
        let now = self.ground.clock.now();
        let all = self.all().await?.into_iter().map(|(_, session)| session);
        Ok(all.filter(|one| now < one.ends()).collect())
    }

    async fn all(&self) -> Result<Vec<(String, Session)>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page =
                self.ground.store.documents(SESSION_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            for document in &page {
                all.push((document.name.clone(), body(document)?));
            }
        }
    }

    /// Whether it was there, and is not any more.
    async fn end(
        &self,
        name: &str,
        session: &Session,
        outcome: &str,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let found = self.ground.read::<Session>(SESSION_KIND, name).await?;
            let Some((_, revision)) = found else { return Ok(false) };
            let delete = DocumentOp::Delete {
                kind: SESSION_KIND.to_owned(),
                name: name.to_owned(),
                expect: Expect::Revision(revision),
            };
            let subject = format!("session {}", session.id);
            let facts = json!({
                "name": session.name, "person": session.person, "role": session.role,
                "subject": session.subject,
            });
            let row = self.ground.audit(actor, (&subject, outcome), None, facts);
            if self.ground.change(vec![delete], vec![row]).await? {
                return Ok(true);
            }
        }
        Err(busy())
    }

    /// Removes sessions whose time is over.
    pub(super) async fn tend(&self) -> Result<(), StoreError> {
        let now = self.ground.clock.now();
        self.end_all(|one| one.ends() <= now, "expired", &Actor::platform("identity"))
            .await
            .map(drop)
    }

    /// A new session id.
    pub(super) fn new_id(&self) -> String {
        let bytes = self.ground.entropy.next_u64().to_le_bytes();
        format!("s-{}", base64url(&bytes))
    }
}

/// Whether these claims are of the session's person, in a group that gives its role.
fn judge(provider: &Provider, session: &Session, claims: &Value) -> Result<(), NotGiven> {
    let gone = |why: &str| Err(NotGiven::Refused(why.to_owned()));
    if claims["sub"].as_str() != Some(session.subject.as_str()) {
        return gone("the provider speaks of somebody else");
    }
    if !provider.settings.roles_of(claims).unwrap_or_default().contains(&session.role) {
        return gone("no group of the person gives the role any more");
    }
    Ok(())
}

fn busy() -> StoreError {
    StoreError::Unavailable("others change the session all the time; try again".to_owned())
}
