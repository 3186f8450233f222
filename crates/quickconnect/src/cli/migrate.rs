//! `qc migrate`: a sender's own documents, rewritten to another version of a contract, or verified.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_project::papers::{Form, Migration, Refusal, Rewritten, Verdict};
use qc_version::{Versions, codes};
use serde_json::{Value, json};
use similar::TextDiff;

use super::{Exit, Trouble, files::project, output::append, session::Session};

/// The largest file, in bytes.
const FILE_LARGEST: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files with payloads: JSON, or one document on each line (`.ndjson`, `.jsonl`)
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Whose contract: integration and trigger
    #[arg(long, value_name = "INTEGRATION/TRIGGER")]
    trigger: String,
    /// The version in which they are
    #[arg(long, value_name = "VERSION")]
    from: String,
    /// The version to which they are taken
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Write nothing, and show what would change
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Write nothing: say of each document whether it is a good one of the version of --to
    #[arg(long)]
    verify: bool,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let Some((integration, trigger)) = arguments.trigger.split_once('/') else {
        let message = format!("`{}` is not an integration and a trigger", arguments.trigger);
        return Err(Trouble::usage(codes::REFERENCE, message, "write `orders/placed`"));
    };
    let versions = project(&arguments.project)?
        .versions_of(integration, trigger)
        .map_err(Trouble::findings)?;
    let migration = Migration {
        versions: &versions,
        from: index(&versions, &arguments.from)?,
        to: index(&versions, &arguments.to)?,
    };
    if arguments.verify {
        return verified(session, arguments, &migration);
    }
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let text = read(path)?;
        match migration.rewrite(&text, form(path)) {
            Ok(rewritten) => all.push((path, text, rewritten)),
            Err(why) => refused.extend(why.iter().map(|why| finding(path, why))),
        }
    }
    // All files or none: a half that is rewritten is of neither version.
    if !refused.is_empty() {
        return Err(Trouble::findings(refused));
    }
    if !arguments.dry_run {
        for (path, text, rewritten) in &all {
            if *text != rewritten.text {
                replace(path, &rewritten.text)?;
            }
        }
    }
    told(session, arguments, &all);
    Ok(Exit::Ok)
}

fn told(session: &Session, arguments: &Arguments, all: &[(&PathBuf, String, Rewritten)]) {
    let items: Vec<Value> = all
        .iter()
        .map(|(path, text, rewritten)| {
            let diff = arguments.dry_run.then(|| unified(path, text, &rewritten.text));
            json!({
                "file": path.display().to_string(), "changed": rewritten.changed,
                "already": rewritten.already, "diff": diff,
            })
        })
        .collect();
    let value = json!({
        "schema_version": 1, "from": arguments.from, "to": arguments.to,
        "dry_run": arguments.dry_run, "items": items,
    });
    session.output.result(&value, || {
        let mut shown = String::new();
        for (path, text, Rewritten { text: new, changed, already }) in all {
            if arguments.dry_run {
                shown.push_str(&unified(path, text, new));
            } else {
                let path = path.display();
                append(
                    &mut shown,
                    format_args!("{path}: {changed} rewritten, {already} already there\n"),
                );
            }
        }
        shown
    });
    if arguments.dry_run {
        let count: usize = all.iter().map(|(_, _, rewritten)| rewritten.changed).sum();
        session
            .output
            .say(&format!("nothing was written; documents that would be rewritten: {count}"));
    }
}

fn verified(
    session: &Session,
    arguments: &Arguments,
    migration: &Migration<'_>,
) -> Result<Exit, Trouble> {
    let mut all: Vec<(&PathBuf, Vec<Verdict>)> = Vec::new();
    for path in &arguments.files {
        all.push((path, migration.verify(&read(path)?, form(path))));
    }
    let fails = all.iter().flat_map(|(_, verdicts)| verdicts).any(|it| it.failed.is_some());
    let items: Vec<Value> = all
        .iter()
        .map(|(path, verdicts)| {
            let documents: Vec<Value> = verdicts.iter().map(Verdict::to_json).collect();
            json!({ "file": path.display().to_string(), "documents": documents })
        })
        .collect();
    let outcome = if fails { "failed" } else { "passed" };
    let value = json!({
        "schema_version": 1, "from": arguments.from, "to": arguments.to, "outcome": outcome,
        "items": items,
    });
    session.output.result(&value, || {
        let mut text = String::new();
        for (path, verdicts) in &all {
            let path = path.display();
            for Verdict { line, failed } in verdicts {
                match failed {
                    None => append(&mut text, format_args!("{path}:{line}: passed\n")),
                    Some(why) => append(&mut text, format_args!("{path}:{line}: failed: {why}\n")),
                }
            }
            if verdicts.is_empty() {
                append(&mut text, format_args!("{path}: there is no document\n"));
            }
        }
        text
    });
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

fn index(versions: &Versions, name: &str) -> Result<usize, Trouble> {
    versions.named(name).map_err(|unknown| {
        let known: Vec<&str> = versions.entries().iter().map(|entry| entry.name.as_str()).collect();
        let help = format!("there is {}", known.join(", "));
        Trouble::not_found(codes::REFERENCE, unknown.to_string(), help)
    })
}

fn read(path: &Path) -> Result<String, Trouble> {
    let size = fs::metadata(path).map_err(|error| Trouble::file(path, &error))?.len();
    if size > FILE_LARGEST {
        let message = format!("{} has more than {FILE_LARGEST} bytes", path.display());
        return Err(Trouble::usage(codes::CONVERSION, message, "split it into several files"));
    }
    fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))
}

fn form(path: &Path) -> Form {
    Form::of(&path.to_string_lossy())
}

fn finding(path: &Path, Refusal { line, why }: &Refusal) -> Finding {
    let message = format!("{}:{line}: the document is not rewritten: {why}", path.display());
    let help =
        "mend the document, or say the version in which it is with --from; no file was written";
    Finding::error(codes::CONVERSION, message).help(help)
}

fn unified(path: &Path, old: &str, new: &str) -> String {
    let name = path.display().to_string();
    let name = name.trim_start_matches('/');
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string()
}

/// Puts a text in a file's place, whole or not at all, with the permissions that it had.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Trouble> {
    let trouble = |error: std::io::Error| Trouble::file(path, &error);
    // What a link leads to is written, and the link stays.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = target.clone().into_os_string();
    beside.push(".qc-new");
    let beside = PathBuf::from(beside);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| {
            if let Ok(facts) = fs::metadata(&target) {
                fs::set_permissions(&beside, facts.permissions())?;
            }
            file.sync_all()?;
            fs::rename(&beside, &target)
        });
        if written.is_err() {
            drop(fs::remove_file(&beside));
        }
        written
    };
    write().map_err(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace(&path, "1\n").unwrap();
        replace(&path, "2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // Somebody else's file beside it is not written over.
        fs::write(folder.path().join("a.json.qc-new"), "mine").unwrap();
        assert!(replace(&path, "3\n").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
    }

    #[test]
    fn a_diff_names_the_file_and_is_empty_when_nothing_changes() {
        let path = Path::new("x/a.json");
        assert_eq!(unified(path, "1\n", "1\n"), "");
        let shown = unified(path, "1\n", "2\n");
        assert!(shown.starts_with("--- a/x/a.json\n+++ b/x/a.json\n@@"), "{shown}");
        assert!(shown.contains("-1\n+2\n"), "{shown}");
    }
}
