//! The example project: it checks without a finding that counts, and all of its scenarios pass.

use std::path::PathBuf;

use qc_project::{Project, ProjectFiles, acceptance, check, render};

fn project() -> Project {
    named("customer-escalation")
}

fn named(example: &str) -> Project {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    Project::load(ProjectFiles::read(&folder).expect("the example can be read"))
}

#[test]
fn it_checks_clean() {
    let project = project();
    let findings = project.check();
    let shown = render::render(render::Format::Human { colour: false }, &findings, project.files());
    assert!(!check::fails(&findings, true), "{shown}");
}

#[test]
fn all_scenarios_pass_and_cover_every_failure_mode() {
    let project = project();
    let report = acceptance::run(&project, &acceptance::Selection::default());
    let shown = acceptance::human(&report, project.files(), false);
    println!("{shown}");

    assert!(report.passed(), "{shown}");
    assert!(report.uncovered.is_empty(), "{shown}");
    assert!(report.scenarios.len() >= 8);
}

/// Three integrations that know each other only by events, a workflow and a clock.
#[test]
fn the_example_of_events_checks_clean_and_all_of_its_scenarios_pass() {
    let project = named("order-paid");
    let findings = project.check();
    let shown = render::render(render::Format::Human { colour: false }, &findings, project.files());
    assert!(!check::fails(&findings, true), "{shown}");
    let report = acceptance::run(&project, &acceptance::Selection::default());
    let shown = acceptance::human(&report, project.files(), false);
    assert!(report.passed(), "{shown}");
    assert!(report.uncovered.is_empty(), "{shown}");
    assert_eq!(report.scenarios.len(), 8);
}
