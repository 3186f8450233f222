use std::{
    fs,
    path::{Path, PathBuf},
};

use qc_project::expected::{Expected, expected};
use serde_json::{Value, json};

use crate::cli::{Exit, Trouble, files::project, migrate::replace, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose scenarios
    #[arg(value_name = "INTEGRATION")]
    integration: String,
    /// Write a Pact file for each system into this folder; `integrations/NAME/expects` is held by `qc check`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing: end with 100 when the files of --out are not what would be written
    #[arg(long, requires = "out")]
    check: bool,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

/// How a file of the folder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Current,
    Written,
    Differs,
    /// Of a system of which nothing is expected any more.
    Over,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Written => "written",
            Self::Differs => "out of date",
            Self::Over => "nothing is expected any more",
        }
    }
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let project = project(&arguments.project)?;
    let found = expected(&project, &arguments.integration).map_err(Trouble::findings)?;
    let files = match &arguments.out {
        Some(folder) => files(folder, &found, arguments.check)?,
        None => Vec::new(),
    };
    session.output.result(&told(&found, &files), || words(&found, &files));
    let differs = |(_, standing): &(PathBuf, Standing)| {
        !matches!(standing, Standing::Current | Standing::Written)
    };
    let fails = files.iter().any(differs);
    if fails && arguments.check {
        session.output.say("without --check they are written again");
    } else if fails {
        session.output.say("remove the files of systems of which nothing is expected any more");
    }
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

fn files(
    folder: &Path,
    found: &Expected,
    only_look: bool,
) -> Result<Vec<(PathBuf, Standing)>, Trouble> {
    let mut files = Vec::new();
    for system in &found.systems {
        let (path, text) = (folder.join(format!("{}.json", system.connector)), system.text());
        let standing = match fs::read_to_string(&path) {
            Ok(there) if there == text => Standing::Current,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Trouble::file(&path, &error));
            }
            _ if only_look => Standing::Differs,
            _ => {
                fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
                replace(&path, &text)?;
                Standing::Written
            }
        };
        files.push((path, standing));
    }
    let Ok(there) = fs::read_dir(folder) else { return Ok(files) };
    let mut others: Vec<PathBuf> = there
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .filter(|path| files.iter().all(|(known, _)| known != path))
        .collect();
    others.sort();
    files.extend(others.into_iter().map(|path| (path, Standing::Over)));
    Ok(files)
}

fn told(found: &Expected, files: &[(PathBuf, Standing)]) -> Value {
    let systems = found.systems.iter().map(|system| {
        json!({
            "connector": system.connector,
            "interactions": system.interactions,
            "needs": system.needs,
            "spared": system.spared,
            "pact": system.pact,
        })
    });
    let files = files.iter().map(|(path, standing)| {
        json!({ "file": path.display().to_string(), "state": standing.as_str() })
    });
    json!({
        "schema_version": 1,
        "integration": found.integration,
        "scenarios": found.scenarios,
        "lives": found.lives,
        "systems": systems.collect::<Vec<_>>(),
        "left_out": found.left_out,
        "files": files.collect::<Vec<_>>(),
    })
}

fn words(found: &Expected, files: &[(PathBuf, Standing)]) -> String {
    let mut lines = Vec::new();
    for system in &found.systems {
        let (there, needs) = (system.interactions, system.needs.len());
        lines.push(format!(
            "{}: {there} interaction{}; of the answers {needs} field{} needed, {} not",
            system.connector,
            if there == 1 { "" } else { "s" },
            if needs == 1 { " is" } else { "s are" },
            system.spared
        ));
        lines.extend(system.needs.iter().map(|field| format!("  needs {field}")));
    }
    lines.extend(found.left_out.iter().map(|why| format!("left out: {why}")));
    lines.extend(files.iter().map(|(path, it)| format!("{}: {}", path.display(), it.as_str())));
    lines.push(format!("from {}, carried out {} times", found.scenarios.join(", "), found.lives));
    lines.join("\n")
}
