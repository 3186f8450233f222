use qc_server::wire::{ApplyPolicies, PolicyFile, PolicySet};

use super::{matrix::Arguments, policies, reviewed};
use crate::cli::{Exit, Trouble, session::Session};

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let (_, files) = policies(&arguments.folder)?;
    let matrix = reviewed(&arguments.folder)?;
    let files = files.into_iter().map(|(name, text)| PolicyFile { name, text }).collect();
    let request = ApplyPolicies { files, matrix };
    let set: PolicySet = session.client()?.post("/api/v1/policies", &request).await?;
    session.output.result(&set, || {
        format!("{}: in force, with {} files of the project", set.version, set.files.len())
    });
    Ok(Exit::Ok)
}
