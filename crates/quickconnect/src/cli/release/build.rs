use std::{collections::BTreeMap, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_release::Bundle;
use qc_server::wire::{Release, StoreRelease};
use serde_json::json;

use crate::cli::{
    Exit, Trouble,
    client::Client,
    files::{project, short},
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration; left out when the project has only one
    integration: Option<String>,
    /// The project's folder
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Only say what the release would be; store nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let project = project(&arguments.folder)?;
    let mut names: Vec<&str> = project.integrations().keys().map(String::as_str).collect();
    if let Some(name) = &arguments.integration {
        names = vec![name.as_str()];
    }
    let [name] = names.as_slice() else {
        let message = format!("the project has {} integrations", names.len());
        let help = format!("name one of them: {}", names.join(", "));
        return Err(Trouble::usage(crate::codes::BAD_SETTING, message, help));
    };
    let bundle = qc_project::compile::build(&project, name).map_err(|findings| {
        let format = qc_project::render::Format::Human { colour: session.output.color };
        if !session.output.json {
            session.output.say(&qc_project::render::render(format, &findings, project.files()));
            let found = findings.iter().take(1).cloned().collect();
            return Trouble { exit: Exit::Findings, findings: found, problem: None };
        }
        Trouble::findings(findings)
    })?;
    if arguments.dry_run {
        let manifest = bundle.manifest();
        let value = json!({ "schema_version": 1, "release": bundle.hash(), "manifest": manifest });
        session
            .output
            .result(&value, || format!("{}  {} {}", bundle.hash(), name, manifest.version));
        return Ok(Exit::Ok);
    }
    let built_from = commit_of(&arguments.folder);
    let release = send(&session.client()?, &bundle, built_from).await?;
    session.output.result(&release, || release.release.clone());
    session.output.say(&format!(
        "{} {} is stored; deploy it: qc deploy ENVIRONMENT {}",
        release.integration,
        release.version,
        short(&release.release)
    ));
    Ok(Exit::Ok)
}

/// Stores a release at the server, which builds it again from the same files and must come to the same hash.
async fn send(
    client: &Client,
    bundle: &Bundle,
    built_from: Option<String>,
) -> Result<Release, Trouble> {
    let files: BTreeMap<String, String> = bundle
        .originals()
        .iter()
        .map(|(path, bytes)| (path.clone(), STANDARD.encode(bytes)))
        .collect();
    let request = StoreRelease {
        integration: bundle.manifest().integration.to_string(),
        expect: Some(bundle.hash().to_owned()),
        built_from,
        files,
    };
    client.post("/api/v1/releases", &request).await
}

/// The commit of the working tree, when there is one.
fn commit_of(folder: &std::path::Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--", "."]).is_none_or(|text| !text.is_empty());
    Some(if changed { format!("{commit} with local changes") } else { commit })
}
