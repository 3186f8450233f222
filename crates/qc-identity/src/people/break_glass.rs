use std::time::Duration;

use qc_access::{Role, TokenKind};
use qc_model::{Actor, Finding, Timestamp};
use qc_store::Expect;
use qc_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{People, Session};
use crate::{
    IdentityError, codes,
    revocations::TRIES,
    text::{same, sha256_text},
};

/// Where the account is: there is one.
const KIND: &str = "break-glass";
const NAME: &str = "account";
/// What the text of its credential begins with.
const PREFIX: &str = "qcb_";
/// How long its session lives.
const LIFETIME: Duration = Duration::from_secs(3600);
/// What people call whoever uses it.
const CALLED: &str = "break-glass";
/// The longest reason, in bytes.
const REASON: usize = 500;

/// The account for when nobody can sign in.
#[derive(Serialize, Deserialize)]
struct Account {
    schema_version: u32,
    /// The hash of the credential.
    digest: String,
    sealed_at: Timestamp,
    sealed_by: String,
    /// When it was opened; since then the credential is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened_at: Option<Timestamp>,
}

impl People {
    /// Seals the account anew: the credential, which is shown once and opens it once. An earlier one counts no more.
    pub async fn seal_break_glass(&self, actor: &Actor) -> Result<Secret, IdentityError> {
        for _ in 0..TRIES {
            let found = self.ground.read::<Account>(KIND, NAME).await?;
            let expect = found.map_or(Expect::Absent, |(_, revision)| Expect::Revision(revision));
            let text = format!("{PREFIX}{}", self.ground.random_text::<4>());
            let account = Account {
                schema_version: 1,
                digest: sha256_text(&text),
                sealed_at: self.ground.clock.now(),
                sealed_by: actor.text(),
                opened_at: None,
            };
            let put = self.ground.put((KIND, NAME), expect, &account);
            let row = self.ground.audit(actor, ("break-glass account", "sealed"), None, json!({}));
            if self.ground.change(vec![put], vec![row]).await? {
                return Ok(Secret::new(text));
            }
        }
        Err(IdentityError::Busy)
    }

    /// What is to be done about the account: it was opened, or people sign in here and it was never sealed.
    pub async fn findings(&self) -> Result<Vec<Finding>, IdentityError> {
        let found = self.ground.read::<Account>(KIND, NAME).await?;
        let finding = match found.map(|(account, _)| account.opened_at) {
            Some(Some(at)) => Finding::error(
                codes::BREAK_GLASS,
                format!("the break-glass account was opened at {at}, and its credential is spent"),
            ),
            None if self.is_set_up() => {
                let why = "people sign in here, and the break-glass account is not sealed: while the identity provider is away, nobody new gets in";
                Finding::warning(codes::BREAK_GLASS, why)
            }
            None | Some(None) => return Ok(Vec::new()),
        };
        Ok(vec![finding.help("qc access break-glass seal, and keep what it prints in a safe")])
    }

    /// Opens the account, for when nobody can sign in: a session of an hour as an administrator. The credential is spent
    /// by that, in the transaction that begins the session and tells the audit; the log says it as an error, so that
    /// whoever watches it hears of it.
    pub async fn open_break_glass(
        &self,
        credential: &str,
        reason: &str,
        from: Option<String>,
    ) -> Result<(Secret, Duration), IdentityError> {
        if reason.trim().is_empty() || reason.len() > REASON {
            return Err(IdentityError::Unfit(format!("`reason` says why, in 1 to {REASON} bytes")));
        }
        let found = self.ground.read::<Account>(KIND, NAME).await?;
        let (mut account, revision) = found.ok_or(IdentityError::NoCode)?;
        let right = same(&account.digest, &sha256_text(credential));
        if !right || account.opened_at.is_some() {
            return Err(IdentityError::NoCode);
        }
        let now = self.ground.clock.now();
        account.opened_at = Some(now);
        let called = (CALLED.to_owned(), CALLED.to_owned());
        let id = self.sessions().new_id();
        let session = Session::plain(id, TokenKind::BreakGlass, called, Role::Admin, now);
        let session = Session { ends_at: now + LIFETIME, device: true, ..session };
        let facts = json!({
            "session": session.id, "reason": reason, "address": from,
            "sealed_at": account.sealed_at, "sealed_by": account.sealed_by,
        });
        let said = ("break-glass account", "opened");
        let mut row = self.ground.audit(&session.actor(), said, None, facts);
        row.code = Some(codes::BREAK_GLASS.to_string());
        let id = session.id.clone();
        let (text, begin) = self.sessions().begin(session, None).await?;
        let spend = self.ground.put((KIND, NAME), Expect::Revision(revision), &account);
        if !self.ground.change(vec![spend, begin], vec![row]).await? {
            return Err(IdentityError::NoCode);
        }
        tracing::error!(
            code = %codes::BREAK_GLASS, session = %id, reason, address = ?from,
            "the break-glass account was opened; when it is over, seal it anew: qc access break-glass seal"
        );
        Ok((text, LIFETIME))
    }
}
