//! The `access/` folder: Cedar policies, and the matrix of what they allow, as it was reviewed.

use qc_access::{
    APPROVALS_FILE, Policies,
    codes::{NOT_REVIEWED, POLICY},
    policy::PolicyError,
};
use qc_document::{Source, Span};
use qc_model::{Finding, Name};

use crate::{Project, check::closest_or_list, codes, files::file_place};

/// Where the policies are.
pub const FOLDER: &str = "access";
/// The reviewed matrix, in that folder.
pub const MATRIX: &str = "matrix.tsv";

/// The policy files of a project, the rules of approval with them: (name in the folder, text).
pub fn policy_files(project: &Project) -> Vec<(String, String)> {
    let files = project.files().under(FOLDER);
    files
        .filter_map(|(path, bytes)| {
            let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
            let policy = name.strip_suffix(".cedar").is_some() || name == APPROVALS_FILE;
            policy.then(|| (name.to_owned(), String::from_utf8_lossy(bytes).into_owned()))
        })
        .collect()
}

/// Mistakes of policies, as findings at their places.
pub fn findings(errors: &[PolicyError], files: &[(String, String)]) -> Vec<Finding> {
    let help =
        "docs/access.md says what policies may do, `qc access schema` what they may speak of";
    let told = errors.iter().map(|error| {
        let text = files.iter().find(|(name, _)| *name == error.file).map(|(_, text)| text);
        let Some(text) = text else {
            return Finding::error(POLICY, error.reason.clone()).help(help);
        };
        let before = text.split_inclusive('\n').take(error.line.unwrap_or(1) - 1);
        let at = u32::try_from(before.map(str::len).sum::<usize>()).unwrap_or(0);
        let place = Source::new(format!("{FOLDER}/{}", error.file), text.as_str())
            .place(Span { start: at, end: at });
        Finding::error(POLICY, error.reason.clone()).help(help).at(place)
    });
    told.collect()
}

/// Whether the policies can be used, and allow what was reviewed.
pub(crate) fn check(project: &Project, out: &mut Vec<Finding>) {
    let files = policy_files(project);
    let matrix = project.files().text(&format!("{FOLDER}/{MATRIX}"));
    if files.is_empty() && matrix.is_none() {
        return;
    }
    let policies = match Policies::with(&files) {
        Ok(policies) => policies,
        Err(errors) => {
            out.extend(findings(&errors, &files));
            return;
        }
    };
    named(project, &policies, out);
    let help = "look at `qc access diff`; when it is meant so, write the matrix with `qc access matrix` and have it reviewed";
    let place = file_place(&format!("{FOLDER}/{MATRIX}"));
    let message = match matrix.map(|text| policies.matrix().differs_from(text)) {
        None => "nobody has reviewed what these policies allow: there is no matrix".to_owned(),
        Some(Err((line, reason))) => format!("line {line}: {reason}"),
        Some(Ok(changes)) if changes.is_empty() => return,
        Some(Ok(changes)) => {
            format!("{} cells are not as reviewed, the first: {}", changes.len(), changes[0])
        }
    };
    out.push(Finding::error(NOT_REVIEWED, message).help(help).at(place));
}

/// Whom and what the rules of approval name is there.
fn named(project: &Project, policies: &Policies, out: &mut Vec<Finding>) {
    let Some(organisation) = project.organisation() else { return };
    let organisation = &organisation.value;
    let place = file_place(&format!("{FOLDER}/{APPROVALS_FILE}"));
    for rule in policies.approvals().iter() {
        for person in rule.of.iter().filter(|one| organisation.people.get(one.as_str()).is_none()) {
            let message = format!("`{person}`, who is to approve, is not among `people`");
            let known = organisation.people.names().map(Name::as_str);
            let help = closest_or_list(person.as_str(), known);
            out.push(Finding::error(codes::UNKNOWN_OWNER, message).help(help).at(place.clone()));
        }
        let unknown = |one: &&Name| organisation.environments.get(one.as_str()).is_none();
        for environment in rule.environments.iter().filter(unknown) {
            let message = format!("approvals are about `{environment}`, which is no environment");
            let known = organisation.environments.names().map(Name::as_str);
            let help = closest_or_list(environment.as_str(), known);
            out.push(Finding::error(POLICY, message).help(help).at(place.clone()));
        }
    }
}
