use std::path::{Path, PathBuf};

use qc_model::{Finding, Name};
use qc_project::{PROJECT_FILE, Project, ProjectFiles, scaffold::new_connector};
use serde_json::json;

use crate::{
    cli::{
        Exit, Trouble,
        files::root,
        new_files::{Present, below, check_command, listing, refused, shell_word, write},
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
    let folder = root(&arguments.folder)?;
    let inside = format!("connectors/{name}");
    if !arguments.force && folder.join(&inside).exists() {
        let message = format!("there is a folder `{inside}` already");
        let finding = Finding::error(qc_project::codes::EXISTS, message);
        return Err(refused(vec![
            finding.help("choose another name, or write over its files with `--force`"),
        ]));
    }
    let organisation = organisation(&folder)?;
    let document = read_document(&arguments.openapi)?;
    // JSON is YAML, but not the other way round; the first character tells.
    let is_json = document.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{');
    let made = new_connector(&organisation, name, &document, is_json).map_err(|mut findings| {
        let shown = arguments.openapi.display().to_string();
        for place in findings.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            place.file = shown.as_str().into();
        }
        Trouble::findings(findings)
    })?;
    write(&folder, &made.files, Present::forced(arguments.force))?;
    let files: Vec<&str> = made.files.iter().map(|(path, _)| path).collect();
    let value = json!({ "schema_version": 1, "connector": name, "files": files, "decisions": made.decisions });
    session.output.result(&value, || listing(&folder, &made.files));
    session.output.say("\nto decide:");
    for decision in &made.decisions {
        session.output.say(&format!("  - {decision}"));
    }
    let edit = below(&folder, &format!("{inside}/connector.yaml"));
    let check = check_command(&arguments.folder);
    session.output.say(&format!("\nnext: edit {}, then\n  {check}", shell_word(&edit)));
    Ok(Exit::Ok)
}

/// The project as far as a new connector has to do with it. Nothing else is read: it may be large, or half-done.
fn organisation(folder: &Path) -> Result<Project, Trouble> {
    let path = folder.join(PROJECT_FILE);
    let bytes = std::fs::read(&path).map_err(|error| Trouble::file(&path, &error))?;
    let project = Project::load(ProjectFiles::new([(PROJECT_FILE.to_owned(), bytes.into())]));
    if project.is_sound() {
        Ok(project)
    } else {
        Err(Trouble::findings(project.load_findings().to_vec()))
    }
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
