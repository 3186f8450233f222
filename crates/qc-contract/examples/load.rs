//! How long a description takes to load, and how much memory: `cargo run --release -p qc-contract --example load -- FILE [OVERLAY]`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use qc_contract::OpenApi;

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let Some(first) = paths.first() else {
        eprintln!("usage: load FILE [OVERLAY]");
        std::process::exit(2);
    };
    let mut files = BTreeMap::new();
    for path in &paths {
        files.insert(path.trim_end_matches(".gz").replace('/', "_"), read(path));
    }
    let entry = first.trim_end_matches(".gz").replace('/', "_");
    let overlays: Vec<&str> =
        files.keys().map(String::as_str).filter(|path| *path != entry).collect();
    report("read", Instant::now());
    let start = Instant::now();
    let parsed = qc_document::parse_json_value(
        files[&entry].as_bytes(),
        &qc_document::ParseLimits::default(),
    );
    report("parse_json_value", start);
    drop(parsed);
    let start = Instant::now();
    let (api, findings) = OpenApi::load_with_overlays(&files, &entry, &overlays);
    report("load", start);
    for finding in findings.iter().take(10) {
        println!("  {finding}");
    }
    let Some(api) = api else { std::process::exit(1) };
    println!("  {} operations, {} findings", api.operations().len(), findings.len());
    let start = Instant::now();
    let ids: Vec<&str> = api.operations().iter().take(20).map(|operation| &*operation.id).collect();
    let proved = api.prove(&ids);
    report("compile the schemas of 20 operations", start);
    println!("  {} findings", proved.len());
    let start = Instant::now();
    let pruned = api.keep_only(&ids[..2.min(ids.len())]).to_string();
    report("keep_only 2", start);
    println!("  {} bytes", pruned.len());
}

fn read(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| {
        eprintln!("{path}: {error}");
        std::process::exit(1);
    });
    let mut text = String::new();
    let read = if std::path::Path::new(path).extension().is_some_and(|extension| extension == "gz")
    {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text)
    } else {
        (&bytes[..]).read_to_string(&mut text)
    };
    read.expect("is text");
    text
}

fn report(what: &str, start: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!(
        "{what}: {:?}, {}",
        start.elapsed(),
        peak.split_whitespace().collect::<Vec<_>>().join(" ")
    );
}
