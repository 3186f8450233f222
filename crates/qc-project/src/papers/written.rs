//! Guides that stand in the files of a project.

use std::path::Path;

use qc_document::{Source, Span};
use qc_model::Finding;

use super::{Request, guide, marks::parts};
use crate::{Project, codes, project::IntegrationFolder};

/// What is not as it would be generated, in the Markdown files of an integration.
pub(crate) fn stale(project: &Project, folder: &IntegrationFolder) -> Vec<Finding> {
    let files = project.files().under(&folder.folder);
    let texts = files.filter(|(path, _)| {
        Path::new(path).extension().is_some_and(|end| end.eq_ignore_ascii_case("md"))
    });
    let texts = texts.filter_map(|(path, _)| Some((path, project.files().text(path)?)));
    texts.flat_map(|(path, text)| of_file(project, path, text)).collect()
}

fn of_file(project: &Project, path: &str, text: &str) -> Vec<Finding> {
    let warning = |at: usize, message: String, help: String| {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let place = Source::new(path, text).place(Span { start: at, end: at });
        Finding::warning(codes::STALE_GUIDE, message).at(place).help(help)
    };
    let found = match parts(text) {
        Ok(found) => found,
        Err(unmarked) => {
            let help = "write the line, or remove the part and generate it again";
            return vec![warning(unmarked.at, unmarked.to_string(), help.to_owned())];
        }
    };
    let mut findings = Vec::new();
    for part in found {
        let marks = &part.marks;
        let again = format!(
            "`qc contract guide {} --from {} --to {} --out {path}` writes it again",
            marks.trigger, marks.from, marks.to
        );
        let (integration, trigger) = marks.trigger.split_once('/').unwrap_or((&marks.trigger, ""));
        let request = Request { integration, trigger, from: &marks.from, to: &marks.to };
        let at = part.range.start;
        match guide(project, request) {
            Ok(made) if made.marks().around(&made.markdown()) == text[part.range.clone()] => {}
            Ok(_) => {
                let message = format!(
                    "the guide from {} to {} is not what the contracts and their steps say now",
                    marks.from, marks.to
                );
                findings.push(warning(at, message, again));
            }
            Err(why) => {
                let why = why.first().map_or_else(String::new, |why| format!(": {}", why.message));
                let message =
                    format!("the guide from {} to {} cannot hold{why}", marks.from, marks.to);
                findings.push(warning(at, message, format!("mend that; then {again}")));
            }
        }
    }
    findings
}
