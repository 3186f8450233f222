use std::{fs, path::PathBuf};

use qc_document::{ParseLimits, parse_json_value};
use qc_model::Finding;
use qc_version::{Direction, Versions, codes};
use serde_json::{Value, json};

use crate::cli::{Exit, Trouble, files::project, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The document, JSON
    file: PathBuf,
    /// The version in which it is
    #[arg(long, value_name = "VERSION")]
    from: String,
    /// The version to which it is taken
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Whose contract: integration and trigger
    #[arg(long, value_name = "INTEGRATION/TRIGGER")]
    trigger: String,
    /// It is an answer, and not an event's data
    #[arg(long)]
    reply: bool,
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
    let bytes =
        fs::read(&arguments.file).map_err(|error| Trouble::file(&arguments.file, &error))?;
    let document = parse_json_value(&bytes, &ParseLimits::default()).map_err(|error| {
        let message = format!("{}: {error}", arguments.file.display());
        Trouble::findings(vec![Finding::error(error.code.clone(), message)])
    })?;
    let (from, to) = (index(&versions, &arguments.from)?, index(&versions, &arguments.to)?);
    held(&versions, from, &document, arguments.reply)?;
    let chain = if arguments.reply { versions.replies() } else { versions.events() };
    let converted = chain.convert(document, from, to).map_err(|error| {
        let finding = Finding::error(codes::CONVERSION, error.to_string());
        let help = "mend the step, or say with `jq` what it cannot";
        Trouble::findings(vec![finding.help(help)])
    })?;
    held(&versions, to, &converted, arguments.reply)?;
    let direction = if from <= to { Direction::Up } else { Direction::Down };
    let links = from.min(to)..from.max(to);
    let lost: Vec<String> = links
        .flat_map(|link| chain.link(link).iter().filter_map(|step| step.loses(direction)))
        .collect();
    let value = json!({
        "schema_version": 1, "from": arguments.from, "to": arguments.to,
        "document": converted, "loses": lost,
    });
    session.output.result(&value, || serde_json::to_string_pretty(&converted).unwrap_or_default());
    for lost in &lost {
        session.output.say(&format!("lost on the way back: {lost}"));
    }
    Ok(Exit::Ok)
}

fn index(versions: &Versions, name: &str) -> Result<usize, Trouble> {
    versions.named(name).map_err(|unknown| {
        let known: Vec<&str> = versions.entries().iter().map(|entry| entry.name.as_str()).collect();
        let help = format!("there is {}", known.join(", "));
        Trouble::not_found(codes::REFERENCE, unknown.to_string(), help)
    })
}

/// The document fits the contract of its version.
fn held(versions: &Versions, at: usize, document: &Value, reply: bool) -> Result<(), Trouble> {
    let entry = &versions.entries()[at];
    let contract = if reply { entry.reply.as_ref() } else { Some(&entry.contract) };
    let Some(contract) = contract else {
        let message = format!("version `{}` has no `reply`", entry.name);
        let help = "say in the file of versions what those get who wait";
        return Err(Trouble::not_found(codes::REFERENCE, message, help));
    };
    let mismatches = contract.check(document);
    if mismatches.is_empty() {
        return Ok(());
    }
    let findings = mismatches.iter().map(|mismatch| {
        let message = format!("the document does not fit version `{}`: {mismatch}", entry.name);
        Finding::error(codes::CONVERSION, message)
    });
    Err(Trouble::findings(findings.collect()))
}
