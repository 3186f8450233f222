use crate::scene::Scene;

#[test]
fn each_template_checks_clean_and_passes_its_scenarios() {
    for template in ["ticket-sync", "state-sync", "notify"] {
        let scene = Scene::empty();
        let made = scene.qc(&["init", "demo", "--template", template]).ends(0);
        made.says(template).warns("cd demo").warns("qc check").warns("qc test");
        let inside = |arguments: &[&str]| {
            crate::scene::Ran::of(scene.command(arguments).current_dir(scene.path("demo")))
        };
        inside(&["check", "--strict"]).ends(0).says("not enforced at run time yet");
        let tested = inside(&["test", "--strict", "--json"]).ends(0);
        let report = tested.json();
        assert!(report["scenarios"].as_array().unwrap().len() >= 2, "{report}");
        assert_eq!(report["passed"], true);
        assert_eq!(report["uncovered"], serde_json::json!([]));
        inside(&["release", "build", "--dry-run"]).ends(0);
    }
}

#[test]
fn a_folder_that_holds_something_is_left_alone_unless_forced() {
    let scene = Scene::empty();
    scene.write("README.md", "mine");
    let refused = scene.qc(&["init"]).ends(5);
    refused.warns("QC-P036").warns("this folder is not empty").warns("--force");
    assert!(!scene.path("quickconnect.yaml").exists());
    scene.write("other.txt", "stays");
    scene.qc(&["init", "--force"]).ends(0);
    assert_ne!(scene.read("README.md"), "mine");
    assert_eq!(scene.read("other.txt"), "stays");
    // A repository that was made first is no obstacle.
    let fresh = Scene::empty();
    fresh.write(".git/HEAD", "ref: refs/heads/main\n");
    fresh.qc(&["init"]).ends(0);
}

#[test]
fn a_new_integration_checks_clean_and_passes() {
    let scene = Scene::template("notify");
    let made = scene.qc(&["new", "integration", "orders"]).ends(0);
    made.says("integrations/orders/workflow.yaml").warns("qc test --integration orders");
    scene.qc(&["check", "--strict"]).ends(0);
    let report = scene.qc(&["test", "--integration", "orders", "--json"]).ends(0).json();
    assert_eq!(report["scenarios"].as_array().unwrap().len(), 1);
    scene.qc(&["new", "integration", "orders"]).ends(5).warns("QC-P036");
    scene.qc(&["new", "integration", "Or ders"]).ends(2).warns("is not a name");
}

#[test]
fn the_names_of_the_templates_are_offered() {
    let scene = Scene::empty();
    let refused = scene.qc(&["init", "--template", "ticketsync"]).ends(2);
    refused.warns("ticket-sync, state-sync, notify").warns("a similar value exists: 'ticket-sync'");
    assert!(!scene.path("quickconnect.yaml").exists());
}
