//! Credentials that stand in the project's files.

use std::collections::BTreeSet;

use qc_document::{Source, Span};
use qc_model::{Code, Finding, Place};
use qc_vault::{Leak, Sureness, leaks};

use crate::{Project, ProjectFiles, codes, project::PROJECT_FILE};

/// The codes of findings whose place is a secret, which is not shown.
pub(crate) const IS_SECRET: &[Code] = &[
    codes::LITERAL_SECRET,
    codes::LEAKED,
    codes::MAY_BE_LEAKED,
    qc_vault::codes::BAD_REFERENCE,
    qc_workflow::codes::LITERAL_SECRET,
];

/// Everything in the files that looks like a credential, but for what `quickconnect.yaml` says is none.
pub(super) fn check(project: &Project, out: &mut Vec<Finding>) {
    let said = project.organisation().map(|file| &file.value.not_secrets);
    let none: BTreeSet<&str> = said.into_iter().flatten().map(|one| one.0.as_str()).collect();
    let mut found = find(project.files(), &none);
    // What another rule says is a secret is said once.
    let told = out.iter().filter(|finding| IS_SECRET.contains(&finding.code));
    let told: Vec<&Place> = told.filter_map(|finding| finding.place.as_ref()).collect();
    found.retain(|finding| {
        let here = finding.place.as_ref();
        !here.is_some_and(|here| {
            told.iter().any(|it| it.file == here.file && it.start < here.end && here.start < it.end)
        })
    });
    out.extend(found);
}

/// Everything in some files that looks like a credential. The findings never repeat it.
pub fn find(files: &ProjectFiles, none: &BTreeSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, bytes) in files.iter() {
        // What is no text has no form to be told by.
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let leaks = leaks(text).into_iter();
        let mut leaks = leaks.filter(|leak| !none.contains(leak.fingerprint.as_str())).peekable();
        if leaks.peek().is_none() {
            continue;
        }
        let source = Source::new(path, text);
        if is_api_document(text) {
            found.extend(examples(&source, &leaks.collect::<Vec<_>>()));
        } else {
            found.extend(leaks.map(|leak| finding(&source, &leak)));
        }
    }
    found
}

/// Whether a text is an OpenAPI document, which has its version as `openapi` or `swagger`: vendors fill theirs with
/// examples of credentials. Some have their keys by the alphabet, so that it stands far down.
fn is_api_document(text: &str) -> bool {
    ["openapi", "swagger"].iter().any(|key| {
        text.match_indices(key).any(|(at, _)| {
            let after = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
            let value = after.strip_prefix(':').unwrap_or_default().trim_start();
            let version = value.trim_start_matches(['"', '\'']);
            version.starts_with("2.0") || version.starts_with("3.")
        })
    })
}

/// One note for all that stands in an API document.
fn examples(source: &Source, leaks: &[Leak]) -> Option<Finding> {
    let first = leaks.first()?;
    let place = source.place(Span::new(first.at.start, first.at.end));
    let count = leaks.len();
    let message = format!(
        "{count} {} of this API document {} the form of a credential",
        if count == 1 { "text" } else { "texts" },
        if count == 1 { "has" } else { "have" },
    );
    let finding = Finding::note(codes::MAY_BE_LEAKED, message).at(place);
    Some(finding.help("they are its vendor's examples, unless somebody put them there"))
}

fn finding(source: &Source, leak: &Leak) -> Finding {
    let place = source.place(Span::new(leak.at.start, leak.at.end));
    let finding = match leak.sureness {
        Sureness::Sure => {
            Finding::error(codes::LEAKED, format!("{} stands in the file", leak.what))
        }
        Sureness::Likely => Finding::warning(
            codes::MAY_BE_LEAKED,
            format!("{} stands in the file, it seems", leak.what),
        ),
    };
    finding.at(place).help(format!(
        "revoke it where it is from: it is in the history of the files; then write a reference, `secret://…`. If it is no \
         secret, add `{}` to `not_secrets` of {PROJECT_FILE}",
        leak.fingerprint
    ))
}
