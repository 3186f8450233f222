//! The example of a two-way sync: it checks clean, its scenarios pass, and they would not without
//! what keeps it from hearing itself.

use std::path::PathBuf;

use qc_project::{Project, ProjectFiles, acceptance, check, render};

const INTEGRATION: &str = "integrations/contact-sync/integration.yaml";

fn files() -> ProjectFiles {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/two-way-sync");
    ProjectFiles::read(&folder).expect("the example can be read")
}

#[test]
fn it_checks_clean_and_each_change_is_written_once() {
    let project = Project::load(files());
    let findings = project.check();
    let form = render::Format::Human { colour: false };
    let shown = render::render(form, &findings, project.files());
    assert!(!check::fails(&findings, true), "{shown}");
    let report = acceptance::run(&project, &acceptance::Selection::default());
    let shown = acceptance::human(&report, project.files(), false);
    assert!(report.passed() && report.uncovered.is_empty(), "{shown}");
    assert!(report.scenarios.len() >= 2, "{shown}");
}

#[test]
fn without_echo_it_hears_itself() {
    let mut files = files();
    let text = files.text(INTEGRATION).expect("is there").to_owned();
    let (before, echo) = text.split_once("\necho:\n").expect("has an echo");
    let (_, after) = echo.split_once("\nfailure_modes:").expect("something follows");
    files.insert(INTEGRATION, format!("{before}\nfailure_modes:{after}"));
    let project = Project::load(files);
    assert!(!check::fails(&project.check(), true));
    let report = acceptance::run(&project, &acceptance::Selection::default());
    assert!(!report.passed(), "{}", acceptance::human(&report, project.files(), false));
}
