use std::{
    fs, io,
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_project::papers::{Guide, Request, Unmarked, guide};
use qc_version::codes;
use serde_json::json;

use crate::cli::{Exit, Trouble, files::project, migrate::replace, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose contract: integration and trigger
    #[arg(value_name = "INTEGRATION/TRIGGER")]
    trigger: String,
    /// The version from which senders move
    #[arg(long, value_name = "VERSION")]
    from: String,
    /// The newer version to which they move
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Write it into this file, between its marks; what is around them stays
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write nothing: end with 100 when the file of --out is not what would be written
    #[arg(long, requires = "out")]
    check: bool,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let Some((integration, trigger)) = arguments.trigger.split_once('/') else {
        let message = format!("`{}` is not an integration and a trigger", arguments.trigger);
        return Err(Trouble::usage(codes::REFERENCE, message, "write `orders/placed`"));
    };
    let project = project(&arguments.project)?;
    let request = Request { integration, trigger, from: &arguments.from, to: &arguments.to };
    let made = guide(&project, request).map_err(Trouble::findings)?;
    let Some(path) = &arguments.out else {
        session.output.result(&made.to_json(), || made.markdown());
        return Ok(Exit::Ok);
    };
    let (before, after) = texts(path, &made)?;
    let is_current = before.as_deref() == Some(after.as_str());
    if !is_current && !arguments.check {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|error| Trouble::file(parent, &error))?;
        }
        replace(path, &after)?;
    }
    let state = match (is_current, arguments.check) {
        (true, _) => "current",
        (false, true) => "out of date",
        (false, false) => "written",
    };
    let told = json!({ "schema_version": 1, "file": path.display().to_string(), "state": state });
    session.output.result(&told, || format!("{}: {state}", path.display()));
    let fails = arguments.check && !is_current;
    if fails {
        session.output.say("without --check it is written again");
    }
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

/// What is in the file, and what should be.
fn texts(path: &Path, made: &Guide) -> Result<(Option<String>, String), Trouble> {
    let before = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Trouble::file(path, &error)),
    };
    let unmarked = |why: Unmarked| {
        let message = format!("{}: {why}", path.display());
        let finding = Finding::error(qc_project::codes::STALE_GUIDE, message);
        let help = "write the line, or remove the part and generate it again";
        Trouble::findings(vec![finding.help(help)])
    };
    let text = before.as_deref().unwrap_or_default();
    let after = made.marks().put(text, &made.markdown()).map_err(unmarked)?;
    Ok((before, after))
}
