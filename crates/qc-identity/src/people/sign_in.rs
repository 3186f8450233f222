use std::{sync::Arc, time::Duration};

use qc_access::Role;
use qc_model::Actor;
use qc_store::{DocumentOp, Expect, StoreError};
use qc_vault::{Secret, Vault};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    provider::{Given, Provider},
    session::{Session, Tokens},
    sessions::Sessions,
};
use crate::{
    Ground, IdentityError, Place, expiring,
    text::{same, sha256_text},
};

/// How long a sign-in may take.
pub(crate) const SIGN_IN: Duration = Duration::from_secs(600);
/// The kind of the documents of those that were sent to the provider.
const SENT_KIND: &str = "sign-in";
/// The kind of the documents that say that a logout token was used.
const LOGOUT_KIND: &str = "used-logout";
/// How old a logout token may be, or how far in the future, in seconds.
const LOGOUT_AGE: i64 = 300;

/// How people sign in.
pub struct People {
    pub(super) ground: Ground,
    pub(super) vault: Arc<Vault>,
    place: Option<Place>,
    provider: Option<Arc<Provider>>,
    sessions: Sessions,
}

/// What somebody signs in for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// A session of the browser.
    Browser {
        /// The path to which it goes on.
        to: String,
    },
    /// A session of the command line that waits by this name, for nobody but this subject.
    Device {
        /// The name of its document.
        name: String,
        /// Who said that it is theirs.
        subject: String,
    },
}

/// Where a browser is sent, and the text of the cookie that it is to bring back.
#[derive(Debug)]
pub struct Redirect {
    /// The address, at the provider.
    pub url: String,
    /// The cookie's text.
    pub cookie: Secret,
}

/// What became of somebody who came back.
#[derive(Debug)]
pub enum Arrived {
    /// The browser has a session.
    Browser {
        /// The session's text.
        text: Secret,
        /// The path to which it goes on.
        to: String,
    },
    /// The command line gets its session when it asks next.
    Device,
}

/// Somebody who was sent to the provider.
#[derive(Serialize, Deserialize)]
struct Sent {
    schema_version: u32,
    nonce: String,
    verifier: String,
    /// The hash of the cookie's text: who comes back is the browser that left.
    cookie: String,
    /// The role that was asked for.
    role: Option<Role>,
    aim: Aim,
}

impl People {
    /// Without a provider nobody signs in.
    pub fn new(
        ground: Ground,
        place: Option<Place>,
        vault: Arc<Vault>,
        provider: Option<Arc<Provider>>,
    ) -> Self {
        let sessions = Sessions::new(ground.clone(), Arc::clone(&vault), provider.clone());
        Self { ground, vault, place, provider, sessions }
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Where the server is for the world, and the provider; an error when nobody can sign in.
    pub(super) fn set_up(&self) -> Result<(&Place, &Provider), IdentityError> {
        let provider = self.provider.as_deref().ok_or(IdentityError::NoProvider)?;
        Ok((self.place.as_ref().ok_or(IdentityError::NoPlace)?, provider))
    }

    /// Whether people sign in here.
    pub fn is_set_up(&self) -> bool {
        self.set_up().is_ok()
    }

    /// Sends a browser to the provider.
    pub async fn depart(&self, role: Option<Role>, aim: Aim) -> Result<Redirect, IdentityError> {
        let (place, provider) = self.set_up()?;
        let end = (self.ground.clock.now() + SIGN_IN).as_secs();
        let state = format!("{end:012}.{}", self.ground.random_text::<4>());
        let cookie = Secret::new(self.ground.random_text::<4>());
        let sent = Sent {
            schema_version: 1,
            nonce: self.ground.random_text::<4>(),
            verifier: self.ground.random_text::<6>(),
            cookie: sha256_text(cookie.expose()),
            role,
            aim,
        };
        let challenge = sha256_text(&sent.verifier);
        let asked = (state.as_str(), sent.nonce.as_str(), challenge.as_str());
        let url = provider.sign_in_url(&place.callback(), asked).await?;
        let name = expiring::name(end, &state);
        let put = self.ground.put((SENT_KIND, &name), Expect::Absent, &sent);
        self.ground.change(vec![put], Vec::new()).await?;
        Ok(Redirect { url, cookie })
    }

    /// Takes somebody who comes back from the provider, once. `issuer` is the parameter `iss` (RFC 9207), when there is
    /// one.
    pub async fn arrive(
        &self,
        state: &str,
        cookie: &str,
        code: Result<&str, &str>,
        issuer: Option<&str>,
    ) -> Result<Arrived, IdentityError> {
        let (place, provider) = self.set_up()?;
        let sent = self.take(state, cookie).await?;
        let refused = |why: String| IdentityError::SignIn(why);
        if !provider.sends(issuer).await? {
            return Err(refused("the answer is of another identity provider".to_owned()));
        }
        let code = code.map_err(|error| {
            let word = error.chars().take(80).filter(|c| c.is_ascii_alphanumeric() || *c == '_');
            refused(format!("the identity provider says no: {}", word.collect::<String>()))
        })?;
        let given = provider.exchange(code, &sent.verifier, &place.callback()).await?;
        let claims = Box::pin(self.claims(provider, &given, &sent.nonce)).await?;
        let asked_again = given.refresh.is_some() || provider.has_userinfo().await?;
        if !asked_again {
            let why = "the provider gives neither a refresh token nor user information: a session could not be ended there; ask for `offline_access` in `oidc_scopes`";
            return Err(IdentityError::Provider(why.to_owned()));
        }
        let roles = provider.settings.roles_of(&claims).unwrap_or_default();
        let role = match chosen(&roles, sent.role) {
            Ok(role) => role,
            Err((why, choice)) => {
                let to = match sent.aim {
                    Aim::Browser { to } => to,
                    Aim::Device { name, .. } => {
                        self.deny_device(&name).await?;
                        String::new()
                    }
                };
                let error = IdentityError::NoRole { why, choice, to };
                self.tell_refusal(&claims, &error).await?;
                return Err(error);
            }
        };
        let now = self.ground.clock.now();
        let session = Session::of(provider, &claims, (self.sessions.new_id(), role), now);
        let tokens = Tokens::of(&given);
        match sent.aim {
            Aim::Browser { to } => {
                let row = self.signed_in(&session);
                let (text, begin) = self.sessions.begin(session, Some(&tokens)).await?;
                self.ground.change(vec![begin], vec![row]).await?;
                Ok(Arrived::Browser { text, to })
            }
            Aim::Device { name, subject } if subject == session.subject => {
                let session = Session { device: true, ..session };
                self.give_device(&name, session, &tokens).await?;
                Ok(Arrived::Device)
            }
            Aim::Device { .. } => {
                let why = "somebody else signed in than said that the command line is theirs; begin again";
                Err(refused(why.to_owned()))
            }
        }
    }

    /// What the provider says of who came back: who it is, by the id token, with their groups.
    async fn claims(
        &self,
        provider: &Provider,
        given: &Given,
        nonce: &str,
    ) -> Result<Value, IdentityError> {
        let refused = |why: &str| IdentityError::SignIn(why.to_owned());
        let text = given.id.as_deref();
        let text = text.ok_or_else(|| refused("the provider gave no id token"))?;
        let mut claims = provider.id_claims(text, Some(nonce)).await?;
        if provider.settings.roles_of(&claims).is_none() && provider.has_userinfo().await? {
            let told = provider.userinfo(&Secret::new(given.access.clone())).await?;
            // User information that speaks of somebody else must not be used (OpenID Connect Core, section 5.3.2).
            if told["sub"] != claims["sub"] {
                return Err(refused("the provider speaks of two people"));
            }
            // What is signed stands.
            for (name, value) in told.as_object().into_iter().flatten() {
                claims[name.as_str()] = match claims.get(name) {
                    Some(signed) => signed.clone(),
                    None => value.clone(),
                };
            }
        }
        Ok(claims)
    }

    /// The row of a session that begins.
    pub(super) fn signed_in(&self, session: &Session) -> qc_store::LedgerRow {
        let subject = format!("session {}", session.id);
        let facts = json!({
            "name": session.name, "person": session.person, "role": session.role,
            "subject": session.subject, "device": session.device,
        });
        self.ground.audit(&session.actor(), (&subject, "signed in"), None, facts)
    }

    async fn tell_refusal(&self, claims: &Value, error: &IdentityError) -> Result<(), StoreError> {
        let facts = json!({ "subject": claims["sub"], "why": error.to_string() });
        let actor = Actor::platform("identity");
        let mut row = self.ground.audit(&actor, ("sign-in", "refused"), None, facts);
        row.code = error.code().map(|code| code.to_string());
        self.ground.change(Vec::new(), vec![row]).await.map(drop)
    }

    /// Takes what was written down of somebody who was sent, and removes it: it counts once, and only for the browser
    /// with the cookie.
    async fn take(&self, state: &str, cookie: &str) -> Result<Sent, IdentityError> {
        let late = || {
            IdentityError::SignIn("it took too long, or was used already; begin again".to_owned())
        };
        let end = expiring::end_of(state).ok_or_else(late)?;
        if end <= self.ground.clock.now().as_secs() {
            return Err(late());
        }
        let name = expiring::name(end, state);
        let (sent, revision) =
            self.ground.read::<Sent>(SENT_KIND, &name).await?.ok_or_else(late)?;
        if !same(&sent.cookie, &sha256_text(cookie)) {
            let why = "this is not the browser in which it was begun; begin again in this one";
            return Err(IdentityError::SignIn(why.to_owned()));
        }
        let expect = Expect::Revision(revision);
        let delete = DocumentOp::Delete { kind: SENT_KIND.to_owned(), name, expect };
        if self.ground.change(vec![delete], Vec::new()).await? { Ok(sent) } else { Err(late()) }
    }

    /// Ends the session with this text. Gives where the browser signs out at the provider, too, when there was a session
    /// and the provider has such a place (OpenID Connect RP-Initiated Logout).
    pub async fn log_out(&self, text: &str) -> Result<Option<String>, IdentityError> {
        let Some((_, hint)) = self.sessions.log_out(text).await? else { return Ok(None) };
        let Ok((place, provider)) = self.set_up() else { return Ok(None) };
        Ok(provider.sign_out_url(hint.as_ref(), &place.signed_out()).await)
    }

    /// Ends what the provider says is over (OpenID Connect Back-Channel Logout 1.0); gives how many sessions that were.
    pub async fn back_channel(&self, token: &str) -> Result<usize, IdentityError> {
        const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
        let (_, provider) = self.set_up()?;
        let refused = |why: &str| IdentityError::SignIn(format!("the logout token: {why}"));
        let claims = provider.signed(token).await?;
        let now = self.ground.clock.now().as_secs();
        let (iat, exp) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        let young = iat.is_some_and(|iat| (now - iat).abs() <= LOGOUT_AGE);
        if !young || exp.is_some_and(|exp| exp <= now) {
            return Err(refused("it is not of now"));
        }
        // An id token is none: it says that somebody came.
        if !claims["events"][EVENT].is_object() || !claims["nonce"].is_null() {
            return Err(refused("it is none"));
        }
        let (subject, sid) = (claims["sub"].as_str(), claims["sid"].as_str());
        if subject.is_none() && sid.is_none() {
            return Err(refused("it does not say whose session is over"));
        }
        let jti = claims["jti"].as_str().ok_or_else(|| refused("it has no `jti`"))?;
        let name = expiring::name(iat.unwrap_or(now) + 2 * LOGOUT_AGE, jti);
        let used = json!({ "schema_version": 1 });
        let put = self.ground.put((LOGOUT_KIND, &name), Expect::Absent, &used);
        if !self.ground.change(vec![put], Vec::new()).await? {
            return Err(refused("it was used before"));
        }
        let over = |session: &Session| {
            let of = subject.is_none_or(|subject| session.subject == subject);
            // Which of the subject's it was is not known of a session without a `sid`.
            of && match (sid, &session.sid) {
                (Some(sid), Some(own)) => own == sid,
                (Some(_), None) => subject.is_some(),
                (None, _) => true,
            }
        };
        let actor = Actor::platform("identity");
        Ok(self.sessions.end_all(over, "ended by the provider", &actor).await?.len())
    }

    /// Ends all sessions of somebody, by their person, name, subject, or the id of one; gives them. Those for which a
    /// command line still asks are among them.
    pub async fn revoke(&self, user: &str, actor: &Actor) -> Result<Vec<Session>, StoreError> {
        self.sessions.end_all(|session| session.is_of(user), "revoked", actor).await
    }

    /// Removes what is over.
    pub async fn tend(&self) -> Result<(), StoreError> {
        let now = self.ground.clock.now();
        for kind in [SENT_KIND, LOGOUT_KIND] {
            expiring::remove(&self.ground, kind, now).await?;
        }
        self.tend_devices(now).await?;
        self.sessions.tend().await
    }
}

/// The one role in which the session acts: the one that was asked for, or the only one that there is.
fn chosen(roles: &[Role], asked: Option<Role>) -> Result<Role, (String, Vec<Role>)> {
    let names = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    let refused = |why: String| Err((why, roles.to_vec()));
    match (asked, roles) {
        (_, []) => refused("none of your groups gives a role here".to_owned()),
        (Some(role), _) if roles.contains(&role) => Ok(role),
        (Some(role), _) => refused(format!(
            "your groups do not give the role {}; they give {names}",
            role.as_str()
        )),
        (None, [role]) => Ok(*role),
        (None, _) => {
            refused(format!("your groups give several roles ({names}); act in one at a time"))
        }
    }
}
