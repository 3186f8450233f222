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
        found.extend(leaks.map(|leak| finding(&source, &leak)));
    }
    found
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
