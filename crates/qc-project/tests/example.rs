//! The example projects: they check without a finding that counts, and all of their scenarios pass.

use std::path::PathBuf;

use qc_project::{Project, ProjectFiles, acceptance, check, render};

const EXAMPLES: [(&str, usize); 3] =
    [("customer-escalation", 8), ("refund-approval", 4), ("order-paid", 8)];

fn project(name: &str) -> Project {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    Project::load(ProjectFiles::read(&folder).expect("the example can be read"))
}

#[test]
fn they_check_clean() {
    for (name, _) in EXAMPLES {
        let project = project(name);
        let findings = project.check();
        let form = render::Format::Human { colour: false };
        let shown = render::render(form, &findings, project.files());
        assert!(!check::fails(&findings, true), "{name}: {shown}");
    }
}

#[test]
fn all_scenarios_pass_and_cover_every_failure_mode() {
    for (name, scenarios) in EXAMPLES {
        let project = project(name);
        let report = acceptance::run(&project, &acceptance::Selection::default());
        let shown = acceptance::human(&report, project.files(), false);
        println!("{shown}");

        assert!(report.passed(), "{name}: {shown}");
        assert!(report.uncovered.is_empty(), "{name}: {shown}");
        assert!(report.scenarios.len() >= scenarios);
    }
}
