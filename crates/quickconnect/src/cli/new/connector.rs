use std::path::{Path, PathBuf};

use qc_connect::connector::scaffold;
use qc_model::{EnvironmentName, Finding, Name};
use qc_project::{PROJECT_FILE, Project, ProjectFiles};
use serde_json::json;

use crate::{
    cli::{
        Exit, Trouble,
        new_files::{Present, below, shell_word, write},
        session::Session,
    },
    codes,
};

/// The largest document that is read.
const DOCUMENT_LIMIT: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connector's name: small letters, digits and dashes
    name: Name,
    /// The API's OpenAPI document, YAML or JSON
    #[arg(long, value_name = "FILE")]
    openapi: PathBuf,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Write over files that are there already
    #[arg(long)]
    force: bool,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let name = &arguments.name;
    let environments = environments(&arguments.folder)?;
    let document = read_document(&arguments.openapi)?;
    // JSON is YAML, but not the other way round; the first character tells.
    let is_json = document.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{');
    let made = scaffold(name, &document, is_json, &environments).map_err(|mut findings| {
        let shown = arguments.openapi.display().to_string();
        for place in findings.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            place.file = shown.as_str().into();
        }
        Trouble::findings(findings)
    })?;
    let present = if arguments.force { Present::Replace } else { Present::Refuse };
    write(&arguments.folder, &made.files, present)?;
    let files: Vec<&str> = made.files.iter().map(|(path, _)| path.as_str()).collect();
    let value = json!({ "schema_version": 1, "connector": name, "files": files, "decisions": made.decisions });
    session.output.result(&value, || {
        let shown = |path: &&str| below(&arguments.folder, path).display().to_string();
        files.iter().map(shown).collect::<Vec<_>>().join("\n")
    });
    session.output.say("\nto decide:");
    for decision in &made.decisions {
        session.output.say(&format!("  - {decision}"));
    }
    let edit = below(&arguments.folder, &format!("connectors/{name}/connector.yaml"));
    let check = match arguments.folder.as_path() {
        here if here == Path::new(".") => "qc check".to_owned(),
        folder => format!("qc check {}", shell_word(folder)),
    };
    session.output.say(&format!("\nnext: edit {}, then\n  {check}", shell_word(&edit)));
    Ok(Exit::Ok)
}

/// The environments that the project declares. Nothing else of the project is read: it may be large, or half-done.
fn environments(folder: &Path) -> Result<Vec<EnvironmentName>, Trouble> {
    let path = folder.join(PROJECT_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(no_project(folder)),
        Err(error) => return Err(Trouble::file(&path, &error)),
    };
    let project = Project::load(ProjectFiles::new([(PROJECT_FILE.to_owned(), bytes.into())]));
    match project.organisation() {
        Some(organisation) if project.is_sound() => {
            Ok(organisation.value.environments.names().cloned().collect())
        }
        _ => Err(Trouble::findings(project.load_findings().to_vec())),
    }
}

/// The folder holds no project.
pub(in crate::cli) fn no_project(folder: &Path) -> Trouble {
    let place = if folder == Path::new(".") { "here".to_owned() } else { format!("in {}", folder.display()) };
    let message = format!("there is no `{PROJECT_FILE}` {place}");
    let finding = Finding::error(qc_project::codes::NO_PROJECT, message);
    let help = "go to the project's folder, or begin a project with `qc init DIR`";
    Trouble::new(Exit::NotFound, finding.help(help))
}

fn read_document(path: &Path) -> Result<String, Trouble> {
    let size = std::fs::metadata(path).map_err(|error| Trouble::file(path, &error))?.len();
    if size > DOCUMENT_LIMIT {
        let message = format!("{} has {} MiB; at most 64 are read", path.display(), size >> 20);
        return Err(Trouble::usage(codes::FILE, message, "keep only the operations that you need"));
    }
    let bytes = std::fs::read(path).map_err(|error| Trouble::file(path, &error))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let message = format!("{} is compressed", path.display());
        let help = format!("unpack it first: gunzip --keep {}", shell_word(path));
        return Err(Trouble::usage(codes::FILE, message, help));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("{} is not UTF-8 text from byte {at} on", path.display());
        Trouble::usage(codes::FILE, message, "OpenAPI documents are UTF-8 text, YAML or JSON")
    })
}
