//! What a large connector costs: loads GitHub's description (11 MB), keeps three operations, and prints time and memory.
//! `cargo run -p qc-connect --example footprint -- /path/to/github-rest-api.json`

use std::{collections::BTreeMap, fs, time::Instant};

use qc_connect::connector::Connector;

/// The allocator of the binary, so that what is measured here is what a server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.unwrap_or("VmRSS: unknown").replace('\t', " ")
}

fn main() {
    let Some(path) = std::env::args().nth(1) else {
        println!("give the path of an OpenAPI description");
        return;
    };
    println!("at start: {}", resident());
    let kept = {
        let document = fs::read_to_string(path).expect("the description can be read");
        let yaml = "name: github\nversion: 1.0.0\ntitle: GitHub\nopenapi: openapi.json\n";
        let files = BTreeMap::from([
            ("connectors/github/connector.yaml".to_owned(), yaml.to_owned()),
            ("connectors/github/openapi.json".to_owned(), document),
        ]);
        let begun = Instant::now();
        let (connector, findings) = Connector::load(&files, "connectors/github");
        println!(
            "loaded in {:?} with {} findings: {}",
            begun.elapsed(),
            findings.len(),
            resident()
        );
        let connector = connector.expect("the description is usable");
        let begun = Instant::now();
        let (kept, _) = connector.keep(["issues/create", "issues/get", "issues/create-comment"]);
        println!(
            "kept {} operations in {:?}: {}",
            kept.operation_names().len(),
            begun.elapsed(),
            resident()
        );
        kept
    };
    println!("all else dropped: {}", resident());
    println!(
        "what is kept is {} bytes of JSON",
        kept.api()
            .keep_only(&["issues/create", "issues/get", "issues/create-comment"])
            .to_string()
            .len()
    );
    println!("{:?}", kept.operation_names());
}
