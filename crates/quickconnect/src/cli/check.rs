use std::path::PathBuf;

use qc_project::{
    check::fails,
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
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let usual = if output.json { "json" } else { "human" };
    let name = arguments.format.as_deref().unwrap_or(usual);
    let format = Format::parse(name, output.color).ok_or_else(|| {
        let help = format!("it is one of {}", FORMAT_NAMES.join(", "));
        Trouble::usage(codes::BAD_SETTING, format!("there is no format `{name}`"), help)
    })?;
    let project = project(&arguments.folder)?;
    let findings = project.check();
    output.line(render(format, &findings, project.files()).trim_end());
    Ok(if fails(&findings, arguments.strict) { Exit::Findings } else { Exit::Ok })
}
