use crate::scene::{Ran, Scene};

#[test]
fn wrong_command_lines_end_with_2_and_say_why() {
    let scene = Scene::example();
    for (arguments, text) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["check", "--stric"], "--strict"),
        (&["new", "connector", "github"], "--openapi"),
        (&["simulate", "--port", "many"], "--port"),
        (&["simulate", "--faults", "tracker"], "CONNECTOR=FILE"),
        (&["release", "build", "--folder"], "--folder"),
        (&["completions", "cmd"], "possible values"),
        (&["runs", "list", "--url", "nonsense"], "`nonsense` is no address of a server"),
        (&["tail", "--url", "ftp://x"], "http://127.0.0.1:7070"),
    ] {
        let ran = scene.qc(arguments).ends(2).warns("error[QC-K0").warns(text);
        assert_eq!(ran.out, "", "{arguments:?}");
    }
}

#[test]
fn outside_of_a_project_nothing_is_read() {
    let scene = Scene::empty();
    for verb in [
        &["check"][..],
        &["test"],
        &["simulate"],
        &["new", "integration", "orders"],
        &["release", "build", "--dry-run"],
    ] {
        let ran = scene.qc(verb).ends(3);
        ran.warns("QC-P001").warns("qc init");
    }
    scene.qc(&["check", "nowhere"]).ends(3).warns("there is no folder `nowhere`");
    // A folder that was named is meant, and none above it.
    let project = Scene::example();
    project.qc(&["check", "integrations"]).ends(3).warns("in `integrations`");
}

#[test]
fn a_project_is_found_from_any_folder_inside() {
    let scene = Scene::example();
    let inside = scene.path("integrations/customer-escalation");
    let ran = Ran::of(scene.command(&["check"]).current_dir(&inside)).ends(0);
    ran.says("--> quickconnect.yaml:");
    Ran::of(scene.command(&["test", "--scenario", "happy-path"]).current_dir(&inside)).ends(0);
    Ran::of(scene.command(&["new", "integration", "orders"]).current_dir(&inside)).ends(0);
    assert!(scene.path("integrations/orders/workflow.yaml").is_file());
}

#[test]
fn quiet_means_results_and_errors_only() {
    let scene = Scene::empty();
    let made = scene.qc(&["init", "--quiet"]).ends(0);
    assert_eq!(made.err, "");
    assert_eq!(made.out.lines().count(), 1);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scene = Scene::example();
    let mut command = scene.command(&["check"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(0));
}
