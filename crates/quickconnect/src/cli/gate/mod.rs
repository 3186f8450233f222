//! `qc gate`: whether a change may go out, offline against an older version of the files, or by a server's deployments.

mod tree;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use qc_contract::ReportFormat;
use qc_model::{Clock, EnvironmentName};
use qc_project::{Project, ProjectFiles, gate::judge};
use qc_server::wire::{self, Release};
use qc_version::gate::{Circumstances, Judgement};
use serde_json::json;

use super::{Exit, Trouble, files::project, output::append, session::Session};
use crate::{codes, wiring::SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment of the server that is asked
    #[arg(requires = "release", conflicts_with = "against")]
    environment: Option<String>,
    /// The release that would be deployed there: its hash, or the beginning of it
    release: Option<String>,
    /// What the files are held against: a folder, or git:REVISION
    #[arg(long, value_name = "VERSION", required_unless_present = "environment")]
    against: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    project: PathBuf,
    /// Judge as in this environment, which may say that the gate only tells
    #[arg(long, value_name = "NAME", conflicts_with = "environment")]
    r#as: Option<EnvironmentName>,
    /// How the result is written: human, markdown, json, sarif, junit or github
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    match (&arguments.environment, &arguments.release, &arguments.against) {
        (Some(environment), Some(release), _) => asked(session, environment, release).await,
        (_, _, Some(against)) => compared(session, arguments, against),
        // clap asks for one or the other.
        _ => Ok(Exit::Usage),
    }
}

/// The judgement of a server.
async fn asked(session: &Session, environment: &str, release: &str) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let release: Release = client.get(&format!("/api/v1/releases/{release}")).await?;
    let integration = &release.integration;
    let path =
        format!("/api/v1/deployments/{environment}/{integration}/gate?release={}", release.release);
    let gate: wire::Gate = client.get(&path).await?;
    session.output.result(&gate, || {
        let mut text = String::new();
        for reason in &gate.reasons {
            append(&mut text, format_args!("held: {reason}\n"));
        }
        let verdict = gate.report["verdict"].as_str().unwrap_or_default();
        append(&mut text, format_args!("{integration} in {environment}: {verdict}; "));
        text.push_str(match (gate.is_first, gate.holds) {
            (true, _) => "there is nothing whose place it would take\n",
            (false, true) => "it is held\n",
            (false, false) => "it may be deployed\n",
        });
        text
    });
    Ok(if gate.holds { Exit::Findings } else { Exit::Ok })
}

/// The project of a folder as it was in a git revision (`git:REVISION`), or another folder's.
pub(in crate::cli) fn older(folder: &Path, against: &str) -> Result<Project, Trouble> {
    match against.strip_prefix("git:") {
        Some(revision) => Ok(Project::load(ProjectFiles::new(tree::files(folder, revision)?))),
        None => project(against.as_ref()),
    }
}

/// The files here against those of an older version.
fn compared(session: &Session, arguments: &Arguments, against: &str) -> Result<Exit, Trouble> {
    let output = session.output;
    let usual = if output.json { "json" } else { "human" };
    let name = arguments.format.as_deref().unwrap_or(usual);
    let format = ReportFormat::parse(name).ok_or_else(|| {
        let help = format!("it is one of {}", ReportFormat::NAMES.join(", "));
        Trouble::usage(codes::BAD_SETTING, format!("there is no format `{name}`"), help)
    })?;
    let new = project(&arguments.project)?;
    let old = older(&arguments.project, against)?;
    let mut judged: BTreeMap<&str, Judgement> = BTreeMap::new();
    for name in new.integrations().keys() {
        let (environment, now) = (arguments.r#as.as_ref(), SystemClock.now());
        let circumstances = Circumstances { environment, now, usage: None, expectations: &[] };
        let judgement = judge(&old, &new, name, circumstances).map_err(Trouble::findings)?;
        judged.extend(judgement.map(|judgement| (name.as_str(), judgement)));
    }
    let gone: Vec<&str> = old
        .integrations()
        .keys()
        .filter(|name| !new.integrations().contains_key(*name))
        .map(String::as_str)
        .collect();
    let holds = judged.values().any(Judgement::holds);
    if format == ReportFormat::Json {
        let each: BTreeMap<_, _> =
            judged.iter().map(|(name, judgement)| (name, judgement.to_json())).collect();
        let all = json!({
            "schema_version": 1, "holds": holds, "integrations": each, "gone": gone,
        });
        output.line(&format!("{all:#}"));
    } else {
        for (name, judgement) in &judged {
            if matches!(format, ReportFormat::Human | ReportFormat::Markdown) {
                output.line(&format!("{name}\n"));
            }
            output.line(judgement.report(format).trim_end());
        }
        for name in gone {
            session
                .output
                .say(&format!("`{name}` is not there any more: what is deployed of it stays"));
        }
    }
    Ok(if holds { Exit::Findings } else { Exit::Ok })
}
