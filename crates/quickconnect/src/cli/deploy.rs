use qc_server::wire::{DeployRequest, Deployment, OverrideRequest, Release};

use super::{Exit, Trouble, files::short, session::Session};
use crate::cli::output::append;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// The release's hash, or the beginning of it
    release: String,
    /// Deploy it although the gate holds it; the approvals that this takes are needed
    #[arg(long, value_name = "REASON")]
    r#override: Option<String>,
    /// It mends a weakness: the gate lets it pass without approvals, and the audit says so
    #[arg(long, requires = "override")]
    security_fix: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let release: Release = client.get(&format!("/api/v1/releases/{}", arguments.release)).await?;
    let path = format!("/api/v1/deployments/{}/{}", arguments.environment, release.integration);
    let deployment: Deployment = match &arguments.r#override {
        None => client.post(&path, &DeployRequest { release: release.release }).await?,
        Some(reason) => {
            let (reason, security_fix) = (reason.clone(), arguments.security_fix);
            let request = OverrideRequest { release: release.release, reason, security_fix };
            client.post(&format!("{path}/override"), &request).await?
        }
    };
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
