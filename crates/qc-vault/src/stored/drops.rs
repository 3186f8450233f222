//! Links at which somebody who has a value, and no right here, gives it: once, and without it being shown again.

use std::time::Duration;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_model::{Actor, Entropy, EnvironmentName, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, Document, DocumentOp, Expect, PAGE_MAX, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    SecretShown, Vault, VaultError,
    decide::{self, Deciding},
    documents::audit,
    vault::{Cadence, SetSecret},
};
use crate::{Secret, SecretRef, seal::hex};

/// The kind of the documents of links; their name is a hash of the code.
const DROP_KIND: &str = "secret-drop";
/// How long a link works at most.
pub const DROP_LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// The most links at a time.
const DROPS_MAX: usize = 1_000;
/// A value that is there already stays valid so long beside the one that is given.
const OVERLAP: Duration = Duration::from_secs(86_400);
/// How often a change is tried that others were faster with.
const TRIES: usize = 10;
/// Words of 64 bits in a code.
const CODE_WORDS: usize = 4;

/// A link, as it is stored: without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropLink {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id: half of a SHA-256 of its code, hex. The code has 256 random bits, so this says nothing of it.
    pub id: String,
    /// Where the value goes.
    pub environment: EnvironmentName,
    /// The secret's name.
    pub name: String,
    /// How often the secret is to be changed, in seconds; None: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom, as `kind:id`.
    pub created_by: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl DropLink {
    /// What stands in the form of whoever opened the link: it belongs to this code and to the browser that has the
    /// nonce as a cookie.
    pub fn form_of(code: &Secret, nonce: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, code.expose().as_bytes());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("quickconnect drop {nonce}").as_bytes()))
    }

    /// Whether a form came from that page.
    pub fn is_form_of(code: &Secret, nonce: &str, form: &str) -> bool {
        let own = Self::form_of(code, nonce);
        verify_slices_are_equal(own.as_bytes(), form.as_bytes()).is_ok()
    }
}

/// Random bytes for a link or a form, as text.
pub fn random_code<const WORDS: usize>(entropy: &dyn Entropy) -> Secret {
    let bytes: Vec<u8> = (0..WORDS).flat_map(|_| entropy.next_u64().to_le_bytes()).collect();
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

fn id_of(code: &Secret) -> String {
    let hash = digest::digest(&digest::SHA256, code.expose().as_bytes());
    hex(&hash.as_ref()[..16])
}

fn read(document: &Document) -> Result<DropLink, StoreError> {
    serde_json::from_slice(&document.body)
        .map_err(|error| StoreError::Corrupt(format!("the link {}: {error}", document.name)))
}

fn gone(link: &DropLink, revision: u64) -> DocumentOp {
    let (kind, name) = (DROP_KIND.to_owned(), link.id.clone());
    DocumentOp::Delete { kind, name, expect: Expect::Revision(revision) }
}

impl Vault {
    /// Makes a link; its code is given here and nowhere else.
    pub async fn make_drop(
        &self,
        (environment, name): (&EnvironmentName, &SecretRef),
        lifetime: Duration,
        rotate_every: Option<Duration>,
        actor: &Actor,
    ) -> Result<(DropLink, Secret), VaultError> {
        if self.ring.is_none() {
            return Err(VaultError::Off);
        }
        if lifetime.is_zero() || lifetime > DROP_LONGEST {
            return Err(VaultError::Unfit("a link works for at most 7 days".to_owned()));
        }
        let now = self.clock().now();
        let mut documents = Vec::new();
        let all = self.all_drops().await?;
        let (over, open): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(link, _)| link.expires_at <= now);
        if open.len() >= DROPS_MAX {
            let why = format!("there are {DROPS_MAX} links already; revoke some");
            return Err(VaultError::Unfit(why));
        }
        documents.extend(over.iter().take(50).map(|(link, revision)| gone(link, *revision)));
        let code = random_code::<CODE_WORDS>(self.entropy());
        let link = DropLink {
            schema_version: 1,
            id: id_of(&code),
            environment: environment.clone(),
            name: name.name().to_owned(),
            rotate_every: rotate_every.map(|every| every.as_secs()),
            created_at: now,
            created_by: actor.text(),
            expires_at: now + lifetime,
        };
        documents.push(DocumentOp::Put {
            kind: DROP_KIND.to_owned(),
            name: link.id.clone(),
            expect: Expect::Absent,
            body: serde_json::to_vec(&link).expect("only string keys").into(),
            at: now,
        });
        match self.tell_drop(documents, &link, "link made", actor).await? {
            ChangeOutcome::Changed => Ok((link, code)),
            ChangeOutcome::Conflict { .. } => Err(VaultError::Busy),
        }
    }

    /// The links that work, the oldest first.
    pub async fn drops(&self) -> Result<Vec<DropLink>, VaultError> {
        let now = self.clock().now();
        let all = self.all_drops().await?.into_iter().map(|(link, _)| link);
        let mut open: Vec<DropLink> = all.filter(|link| now < link.expires_at).collect();
        open.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(open)
    }

    /// The link of a code; None: it is unknown, was used, was revoked, or is over.
    pub async fn drop_of(&self, code: &Secret) -> Result<Option<DropLink>, VaultError> {
        Ok(self.live_drop(&id_of(code)).await?.map(|(link, _)| link))
    }

    /// The link with this id, when it works.
    pub async fn drop_by_id(&self, id: &str) -> Result<Option<DropLink>, VaultError> {
        Ok(self.live_drop(id).await?.map(|(link, _)| link))
    }

    /// Ends a link.
    pub async fn revoke_drop(&self, id: &str, actor: &Actor) -> Result<(), VaultError> {
        let found = self.live_drop(id).await?;
        let (link, revision) = found.ok_or_else(|| VaultError::Nothing(format!("link `{id}`")))?;
        let documents = vec![gone(&link, revision)];
        match self.tell_drop(documents, &link, "link revoked", actor).await? {
            ChangeOutcome::Changed => Ok(()),
            ChangeOutcome::Conflict { .. } => Err(VaultError::Nothing(format!("link `{id}`"))),
        }
    }

    /// Stores what somebody gave at a link. The link ends in the same transaction, so that of two who give a value at
    /// the same time one does; a value that is not taken leaves it as it is. A value that was there before stays valid
    /// for a day.
    pub async fn redeem_drop(
        &self,
        code: &Secret,
        value: &Secret,
        actor: &Actor,
    ) -> Result<SecretShown, VaultError> {
        let id = id_of(code);
        let nothing = || VaultError::Nothing("such link".to_owned());
        for _ in 0..TRIES {
            let (link, revision) = self.live_drop(&id).await?.ok_or_else(nothing)?;
            let name = SecretRef::parse(&format!("secret://{}", link.name));
            let name = name.map_err(|error| VaultError::Unfit(error.to_string()))?;
            self.ensure_key(&link.environment, actor).await?;
            let view = self.view();
            let asked = SetSecret {
                overlap: view.held(&link.environment, name.name()).map(|_| OVERLAP),
                environment: link.environment.clone(),
                name,
                value: value.clone(),
                cadence: link
                    .rotate_every
                    .map_or(Cadence::Keep, |every| Cadence::Every(Duration::from_secs(every))),
            };
            let now = self.clock().now();
            let deciding = Deciding { actor, now, entropy: self.entropy() };
            // With an overlap the present value is refused, and without there is none: it is always a change.
            let Some(mut change) = decide::set(&view, &asked, deciding)? else { continue };
            change.documents.push(gone(&link, revision));
            change.ledger.push(told(&link, "link used", actor, now));
            if self.committer().change(change).await? == ChangeOutcome::Changed {
                self.refresh().await?;
                let view = self.view();
                let held = view.held(&asked.environment, asked.name.name());
                return Ok(view.shown(&held.ok_or(VaultError::Busy)?.record, now));
            }
        }
        Err(VaultError::Busy)
    }

    async fn live_drop(&self, id: &str) -> Result<Option<(DropLink, u64)>, VaultError> {
        let Some(document) = self.store().document(DROP_KIND, id).await? else { return Ok(None) };
        let link = read(&document)?;
        let live = self.clock().now() < link.expires_at;
        Ok(live.then_some((link, document.revision)))
    }

    async fn all_drops(&self) -> Result<Vec<(DropLink, u64)>, VaultError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store().documents(DROP_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            for document in &page {
                all.push((read(document)?, document.revision));
            }
        }
    }

    async fn tell_drop(
        &self,
        documents: Vec<DocumentOp>,
        link: &DropLink,
        outcome: &str,
        actor: &Actor,
    ) -> Result<ChangeOutcome, VaultError> {
        let now = self.clock().now();
        let id = TxnId::new(now, self.entropy());
        let ledger = vec![told(link, outcome, actor, now)];
        Ok(self.committer().change(Change { id, documents, ledger, signals: vec![] }).await?)
    }
}

fn told(link: &DropLink, outcome: &str, actor: &Actor, now: Timestamp) -> qc_store::LedgerRow {
    let facts =
        json!({ "link": link.id, "made_by": link.created_by, "expires_at": link.expires_at });
    let subject = format!("secret://{}", link.name);
    audit(&subject, outcome, Some(&link.environment), facts, (actor, now))
}
