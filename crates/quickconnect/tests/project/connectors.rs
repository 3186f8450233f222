use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;

use crate::scene::Scene;

/// The folder of real documents, which is no part of the project.
fn shared(path: &str) -> Option<PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("QC_SHARED").map_or_else(usual, PathBuf::from);
    let path = folder.join("data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {} is not there; QC_SHARED names the folder of real documents",
        path.display()
    );
    None
}

fn unpack(packed: &Path, target: &Path) {
    let mut text = String::new();
    GzDecoder::new(File::open(packed).unwrap()).read_to_string(&mut text).unwrap();
    fs::write(target, text).unwrap();
}

#[test]
fn a_connector_is_made_from_githubs_document_in_no_time() {
    let Some(packed) = shared("github-rest-api/octokit-openapi-19.1.0.json.gz") else { return };
    let scene = Scene::template("notify");
    unpack(&packed, &scene.path("github.json"));
    let begun = Instant::now();
    let made = scene.qc(&["new", "connector", "github", "--openapi", "github.json"]).ends(0);
    let took = begun.elapsed();
    made.says("connectors/github/connector.yaml").warns("to decide:").warns("qc check");
    // Of an unoptimised program on a busy machine; an optimised one takes a small part of it.
    assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 }), "{took:?}");
    fs::remove_file(scene.path("github.json")).unwrap();
    scene.qc(&["check"]).ends(0);
}

#[test]
fn a_connector_is_made_from_slacks_document_and_checks_clean() {
    let Some(packed) = shared("slack-web-api/2020-10-06.json.gz") else { return };
    let scene = Scene::template("notify");
    let target = scene.path("slack.json");
    unpack(&packed, &target);
    let made = scene
        .qc(&["new", "connector", "slack", "--openapi", "slack.json", "--json"])
        .ends(0)
        .json();
    assert_eq!(made["connector"], "slack");
    assert!(made["decisions"].as_array().unwrap().len() >= 3);
    fs::remove_file(target).unwrap();
    scene.qc(&["check"]).ends(0);
}

#[test]
fn what_is_there_is_not_written_over_and_what_is_no_document_is_refused() {
    let scene = Scene::template("notify");
    let document = "connectors/chat/openapi.yaml";
    let before = scene.read("connectors/chat/connector.yaml");
    scene
        .qc(&["new", "connector", "chat", "--openapi", document])
        .ends(5)
        .warns("QC-P036")
        .warns("--force");
    assert_eq!(scene.read("connectors/chat/connector.yaml"), before);
    scene
        .qc(&["new", "connector", "other", "--openapi", "nowhere.yaml"])
        .ends(2)
        .warns("nowhere.yaml");
    scene.write("notes.txt", "hello: [\n");
    let ran = scene.qc(&["new", "connector", "other", "--openapi", "notes.txt"]).ends(100);
    ran.warns("notes.txt:");
    assert!(!scene.path("connectors/other").exists());
    scene.qc(&["new", "connector", "other", "--openapi", document]).ends(0);
    scene.qc(&["check"]).ends(0);
}

#[test]
fn a_compressed_document_is_recognised() {
    let scene = Scene::template("notify");
    fs::write(scene.path("api.json.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    let ran = scene.qc(&["new", "connector", "other", "--openapi", "api.json.gz"]).ends(2);
    ran.warns("is compressed").warns("gunzip");
}
