use std::{fs, path::Path};

use qc_contract::{
    Comparison, Day, Description, Mode, Options, Profile, ReportFormat, SchemaDocument, Verdict,
    compare_schemas,
};
use qc_model::{Clock, Finding, Severity};
use serde_json::json;

use super::super::{Exit, Trouble, session::Session};
use super::sources::Version;
use crate::{codes, wiring::SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The versions, the oldest first: paths, or git:REVISION:PATH; more than two with a transitive mode
    #[arg(required = true, num_args = 2.., value_names = ["OLD", "NEW"])]
    versions: Vec<String>,
    /// How changes are weighed: default, strict, lenient or a file
    #[arg(long, value_name = "PROFILE", default_value = "default")]
    profile: String,
    /// How the result is written: human, markdown, json, sarif, junit or github
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// For JSON Schemas, who must read what whom wrote: backward, forward or full, each also with -transitive
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// The day on which the new version is published, for sunsets (YYYY-MM-DD) [default: today]
    #[arg(long, value_name = "DATE")]
    today: Option<String>,
    /// Compare what can be read of a description that has errors
    #[arg(long)]
    tolerant: bool,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let usual = if output.json { "json" } else { "human" };
    let name = arguments.format.as_deref().unwrap_or(usual);
    let format = ReportFormat::parse(name).ok_or_else(|| {
        let help = format!("it is one of {}", ReportFormat::NAMES.join(", "));
        Trouble::usage(codes::BAD_SETTING, format!("there is no format `{name}`"), help)
    })?;
    let profile = profile(&arguments.profile)?;
    let options = Options { profile: &profile, today: Some(today(arguments)?) };
    let comparisons = compared(session, arguments, options)?;
    if format == ReportFormat::Json && comparisons.len() > 1 {
        let each: Vec<_> = comparisons.iter().map(Comparison::to_json).collect();
        let worst = comparisons.iter().map(|one| one.verdict).max();
        let verdict = worst.map_or("no-change", Verdict::as_str);
        let all = json!({ "schema_version": 1, "verdict": verdict, "comparisons": each });
        output.line(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else {
        for comparison in &comparisons {
            output.line(comparison.report(format).trim_end());
        }
    }
    let breaks = comparisons.iter().any(|one| one.verdict == Verdict::Breaking);
    Ok(if breaks { Exit::Findings } else { Exit::Ok })
}

fn profile(name: &str) -> Result<Profile, Trouble> {
    if let Some(profile) = Profile::named(name) {
        return Ok(profile);
    }
    let path = Path::new(name);
    let text = fs::read_to_string(path).map_err(|error| {
        let help = format!("it is one of {}, or a file", Profile::NAMES.join(", "));
        Trouble::usage(codes::BAD_SETTING, format!("there is no profile `{name}`: {error}"), help)
    })?;
    Profile::load(name, &text).map_err(Trouble::findings)
}

fn today(arguments: &Arguments) -> Result<Day, Trouble> {
    let text = match &arguments.today {
        Some(given) => given.clone(),
        None => SystemClock.now().to_string(),
    };
    Day::parse(&text).ok_or_else(|| {
        let message = format!("`{text}` is no date");
        Trouble::usage(codes::BAD_SETTING, message, "write it as YYYY-MM-DD")
    })
}

fn compared(
    session: &Session,
    arguments: &Arguments,
    options: Options<'_>,
) -> Result<Vec<Comparison>, Trouble> {
    let versions: Vec<Version> =
        arguments.versions.iter().map(|name| Version::named(name)).collect();
    let Some((new, olds)) = versions.split_last() else { return Ok(Vec::new()) };
    let mode = mode(arguments)?;
    if olds.len() > 1 && !mode.is_some_and(|(_, is_transitive)| is_transitive) {
        let help = "with --mode backward-transitive, forward-transitive or full-transitive the last is compared with each";
        let message = "more than two versions are given";
        return Err(Trouble::usage(codes::BAD_SETTING, message, help));
    }
    if let Some((mode, _)) = mode {
        let new = schema(new)?;
        let each = olds.iter().map(|old| Ok(compare_schemas(&schema(old)?, &new, mode, options)));
        return each.collect();
    }
    let new = description(session, new, arguments.tolerant)?;
    let each = olds.iter().map(|old| {
        let old = description(session, old, arguments.tolerant)?;
        old.compare(&new, options).map_err(|finding| Trouble::findings(vec![*finding]))
    });
    each.collect()
}

fn mode(arguments: &Arguments) -> Result<Option<(Mode, bool)>, Trouble> {
    let Some(name) = &arguments.mode else { return Ok(None) };
    let mode = Mode::parse(name).ok_or_else(|| {
        let help = "it is backward, forward or full, each also with -transitive";
        Trouble::usage(codes::BAD_SETTING, format!("there is no mode `{name}`"), help)
    })?;
    Ok(Some(mode))
}

fn schema(version: &Version) -> Result<SchemaDocument, Trouble> {
    SchemaDocument::load(&*version.files, &version.entry).map_err(troubled)
}

/// A description. What could not be read might have changed, so errors are not passed over unless that is asked for.
fn description(
    session: &Session,
    version: &Version,
    tolerant: bool,
) -> Result<Description, Trouble> {
    let (api, findings) = Description::load(&*version.files, &version.entry);
    let errors: Vec<Finding> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    match api {
        Some(api) if errors.is_empty() => Ok(api),
        Some(api) if tolerant => {
            for error in &errors {
                session.output.say(&session.output.finding(error));
            }
            Ok(api)
        }
        Some(_) => {
            let mut findings = errors;
            let message =
                "a description with errors is not compared: what is not read may have changed";
            findings.push(Finding::note(codes::BAD_SETTING, message).help(
                "mend it, or compare what can be read with --tolerant; a JSON Schema is compared with --mode",
            ));
            Err(troubled(findings))
        }
        None => Err(troubled(errors)),
    }
}

fn troubled(findings: Vec<Finding>) -> Trouble {
    let is_missing = findings.iter().any(|finding| finding.code.as_str() == "QC-C001");
    let mut trouble = Trouble::findings(findings);
    if is_missing {
        trouble.exit = Exit::NotFound;
    }
    trouble
}
