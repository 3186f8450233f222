//! `qc gate --against`: what a change breaks for others, before it is merged.

use std::process::Command;

use crate::scene::Scene;

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const CONTRACT: &str = "integrations/notify/contracts/alert.schema.json";

fn git(scene: &Scene, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@t.test"]).args(words);
    assert!(git.current_dir(scene.path("")).status().unwrap().success(), "git {words:?}");
}

/// The template, committed; what is asked for more is in its contract.
fn committed() -> Scene {
    let scene = Scene::template("notify");
    git(&scene, &["init", "-q"]);
    git(&scene, &["add", "-A"]);
    git(&scene, &["commit", "-qm", "first"]);
    scene
}

fn ask_for_more(scene: &Scene) {
    scene.edit(CONTRACT, r#""required": ["#, r#""required": ["host", "#);
    let host = r#""properties": {
    "host": {"type": "string"},"#;
    scene.edit(CONTRACT, r#""properties": {"#, host);
}

#[test]
fn the_same_passes_and_what_breaks_is_held_with_what_is_missing() {
    let scene = committed();
    let against = ["gate", "--against", "git:HEAD"];
    scene.qc(&against).ends(0).says("no-change");
    ask_for_more(&scene);
    let held = scene.qc(&against).ends(100);
    let held = held.says("breaking").says("/in/notify/alert").says("breaking_changes");
    let held = held.says("asks for major").says(CONTRACT);
    let id = held
        .out
        .split("held: ")
        .find_map(|line| line.split(' ').next().filter(|id| id.starts_with("chg-")));
    let id = id.unwrap().to_owned();
    // For machines.
    let json = scene.qc(&[&against[..], &["--json"]].concat()).ends(100).json();
    assert_eq!(json["holds"], true);
    assert_eq!(json["integrations"]["notify"]["gate"]["breaks"][0]["id"], id);
    scene.qc(&[&against[..], &["--format", "github"]].concat()).ends(100).says("::error");
    // Written about and numbered, it may be let pass, and still does not pass by itself.
    scene.edit(INTEGRATION, "version: 1.0.0", "version: 2.0.0");
    scene.write("integrations/notify/CHANGELOG.md", "# Changes\n\n## 2.0.0\n\nSay the host.\n");
    scene.write("integrations/notify/migrations/1-to-2.md", "# From 1 to 2\n");
    let text = scene.read(INTEGRATION);
    let written = format!(
        "{text}\nbreaking_changes:\n  {id}: {{announced: 2026-01-01, changelog: CHANGELOG.md#2.0.0, \
         migration: migrations/1-to-2.md}}\n"
    );
    scene.write(INTEGRATION, &written);
    let json = scene.qc(&[&against[..], &["--json"]].concat()).ends(100).json();
    let gate = &json["integrations"]["notify"]["gate"];
    assert_eq!(
        (&gate["may_be_overridden"], &gate["passes"]),
        (&true.into(), &false.into()),
        "{gate}"
    );
    assert_eq!(gate["breaks"][0]["migration"], "migrations/1-to-2.md");
    // Against a folder it is the same.
    let older = Scene::template("notify");
    let older = older.path("");
    scene.qc(&["gate", "--against", older.to_str().unwrap()]).ends(100).says(&id);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let scene = committed();
    scene.qc(&["gate"]).ends(2);
    scene.qc(&["gate", "production"]).ends(2);
    for odd in ["git:no-such-branch", "git:", "git:--output=x", "nowhere"] {
        let ran = scene.qc(&["gate", "--against", odd]);
        assert!(ran.code != 0 && ran.code != 100, "{odd}: {ran:?}");
        assert!(ran.err.contains(odd.trim_start_matches("git:")), "{odd}: {ran:?}");
    }
    scene.qc(&["gate", "--against", "git:HEAD", "--format", "odd"]).ends(2).warns("markdown");
}
