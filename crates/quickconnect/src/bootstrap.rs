//! The first token: made when a store has none, so that nobody needs a default password.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use qc_access::{IssueRequest, Issued, Role, TOKEN_KIND, TokenKind, issue};
use qc_model::Actor;
use qc_store::{ChangeOutcome, DocumentOp, Expect, StoreError};
use qc_vault::Secret;

use crate::{
    cli::Trouble,
    context::{self, Addresses},
    wiring::{Platform, store_trouble},
};

/// What was made, and where it was written.
pub(crate) struct Bootstrapped {
    pub(crate) file: PathBuf,
}

/// Makes the first token and writes it, with the server's address, to the context file. When that file is already there
/// for another server it stays as it is, and `<data directory>/context.json` is written.
pub(crate) async fn first_token(
    platform: &Platform,
    at: &Addresses,
    usual: Option<&Path>,
    data_dir: &Path,
) -> Result<Option<Bootstrapped>, Trouble> {
    let any = platform.store.documents(TOKEN_KIND, None, 1).await;
    if !any.map_err(|error| store_trouble(&error))?.is_empty() {
        return Ok(None);
    }
    let Some(token) = only_once(platform).await? else { return Ok(None) };
    let file = place(&at.url, usual, data_dir);
    context::write(&file, at, &token)?;
    Ok(Some(Bootstrapped { file }))
}

/// The first token, unless another node that starts at the same time has made it.
async fn only_once(platform: &Platform) -> Result<Option<Secret>, Trouble> {
    const KIND: &str = "platform";
    const NAME: &str = "first-token";
    let trouble = |error: StoreError| store_trouble(&error);
    let before = platform.store.document(KIND, NAME).await.map_err(trouble)?;
    let mut issued = issue_owner(platform, "owner of the machine");
    issued.change.documents.push(DocumentOp::Put {
        kind: KIND.to_owned(),
        name: NAME.to_owned(),
        expect: before.map_or(Expect::Absent, |before| Expect::Revision(before.revision)),
        body: Bytes::new(),
        at: platform.clock.now(),
    });
    match platform.committer.change(issued.change).await.map_err(trouble)? {
        ChangeOutcome::Changed => Ok(Some(issued.text)),
        ChangeOutcome::Conflict { .. } => Ok(None),
    }
}

/// A further key of the machine's owner.
pub(crate) async fn owner_token(platform: &Platform, name: &str) -> Result<Secret, Trouble> {
    let issued = issue_owner(platform, name);
    platform.committer.change(issued.change).await.map_err(|error| store_trouble(&error))?;
    Ok(issued.text)
}

/// The key of the machine's owner: an administrator's on a server that others can connect to.
fn issue_owner(platform: &Platform, name: &str) -> Issued {
    let request = IssueRequest {
        name: name.to_owned(),
        kind: TokenKind::Local,
        person: None,
        environment: None,
        role: Role::Admin,
        scopes: None,
        lifetime: None,
        owner: "owner of the machine".to_owned(),
        purpose: "to set the server up".to_owned(),
    };
    let actor = Actor::platform("bootstrap");
    issue(request, &actor, platform.clock.now(), &*platform.entropy)
}

/// Where a server's token is written: the usual context file, unless that is another server's.
pub(crate) fn place(url: &str, usual: Option<&Path>, data_dir: &Path) -> PathBuf {
    match usual {
        Some(usual) if replaceable(usual, url) => usual.to_owned(),
        _ => data_dir.join("context.json"),
    }
}

fn replaceable(path: &Path, url: &str) -> bool {
    match context::read(path) {
        Ok(None) => true,
        Ok(Some(present)) => present.url == url,
        Err(_) => false,
    }
}
