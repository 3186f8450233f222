//! The first token: made when a store has none, so that nobody needs a default password.

use std::path::{Path, PathBuf};

use qc_access::{IssueRequest, Role, TOKEN_KIND, issue};
use qc_model::Actor;
use qc_vault::Secret;

use crate::{
    cli::Trouble,
    context,
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
    url: &str,
    usual: Option<&Path>,
    data_dir: &Path,
) -> Result<Option<Bootstrapped>, Trouble> {
    let any = platform.store.documents(TOKEN_KIND, None, 1).await;
    if !any.map_err(|error| store_trouble(&error))?.is_empty() {
        return Ok(None);
    }
    let token = admin_token(platform, "first administrator").await?;
    let file = place(url, usual, data_dir);
    context::write(&file, url, &token)?;
    Ok(Some(Bootstrapped { file }))
}

/// A further administrator's token.
pub(crate) async fn admin_token(platform: &Platform, name: &str) -> Result<Secret, Trouble> {
    let request = IssueRequest {
        name: name.to_owned(),
        environment: None,
        role: Role::Admin,
        scopes: None,
        lifetime: None,
    };
    let actor = Actor::platform("bootstrap");
    let issued = issue(request, &actor, platform.clock.now(), &*platform.entropy);
    platform.committer.change(issued.change).await.map_err(|error| store_trouble(&error))?;
    Ok(issued.text)
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
