use std::path::{Path, PathBuf};

use qc_model::Finding;
use qc_project::{
    PROJECT_FILE, Project, ProjectFiles,
    check::{fails, leaks},
    render::{FORMAT_NAMES, Format, render},
};

use super::{Exit, Trouble, files::project, session::Session};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// How findings are written: human, json, github, junit or sarif
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Warnings fail, too
    #[arg(long)]
    strict: bool,
    /// Look for credentials only; the folder need not be a project
    #[arg(long)]
    secrets: bool,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let usual = if output.json { "json" } else { "human" };
    let name = arguments.format.as_deref().unwrap_or(usual);
    let format = Format::parse(name, output.color).ok_or_else(|| {
        let help = format!("it is one of {}", FORMAT_NAMES.join(", "));
        Trouble::usage(codes::BAD_SETTING, format!("there is no format `{name}`"), help)
    })?;
    let (findings, files) = if arguments.secrets {
        secrets(&arguments.folder)?
    } else {
        let project = project(&arguments.folder)?;
        (project.check(), project.files().clone())
    };
    output.line(render(format, &findings, &files).trim_end());
    Ok(if fails(&findings, arguments.strict) { Exit::Findings } else { Exit::Ok })
}

/// Whatever looks like a credential in a folder, but for what its project, when it is one, says is none.
fn secrets(folder: &Path) -> Result<(Vec<Finding>, ProjectFiles), Trouble> {
    if !folder.is_dir() {
        let finding = Finding::error(
            qc_project::codes::NO_PROJECT,
            format!("there is no folder `{}`", folder.display()),
        );
        return Err(Trouble::new(Exit::NotFound, finding.help("check the path")));
    }
    let files = ProjectFiles::read(folder).map_err(Trouble::findings)?;
    let project = files.has(PROJECT_FILE).then(|| Project::load(files.clone()));
    let organisation = project.as_ref().and_then(Project::organisation);
    let said = organisation.map(|file| file.value.not_secrets.iter());
    let none = said.into_iter().flatten().map(|one| one.0.as_str()).collect();
    Ok((leaks::find(&files, &none), files))
}
