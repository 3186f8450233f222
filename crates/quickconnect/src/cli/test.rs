use std::path::PathBuf;

use qc_document::closest;
use qc_model::{Finding, Severity};
use qc_project::{
    Project,
    acceptance::{self, Report, Selection},
    render::{self, Format},
};

use super::{Exit, Trouble, files::project, session::Session};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Only the scenarios of this integration
    #[arg(long, value_name = "NAME")]
    integration: Option<String>,
    /// Only the scenario with this name
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// How the result is written [default: human, or json with --json]
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
    /// A failure mode that no passing fault scenario covers fails, too
    #[arg(long)]
    strict: bool,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    Human,
    Json,
    Junit,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let usual = if output.json { ReportFormat::Json } else { ReportFormat::Human };
    let format = arguments.format.unwrap_or(usual);
    let project = project(&arguments.folder)?;
    let selection = arguments.selection();
    selected(&project, &selection)?;
    let errors = errors(&project, &selection);
    if !errors.is_empty() {
        if format == ReportFormat::Human {
            let style = Format::Human { colour: output.color };
            output.line(render::render(style, &errors, project.files()).trim_end());
            output.say("no scenario was run: these errors stand in the way");
            return Ok(Exit::Findings);
        }
        return Err(Trouble::findings(errors));
    }
    let report = acceptance::run(&project, &selection);
    let text = match format {
        ReportFormat::Human => acceptance::human(&report, project.files(), output.color),
        ReportFormat::Json => acceptance::json(&report),
        ReportFormat::Junit => acceptance::junit(&report),
    };
    output.line(text.trim_end());
    if report.scenarios.is_empty() {
        output.say(
            "there is nothing to run: scenarios are `integrations/NAME/acceptance/SCENARIO.yaml`",
        );
    }
    Ok(arguments.verdict(&report))
}

impl Arguments {
    fn selection(&self) -> Selection {
        Selection { integration: self.integration.clone(), scenario: self.scenario.clone() }
    }

    fn verdict(&self, report: &Report) -> Exit {
        let uncovered = self.strict && !report.uncovered.is_empty();
        if report.passed() && !uncovered { Exit::Ok } else { Exit::Findings }
    }
}

/// Whether what was named is there: a misspelt name must not look like a test that passed.
fn selected(project: &Project, selection: &Selection) -> Result<(), Trouble> {
    if let Some(name) = &selection.integration {
        project.integration(name).map_err(|finding| Trouble::new(Exit::NotFound, *finding))?;
    }
    let Some(wanted) = &selection.scenario else { return Ok(()) };
    let folders = project.integrations().iter();
    let folders =
        folders.filter(|(name, _)| selection.integration.as_ref().is_none_or(|only| only == *name));
    let names: Vec<&str> = folders
        .flat_map(|(_, folder)| &folder.scenarios)
        .map(|scenario| scenario.value.scenario.as_str())
        .collect();
    if names.contains(&wanted.as_str()) {
        return Ok(());
    }
    let help = match closest(wanted, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there is: {}", names.join(", ")),
    };
    let finding = Finding::error(codes::NOTHING_CHOSEN, format!("there is no scenario `{wanted}`"));
    Err(Trouble::new(Exit::NotFound, finding.help(help)))
}

/// The errors that stand in the way, once each; those of integrations that are not tested do not.
fn errors(project: &Project, selection: &Selection) -> Vec<Finding> {
    let counts = |finding: &Finding| {
        let (Some(only), Some(place)) = (&selection.integration, &finding.place) else {
            return true;
        };
        let inside = place.file.strip_prefix("integrations/");
        inside.is_none_or(|rest| rest.split('/').next() == Some(only.as_str()))
    };
    let mut findings = project.check();
    findings.retain(|finding| finding.severity == Severity::Error && counts(finding));
    findings
}
