use std::{collections::BTreeMap, time::Duration};

use qc_access::{Principal, Role, TokenKind};
use qc_model::{Actor, ActorKind, EnvironmentName, Name, Timestamp};
use qc_vault::{Guest, SealedValues, Secret, Vault, VaultError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provider::{Given, Provider};

/// The longest that a session lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(8 * 3600);
/// How long it lives unused.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);
/// The longest name that is taken over from the provider, in characters.
const NAME: usize = 100;

/// A session as it is stored. What the provider gave stands sealed beside what is plain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id, for lists and the audit; opens nothing.
    pub id: String,
    /// By what it came to be.
    pub kind: TokenKind,
    /// Who it is, by the provider.
    pub subject: String,
    /// The provider's id of the sign-in, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    /// What people call them: their mail address, when the provider has proven it, else the subject.
    pub name: String,
    /// Who it is, in the owner directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// The one role in which it acts.
    pub role: Role,
    /// Whether a command line has it, not a browser.
    pub device: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends, whatever happens.
    pub ends_at: Timestamp,
    /// When it was last used, within a minute.
    pub seen_at: Timestamp,
    /// When the provider last said that it may go on.
    pub(super) checked_at: Timestamp,
    /// Until when a node asks the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) asking_until: Option<Timestamp>,
    /// What belongs to no environment; the vault asks for it, to seal anew.
    pub(super) environment: EnvironmentName,
    /// What the provider gave: [`REFRESH`] or [`ACCESS`], and [`ID`].
    pub(super) sealed: SealedValues,
}

/// The names of what is sealed.
pub(super) const REFRESH: &str = "refresh_token";
pub(super) const ACCESS: &str = "access_token";
pub(super) const ID: &str = "id_token";

impl Session {
    /// Of somebody whom the provider describes by these claims; nothing is sealed yet.
    pub(super) fn of(
        provider: &Provider,
        claims: &Value,
        (id, role): (String, Role),
        now: Timestamp,
    ) -> Self {
        let text = |name: &str| claims[name].as_str().filter(|text| !text.trim().is_empty());
        let subject = text("sub").unwrap_or_default().to_owned();
        // A name that the provider has not proven may be anybody's.
        let proven = claims["email_verified"].as_bool() == Some(true);
        let name = text("email").filter(|_| proven).unwrap_or(&subject);
        let name = name.chars().filter(|c| !c.is_control()).take(NAME).collect();
        let person = provider.settings.person_of(claims);
        let session = Self::plain(id, TokenKind::Session, (subject, name), role, now);
        Self { sid: text("sid").map(str::to_owned), person, ..session }
    }

    /// One without a provider behind it.
    pub(super) fn plain(
        id: String,
        kind: TokenKind,
        (subject, name): (String, String),
        role: Role,
        now: Timestamp,
    ) -> Self {
        Self {
            schema_version: 1,
            id,
            kind,
            subject,
            sid: None,
            name,
            person: None,
            role,
            device: false,
            created_at: now,
            ends_at: now + LIFETIME,
            seen_at: now,
            checked_at: now,
            asking_until: None,
            environment: platform(),
            sealed: SealedValues::new(),
        }
    }

    pub(super) fn principal(&self) -> Principal {
        Principal {
            id: self.id.clone(),
            kind: self.kind,
            name: self.name.clone(),
            person: self.person.clone(),
            owner: None,
            environment: None,
            role: self.role,
            scopes: None,
        }
    }

    /// As the actor of what happens to the session.
    pub(crate) fn actor(&self) -> Actor {
        let id = self.person.as_ref().map_or_else(|| self.name.clone(), ToString::to_string);
        Actor::new(ActorKind::Human, id)
    }

    /// When it ends if it is not used any more.
    pub fn ends(&self) -> Timestamp {
        self.ends_at.min(self.seen_at + IDLE)
    }

    /// Whether it belongs to somebody who is called so.
    pub(super) fn is_of(&self, user: &str) -> bool {
        [&self.subject, &self.name, &self.id].iter().any(|own| *own == user)
            || self.person.as_ref().is_some_and(|person| person.as_str() == user)
    }
}

/// What the provider gave for a session, in the clear.
pub(super) struct Tokens(BTreeMap<&'static str, Secret>);

impl Tokens {
    /// What is kept of what was given: by what the provider is asked again, and what it wants to hear when the person
    /// signs out.
    pub(super) fn of(given: &Given) -> Self {
        let asked_by = match &given.refresh {
            Some(token) => (REFRESH, Secret::new(token.clone())),
            None => (ACCESS, Secret::new(given.access.clone())),
        };
        let id = given.id.as_ref().map(|token| (ID, Secret::new(token.clone())));
        Self([asked_by].into_iter().chain(id).collect())
    }

    /// Seals them for the document of this name.
    pub(super) async fn seal(
        &self,
        vault: &Vault,
        kind: &'static str,
        name: &str,
        version: u64,
    ) -> Result<SealedValues, VaultError> {
        let (environment, actor) = (platform(), Actor::platform("identity"));
        let guest = Guest { environment: &environment, kind, name };
        let mut sealed = SealedValues::new();
        for (slot, value) in &self.0 {
            let value = vault.seal(guest, (slot, version), value, &actor).await?;
            sealed.insert((*slot).to_owned(), value);
        }
        Ok(sealed)
    }
}

/// Opens one of the values of the document of this name; None: there is no such value.
pub(super) async fn open(
    vault: &Vault,
    (kind, name): (&'static str, &str),
    sealed: &SealedValues,
    slot: &str,
) -> Result<Option<Secret>, VaultError> {
    let Some(value) = sealed.get(slot) else { return Ok(None) };
    let environment = platform();
    let guest = Guest { environment: &environment, kind, name };
    match vault.open(guest, slot, value) {
        // Another node may just have made the key.
        Err(_) => {
            vault.refresh().await?;
            vault.open(guest, slot, value).map(Some)
        }
        opened => opened.map(Some),
    }
}

/// What belongs to no environment.
pub(super) fn platform() -> EnvironmentName {
    qc_access::PLATFORM.parse().expect("a legal name")
}
