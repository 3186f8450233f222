use std::time::Duration;

use qc_model::{Actor, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow};
use qc_vault::Secret;
use serde_json::json;

use crate::{Role, Scope, TOKEN_KIND, TokenKind, TokenRecord, mint, record::hex};

/// What a new token shall be.
#[derive(Debug, Clone)]
pub struct IssueRequest {
    /// What people call it.
    pub name: String,
    /// A key, or the key of the machine's owner.
    pub kind: TokenKind,
    /// The person to whom it belongs, by the id of the owner directory; None: a service.
    pub person: Option<Name>,
    /// The only environment in which it may act; None for all.
    pub environment: Option<EnvironmentName>,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    pub scopes: Option<Vec<Scope>>,
    /// How long it holds; None for ever.
    pub lifetime: Option<Duration>,
    /// The team or person who answers for it.
    pub owner: String,
    /// What it is for, in words.
    pub purpose: String,
}

/// A new token that counts as soon as its change is committed.
#[derive(Debug)]
pub struct Issued {
    /// Its text, shown once.
    pub text: Secret,
    /// What is stored of it.
    pub record: TokenRecord,
    /// The change to commit: the record with its audit row.
    pub change: Change,
}

/// Makes a token.
pub fn issue(
    request: IssueRequest,
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Issued {
    let minted = mint(request.environment.as_ref(), entropy);
    let record = TokenRecord {
        schema_version: 1,
        id: minted.id.to_string(),
        name: request.name,
        kind: request.kind,
        person: request.person,
        environment: request.environment,
        role: request.role,
        scopes: request.scopes,
        digest: hex(&minted.digest),
        created_at: now,
        created_by: actor.text(),
        expires_at: request.lifetime.map(|lifetime| now + lifetime),
        owner: Some(request.owner),
        purpose: Some(request.purpose),
        version: 1,
        previous: None,
        rotated_at: None,
    };
    let change = change(&record, (Expect::Absent, "issued"), actor, now, entropy);
    Issued { text: minted.text, record, change }
}

/// The change that keeps a record, with its audit row.
pub(crate) fn change(
    record: &TokenRecord,
    (expect, outcome): (Expect, &str),
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Change {
    let put = DocumentOp::Put {
        kind: TOKEN_KIND.to_owned(),
        name: record.id.clone(),
        expect,
        body: serde_json::to_vec(record).expect("a record has only string keys").into(),
        at: now,
    };
    Change {
        id: TxnId::new(now, entropy),
        documents: vec![put],
        ledger: vec![audit(record, outcome, actor, now)],
        signals: vec![],
    }
}

/// Gives a token another owner. `revision` is that of its document, compared and set.
pub fn reassign(
    (record, revision): (&TokenRecord, u64),
    owner: &str,
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Change {
    let record = TokenRecord { owner: Some(owner.to_owned()), ..record.clone() };
    change(&record, (Expect::Revision(revision), "reassigned"), actor, now, entropy)
}

/// Ends a token and leaves its record, which says whose it was.
pub fn disable(
    (record, revision): (&TokenRecord, u64),
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Change {
    let record = TokenRecord { expires_at: Some(now), previous: None, ..record.clone() };
    change(&record, (Expect::Revision(revision), "disabled"), actor, now, entropy)
}

/// Ends a token at once; its record goes, the audit row stays.
pub fn revoke(
    record: &TokenRecord,
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Change {
    let delete = DocumentOp::Delete {
        kind: TOKEN_KIND.to_owned(),
        name: record.id.clone(),
        expect: Expect::Any,
    };
    Change {
        id: TxnId::new(now, entropy),
        documents: vec![delete],
        ledger: vec![audit(record, "revoked", actor, now)],
        signals: vec![],
    }
}

fn audit(record: &TokenRecord, outcome: &str, actor: &Actor, now: Timestamp) -> LedgerRow {
    let facts = json!({
        "name": record.name, "person": record.person, "role": record.role, "scopes": record.scopes, "expires_at": record.expires_at,
        "owner": record.owner, "version": record.version,
        "previous_ends_at": record.previous.as_ref().map(|earlier| earlier.ends_at),
    });
    LedgerRow {
        at: now,
        kind: LedgerKind::Audit,
        tenant: TenantName::new("default").expect("a legal name"),
        environment: record.environment.clone(),
        integration: None,
        run: None,
        event: None,
        actor: actor.text(),
        subject: format!("token {}", record.id),
        outcome: outcome.to_owned(),
        code: None,
        facts: actor.with_origin(facts).to_string().into_bytes().into(),
    }
}
