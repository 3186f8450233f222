//! The example of three nodes: what it sets exists and can be used, and what it names is there.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use qc_document::{ParseLimits, Source, parse_yaml};
use serde_json::{Map, Value};

/// YAML's merge keys are the composer's, and not of the files that this project reads.
const MERGE: &str = "<<: *node";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/three-nodes")
}

/// The file, with what every node has in common put into each.
fn compose() -> Value {
    let text = fs::read_to_string(folder().join("compose.yaml")).unwrap();
    let marked = text.replace(MERGE, "merged: node");
    let document =
        parse_yaml(Source::new("compose.yaml", marked), &ParseLimits::default()).unwrap();
    let mut value = document.root.to_value();
    let common = value["x-node"].as_object().unwrap().clone();
    for service in value["services"].as_object_mut().unwrap().values_mut() {
        let own: &mut Map<String, Value> = service.as_object_mut().unwrap();
        if own.remove("merged").is_some() {
            for (key, value) in &common {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    value
}

fn nodes(compose: &Value) -> Vec<(&String, &Value)> {
    let services = compose["services"].as_object().unwrap().iter();
    services.filter(|(_, service)| service["image"] == "quickconnect:local").collect()
}

#[test]
fn three_nodes_share_one_postgres_and_one_door() {
    let compose = compose();
    let nodes = nodes(&compose);
    assert_eq!(nodes.len(), 3);
    let names: BTreeSet<&str> = nodes.iter().map(|(name, _)| name.as_str()).collect();
    let stores: BTreeSet<&str> =
        nodes.iter().map(|(_, node)| node["environment"]["QC_STORE"].as_str().unwrap()).collect();
    let store = stores.first().unwrap();
    assert_eq!(stores.len(), 1, "{stores:?}");
    let host = store.split_once('@').unwrap().1.split_once('/').unwrap();
    assert!(compose["services"][host.0]["image"].as_str().unwrap().starts_with("postgres:"));
    let database = host.1.split_once('?').unwrap().0;
    let server = &compose["services"][host.0]["environment"];
    assert_eq!(server["POSTGRES_DB"], database);
    for (name, node) in &nodes {
        assert_eq!(node["hostname"], **name, "the node's name comes from the machine's");
        assert_eq!(node["depends_on"][host.0]["condition"], "service_healthy");
        assert!(node["stop_grace_period"].as_str().unwrap().trim_end_matches('s') > "25");
    }
    let nginx = fs::read_to_string(folder().join("nginx.conf")).unwrap();
    let upstream: BTreeSet<&str> = nginx
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server "))
        .filter_map(|rest| rest.split_once(":7070"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(upstream, names, "the door knows every node");
    for (service, value) in compose["services"].as_object().unwrap() {
        for volume in value["volumes"].as_array().into_iter().flatten() {
            let (from, _) = volume.as_str().unwrap().split_once(':').unwrap();
            let known = compose["volumes"].as_object().unwrap().contains_key(from);
            // The folder of secrets is the reader's to make.
            let there = from == "./secrets" || folder().join(from).exists();
            assert!(known || (from.starts_with('.') && there), "{service}: {from}");
        }
        for wanted in value["depends_on"].as_array().into_iter().flatten() {
            assert!(compose["services"].get(wanted.as_str().unwrap()).is_some(), "{service}");
        }
    }
    let built = compose["x-node"]["build"].as_object().unwrap();
    let context = folder().join(built["context"].as_str().unwrap());
    assert!(context.join(built["dockerfile"].as_str().unwrap()).exists());
    assert!(context.join("Cargo.lock").exists());
}

#[test]
fn its_settings_exist_and_can_be_used() {
    let compose = compose();
    for (name, node) in nodes(&compose) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
        command.args(["config", "explain", "--json"]).env_clear().current_dir(std::env::temp_dir());
        let mut variables = BTreeSet::new();
        for (variable, value) in node["environment"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            let value = value.replace("${POSTGRES_PASSWORD:?set it in .env}", "secret");
            assert!(!value.contains("${"), "{variable} needs something that nobody sets: {value}");
            variables.insert(variable.as_str());
            command.env(variable, value);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let taken: BTreeSet<&str> = told["settings"]
            .as_object()
            .unwrap()
            .values()
            .filter(|setting| setting["source"] == "variable")
            .map(|setting| setting["where"].as_str().unwrap())
            .collect();
        assert_eq!(taken, variables, "{name}: a variable that no setting has");
    }
}
