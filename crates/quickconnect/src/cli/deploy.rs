use qc_server::wire::{DeployRequest, Deployment, Release};

use super::{Exit, Trouble, files::short, session::Session};
use crate::cli::output::append;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// The release's hash, or the beginning of it
    release: String,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let release: Release = client.get(&format!("/api/v1/releases/{}", arguments.release)).await?;
    let path = format!("/api/v1/deployments/{}/{}", arguments.environment, release.integration);
    let request = DeployRequest { release: release.release };
    let deployment: Deployment = client.post(&path, &request).await?;
    session.output.result(&deployment, || shown(client.url(), &deployment));
    Ok(Exit::Ok)
}

/// A deployment in words, with the addresses of its triggers.
pub(super) fn shown(url: &str, deployment: &Deployment) -> String {
    let Deployment { environment, integration, release, version, .. } = deployment;
    let mut text = format!("{integration} {version} ({}) runs in {environment}\n", short(release));
    for trigger in &deployment.triggers {
        append(&mut text, format_args!("  events: POST {url}{trigger}\n"));
    }
    text
}
