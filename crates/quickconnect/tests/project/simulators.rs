use std::{
    io::{BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::scene::Scene;

/// Simulators that run, ended with the test.
pub(crate) struct Simulators {
    child: Child,
    listing: Value,
}

impl Simulators {
    pub(crate) fn start(scene: &Scene, more: &[&str]) -> Self {
        let mut arguments = vec!["simulate", "--json", "--port", "0"];
        arguments.extend(more);
        let mut command = scene.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // They listen when the listing is there.
        let out = BufReader::new(child.stdout.as_mut().unwrap());
        let listing = serde_json::Deserializer::from_reader(out).into_iter().next();
        Self { child, listing: listing.expect("it says where they listen").unwrap() }
    }

    pub(crate) fn address(&self, connector: &str) -> String {
        let all = self.listing["simulators"].as_array().unwrap();
        let one = all.iter().find(|one| one["connector"] == connector).unwrap();
        one["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned()
    }

    fn ask(&self, connector: &str, request: &str) -> String {
        let address = self.address(connector);
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        stream.write_all(format!("{head}X-Api-Key: k\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks it to end; gives its code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Simulators {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn all_connectors_of_a_project_are_simulated_until_the_user_ends_them() {
    let scene = Scene::example();
    let simulators = Simulators::start(&scene, &["--ledger", "seen"]);
    for connector in ["chat", "crm", "tracker"] {
        let health = simulators.ask(connector, "GET /_sim/health");
        assert!(health.starts_with("HTTP/1.1 200") && health.contains(connector), "{health}");
    }
    let answer = simulators.ask("crm", "GET /customers");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let variables = simulators.listing["variables"].to_string();
    assert!(variables.contains("QC_SECRET_SANDBOX_CRM_API_KEY"), "{variables}");
    let (code, said) = simulators.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("crm received 1 request\n"), "{said}");
    let ledger = scene.read("seen/crm.ndjson");
    assert!(ledger.contains("/customers"), "{ledger}");
}

#[test]
fn faults_can_be_given_and_only_the_chosen_ones_run() {
    let scene = Scene::example();
    scene.write("faults.yaml", "- {then: {unavailable: {}}, times: always}\n");
    let simulators = Simulators::start(&scene, &["crm", "--faults", "crm=faults.yaml"]);
    assert_eq!(simulators.listing["simulators"].as_array().unwrap().len(), 1);
    let answer = simulators.ask("crm", "GET /customers");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(simulators.end().0, Some(0));
}

#[test]
fn what_is_not_there_cannot_be_simulated() {
    let scene = Scene::example();
    scene.qc(&["simulate", "crn"]).ends(3).warns("QC-K020").warns("did you mean `crm`?");
    scene.write("faults.yaml", "- {then: explode}\n");
    scene.qc(&["simulate", "--faults", "crm=faults.yaml"]).ends(100).warns("faults.yaml:1:");
    scene.qc(&["simulate", "crm", "--faults", "chat=faults.yaml"]).ends(2).warns("not simulated");
}

#[test]
fn a_port_that_is_taken_is_a_conflict() {
    let scene = Scene::example();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    scene.qc(&["simulate", "crm", "--port", &port]).ends(5).warns("QC-T008").warns("--port 0");
}
