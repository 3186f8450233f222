use std::path::PathBuf;

use qc_model::Name;
use qc_project::scaffold::new_integration;
use serde_json::json;

use crate::cli::{
    Exit, Trouble,
    files::{project, root},
    new_files::{Present, below, check_command, listing, refused, shell_word, write},
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration's name: small letters, digits and dashes
    name: Name,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let (name, folder) = (&arguments.name, root(&arguments.folder)?);
    let files = new_integration(&project(&folder)?, name).map_err(refused)?;
    write(&folder, &files, Present::Refuse)?;
    let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
    let value = json!({ "schema_version": 1, "integration": name, "files": paths });
    session.output.result(&value, || listing(&folder, &files));
    let edit = below(&folder, &format!("integrations/{name}/integration.yaml"));
    let check = check_command(&arguments.folder);
    let test = check.replacen("check", "test", 1);
    session.output.say(&format!(
        "\nit checks clean, and its scenario passes; it does nothing yet\nnext: edit {}, then\n  {check}\n  {test} --integration {name}",
        shell_word(&edit)
    ));
    Ok(Exit::Ok)
}
