//! Each template is a project that checks clean and whose scenarios all pass.

use qc_project::{Project, acceptance, check, render, scaffold};

#[test]
fn every_template_checks_and_passes() {
    for template in scaffold::Template::ALL {
        let project = Project::load(scaffold::init(template));
        let findings = project.check();
        let shown =
            render::render(render::Format::Human { colour: false }, &findings, project.files());
        assert!(!check::fails(&findings, true), "{}: {shown}", template.name());
        let report = acceptance::run(&project, &acceptance::Selection::default());
        let shown = acceptance::human(&report, project.files(), false);
        println!("{shown}");
        assert!(report.passed() && report.uncovered.is_empty(), "{}: {shown}", template.name());
        assert!(!report.scenarios.is_empty());
    }
}

#[test]
fn what_is_embedded_is_what_lies_in_the_folder() {
    for template in scaffold::Template::ALL {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("templates")
            .join(template.name());
        let there = qc_project::ProjectFiles::read(&folder).expect("can be read");
        let embedded = scaffold::init(template);
        let names = |files: &qc_project::ProjectFiles| {
            files.iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&there), names(&embedded), "{}", template.name());
        assert_eq!(there, embedded);
    }
}

#[test]
fn a_new_integration_checks_and_passes() {
    let mut files = scaffold::init(scaffold::Template::Notify);
    let name = qc_model::Name::new("order-shipped").expect("is a name");
    let added =
        scaffold::new_integration(&Project::load(files.clone()), &name).expect("can be made");
    for (path, bytes) in added.iter() {
        files.insert(path, bytes.clone());
    }
    let project = Project::load(files);
    let findings = project.check();
    let shown = render::render(render::Format::Human { colour: false }, &findings, project.files());
    assert!(!check::fails(&findings, true), "{shown}");
    let only =
        acceptance::Selection { integration: Some("order-shipped".to_owned()), scenario: None };
    let report = acceptance::run(&project, &only);
    assert!(
        report.passed() && report.scenarios.len() == 1,
        "{}",
        acceptance::human(&report, project.files(), false)
    );
    assert!(scaffold::new_integration(&project, &name).is_err(), "nothing is overwritten");
}

#[test]
fn a_new_connector_loads() {
    let mut files = scaffold::init(scaffold::Template::Notify);
    let document = files.text("connectors/chat/openapi.yaml").expect("is there").to_owned();
    let name = qc_model::Name::new("other-chat").expect("is a name");
    let made = scaffold::new_connector(&Project::load(files.clone()), &name, &document, false)
        .expect("can be made");
    assert!(!made.decisions.is_empty());
    for (path, bytes) in made.files.iter() {
        files.insert(path, bytes.clone());
    }
    let project = Project::load(files);
    assert!(project.is_sound(), "{:#?}", project.load_findings());
    assert!(project.connectors().get("other-chat").is_some());
}
