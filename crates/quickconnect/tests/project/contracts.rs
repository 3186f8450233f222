//! `qc contract test`, as a team uses it: against a simulator, a provider on this machine, consumers' files, a consumer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{scene::Scene, simulators::Simulators};

/// Somebody who answers every request alike, and counts them.
struct Listener {
    address: String,
    count: Arc<AtomicUsize>,
}

impl Listener {
    fn start(answer: impl Fn(&str, &str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                converse(stream, &answer);
            }
        });
        Self { address, count }
    }
}

fn converse(mut stream: TcpStream, answer: &impl Fn(&str, &str) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    drop(reader.read_exact(&mut body));
    let answer = answer(first.trim(), &String::from_utf8_lossy(&body));
    drop(stream.write_all(answer.as_bytes()));
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

const CRM: &str = "connectors/crm/openapi.yaml";

fn failed(told: &Value) -> Vec<String> {
    let results = told["reports"][0]["results"].as_array().unwrap();
    let failed = results.iter().filter(|result| result["outcome"] == "failed");
    failed.map(|result| result["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_simulator_keeps_its_contract_and_the_score_is_a_gate() {
    let scene = Scene::example();
    let all = ["contract", "test", "connectors/crm", "--simulator", "--lenient", "--json"];
    let told = scene.qc(&all).ends(0).json();
    assert_eq!((&told["schema_version"], &told["outcome"]), (&json!(1), &json!("passed")));
    assert!(told["reports"][0]["cases"].as_u64().unwrap() > 100, "{told}");
    let one = ["contract", "test", CRM, "--simulator", "--lenient", "--operation"];
    let with = |more: &[&str]| scene.qc(&[&one[..], more].concat());
    let scored = ["getCustomer", "--score", "--min-score", "90"];
    with(&scored).ends(0).says("mutation score: ");
    with(&["putCustomer", "--format", "junit"])
        .ends(0)
        .says("<testsuites")
        .says("putCustomer/valid");
    let strict =
        scene.qc(&["contract", "test", CRM, "--simulator", "--operation", "listCustomers"]);
    strict.ends(100).says("QC-C061").says(&format!("{}:", "openapi.yaml")).says("describe 400");
}

#[test]
fn a_provider_on_this_machine_is_tested_over_http() {
    let scene = Scene::example();
    let simulators = Simulators::start(&scene, &["crm"]);
    let address = format!("http://{}", simulators.address("crm"));
    scene.write("credentials.yaml", "valid: {api_key: {env: CRM_KEY}}\n");
    let arguments = [
        "contract",
        "test",
        CRM,
        "--provider",
        &address,
        "--credentials",
        "credentials.yaml",
        "--lenient",
        "--rate",
        "5000",
        "--json",
    ];
    // A variable that is not set is said before anything is sent.
    scene.qc(&arguments).ends(100).warns("QC-C071").warns("CRM_KEY");
    let mut command = scene.command(&arguments);
    let told = crate::scene::Ran::of(command.env("CRM_KEY", "crm-secret-key")).ends(100);
    assert!(!told.out.contains("crm-secret-key"), "{}", told.out);
    // `qc simulate` takes whoever shows any key, and that is noticed.
    let failed = failed(&told.json());
    assert!(!failed.is_empty(), "the keys are not looked at");
    assert!(failed.iter().all(|id| id.ends_with("/malformed-credentials")), "{failed:?}");
}

#[test]
fn nothing_is_sent_to_others() {
    let scene = Scene::example();
    let listener = Listener::start(|_, _| http("200 OK", "{}"));
    let port = listener.address.rsplit(':').next().unwrap();
    let refused = |address: &str, more: &[&str]| {
        let arguments = ["contract", "test", CRM, "--provider", address];
        scene
            .qc(&[&arguments[..], more].concat())
            .ends(2)
            .warns("QC-C060")
            .warns("--test-endpoint");
    };
    refused("https://crm.example", &[]);
    refused(&format!("http://0.0.0.0:{port}"), &[]);
    refused(
        &format!("http://localhost.example.com:{port}"),
        &["--test-endpoint", "http://localhost"],
    );
    assert_eq!(listener.count.load(Ordering::SeqCst), 0);
    // Nobody listens there.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    drop(silent);
    scene
        .qc(&[
            "contract",
            "test",
            CRM,
            "--provider",
            &address,
            "--operation",
            "getCustomer",
            "--rate",
            "1000",
        ])
        .ends(6);
    for arguments in [
        &["contract", "test", CRM][..],
        &["contract", "test"],
        &["contract", "test", CRM, "--simulator", "--format", "xml"],
        &["contract", "test", CRM, "--provider", &address, "--score"],
    ] {
        scene.qc(arguments).ends(2);
    }
    scene
        .qc(&["contract", "test", CRM, "--simulator", "--operation", "getCustomers"])
        .ends(3)
        .warns("getCustomer");
    scene.qc(&["contract", "test", "nothing.yaml", "--simulator"]).ends(3);
}

/// A redirect that leads elsewhere is an answer, and nobody goes there.
#[test]
fn redirects_are_not_followed() {
    let scene = Scene::example();
    let elsewhere = Listener::start(|_, _| http("200 OK", "{}"));
    let to = elsewhere.address.clone();
    let provider = Listener::start(move |_, _| {
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let arguments = [
        "contract",
        "test",
        CRM,
        "--provider",
        &provider.address,
        "--operation",
        "listCustomers",
        "--rate",
        "1000",
    ];
    scene.qc(&arguments).ends(100).says("307");
    assert!(provider.count.load(Ordering::SeqCst) > 5);
    assert_eq!(elsewhere.count.load(Ordering::SeqCst), 0);
}

fn pact(total: &Value) -> String {
    json!({
        "consumer": { "name": "web" },
        "provider": { "name": "shop" },
        "interactions": [{
            "description": "the total of an order",
            "providerStates": [{ "name": "there is an order" }],
            "request": { "method": "GET", "path": "/orders/1" },
            "response": {
                "status": 200,
                "body": { "total": total },
                "matchingRules": { "body": { "$.total": { "matchers": [{ "match": "type" }] } } },
            },
        }],
        "metadata": { "pactSpecification": { "version": "3.0.0" } },
    })
    .to_string()
}

#[test]
fn consumers_expectations_and_consumers_are_tested() {
    let scene = Scene::empty();
    let provider = Listener::start(|first, body| match first.split(' ').nth(1) {
        Some("/orders/1") => http("200 OK", "{\"total\": 7}"),
        Some("/states") if body.contains("there is an order") => http("200 OK", "{}"),
        _ => http("404 Not Found", ""),
    });
    scene.write("good.json", &pact(&json!(3)));
    scene.write("bad.json", &pact(&json!("three")));
    let states = format!("{}/states", provider.address);
    let run = |files: &[&str]| {
        let arguments = [
            "contract",
            "test",
            "--provider",
            &provider.address,
            "--states-url",
            &states,
            "--pact",
        ];
        scene.qc(&[&arguments[..], files].concat())
    };
    run(&["good.json"]).ends(0).says("1 passed");
    run(&["good.json", "bad.json"])
        .ends(100)
        .says("QC-C068")
        .says("/body/total")
        .says("bad.json:1:");
    scene.write("broken.json", "{\"consumer\": {}}");
    run(&["broken.json"]).ends(100).warns("QC-C050");

    scene.write("order.json", "{\"type\": \"object\", \"required\": [\"id\"], \"properties\": {\"id\": {\"type\": \"string\", \"maxLength\": 9}}}");
    let consumer = Listener::start(|_, body| {
        if body.contains("qc_not_described") {
            http("400 Bad Request", "")
        } else {
            http("204 No Content", "")
        }
    });
    let arguments =
        ["contract", "test", "--consumer", &consumer.address, "--schema", "order.json", "--json"];
    let told = scene.qc(&arguments).ends(100).json();
    assert_eq!(failed(&told), ["now/extra-field"], "{told}");
}
