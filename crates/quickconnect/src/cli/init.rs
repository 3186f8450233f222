use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use qc_model::Finding;
use qc_project::scaffold::{self, Template};
use serde_json::json;

use super::{
    Exit, Trouble,
    new_files::{Present, is_empty, shell_word, write},
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the new project; made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What to begin from
    #[arg(long, value_parser = templates(), default_value = Template::TicketSync.name())]
    template: Template,
    /// Begin also in a folder that holds something, and write over files of the same names
    #[arg(long)]
    force: bool,
}

fn templates() -> impl TypedValueParser<Value = Template> {
    let value =
        |template: Template| PossibleValue::new(template.name()).help(template.description());
    PossibleValuesParser::new(Template::ALL.map(value))
        .map(|name| Template::parse(&name).expect("only names of templates get here"))
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let folder = arguments.folder.as_path();
    if !arguments.force && !is_empty(folder)? {
        return Err(holds_something(folder));
    }
    let files = scaffold::init(arguments.template);
    write(folder, &files, Present::forced(arguments.force))?;
    let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
    let template = arguments.template.name();
    let value = json!({
        "schema_version": 1,
        "folder": folder.display().to_string(),
        "template": template,
        "files": paths,
    });
    let here = folder == Path::new(".");
    session.output.result(&value, || {
        let place = if here { "this folder".to_owned() } else { format!("`{}`", folder.display()) };
        format!(
            "{place} is a project now, from the template {template}: {}",
            arguments.template.description()
        )
    });
    session.output.say("\nnext:");
    if !here {
        session.output.say(&format!("  cd {}", shell_word(folder)));
    }
    for (command, deed) in NEXT {
        session.output.say(&format!("  {command:<12} # {deed}"));
    }
    Ok(Exit::Ok)
}

/// The commands to go on with, and what they do.
const NEXT: [(&str, &str); 4] = [
    ("qc check", "all findings of all files"),
    ("qc test", "the acceptance scenarios, on simulators, with faults"),
    ("qc simulate", "the other systems, simulated, until Ctrl-C"),
    ("qc dev", "the project, running, in another terminal; it follows your changes"),
];

fn holds_something(folder: &Path) -> Trouble {
    let place = if folder == Path::new(".") {
        "this folder".to_owned()
    } else {
        format!("`{}`", folder.display())
    };
    let finding = Finding::error(qc_project::codes::EXISTS, format!("{place} is not empty"));
    let help = "name a new folder, as in `qc init my-project`, or use `--force` to begin here all the same";
    Trouble::new(Exit::Conflict, finding.help(help))
}
