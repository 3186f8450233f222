use std::{fs, path::PathBuf};

use qc_access::policy::MatrixChange;
use qc_model::Finding;
use qc_project::access::{FOLDER, MATRIX};
use serde_json::json;

use super::{policies, reviewed};
use crate::cli::{Exit, Trouble, files, output::table, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(super) folder: PathBuf,
}

pub(super) fn write(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let (policies, _) = policies(&arguments.folder)?;
    let folder = files::root(&arguments.folder)?.join(FOLDER);
    let path = folder.join(MATRIX);
    let text = policies.matrix().to_tsv();
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, &text))
        .map_err(|error| Trouble::file(&path, &error))?;
    let cells = text.lines().count() - 1;
    let done = json!({
        "schema_version": 1, "file": path, "cells": cells, "version": policies.version(),
    });
    session.output.result(&done, || {
        format!("{}: {cells} cells that are not denied, of {}", path.display(), policies.version())
    });
    Ok(Exit::Ok)
}

pub(super) fn diff(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let (policies, _) = policies(&arguments.folder)?;
    let changes = changes(&policies, &reviewed(&arguments.folder)?)?;
    let shown: Vec<_> = changes
        .iter()
        .map(|change| {
            let cell: Vec<&str> = change.cell.split('\t').collect();
            json!({"cell": cell, "reviewed": change.before.as_str(), "now": change.after.as_str()})
        })
        .collect();
    let done = json!({ "schema_version": 1, "version": policies.version(), "changes": shown });
    session.output.result(&done, || {
        if changes.is_empty() {
            return "what each role may do is as reviewed".to_owned();
        }
        let rows: Vec<Vec<String>> = changes
            .iter()
            .map(|change| {
                let mut row: Vec<String> = change.cell.split('\t').map(str::to_owned).collect();
                row.extend([change.before.as_str().to_owned(), change.after.as_str().to_owned()]);
                row
            })
            .collect();
        let heads = ["ROLE", "TOKEN", "SCOPE", "ENVIRONMENT", "ACTION", "REVIEWED", "NOW"];
        table(&heads, &rows)
    });
    Ok(if changes.is_empty() { Exit::Ok } else { Exit::Findings })
}

pub(super) fn changes(
    policies: &qc_access::Policies,
    reviewed: &str,
) -> Result<Vec<MatrixChange>, Trouble> {
    policies.matrix().differs_from(reviewed).map_err(|(line, reason)| {
        let message = format!("{FOLDER}/{MATRIX}:{line}: {reason}");
        let finding = Finding::error(qc_server::codes::NOT_REVIEWED, message);
        Trouble::new(Exit::Findings, finding.help("write it anew with `qc access matrix`"))
    })
}
