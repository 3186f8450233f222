//! How long it takes to decide whether one schema covers another, and to check a payload of 1 KiB:
//! `cargo run --release -p qc-contract --example covers_cost -- json_schema_subschema_unified.jsonl [--wrong]`.

use std::time::{Duration, Instant};

use qc_contract::{CoverOptions, Covers, Draft, Schema, covers};
use serde_json::{Value, json};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: covers_cost CASES.jsonl [--wrong]");
        std::process::exit(2);
    };
    let shows = arguments.any(|argument| argument == "--wrong");
    let text = std::fs::read_to_string(&path).expect("the cases can be read");
    let cases: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    let (mut decided, mut wrong) = (0, 0);
    let mut times = Vec::new();
    for case in &cases {
        let options = CoverOptions { draft: draft(&case["draft"]), formats: true, nullable: false };
        let start = Instant::now();
        let answer = covers(&case["sup"], &case["sub"], options);
        times.push(start.elapsed());
        let said = match &answer {
            Covers::Yes => Some(true),
            Covers::No { .. } => Some(false),
            Covers::Unknown { .. } => None,
        };
        let label = case["is_subschema"].as_bool();
        decided += usize::from(said.is_some());
        let differs = said.is_some() && said != label;
        wrong += usize::from(differs && case["disputed"] != true);
        if shows && (said.is_none() || differs || answer == Covers::No { witness: None }) {
            println!(
                "{} said {answer:?}, label {label:?}, disputed {}, {:?}",
                case["id"],
                case["disputed"],
                times.last()
            );
            println!("  sub {}\n  sup {}", case["sub"], case["sup"]);
        }
    }
    println!("{decided} of {} decided, {wrong} against the label", cases.len());
    times.sort_unstable();
    if let (Some(middle), Some(last)) = (times.get(times.len() / 2), times.last()) {
        println!(
            "covers: median {middle:?}, p95 {:?}, longest {last:?}",
            times[times.len() * 19 / 20]
        );
    }
    check_cost();
}

fn draft(named: &Value) -> Draft {
    match named.as_str().unwrap_or_default() {
        "4" => Draft::Draft4,
        "6" => Draft::Draft6,
        "7" => Draft::Draft7,
        "2019-09" => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

/// An order of about 1 KiB against its contract, compiled once.
fn check_cost() {
    let contract = json!({
        "type": "object",
        "required": ["id", "customer", "lines", "state"],
        "properties": {
            "id": { "type": "string", "pattern": "^ord-[0-9]{6}$" },
            "state": { "enum": ["open", "paid", "shipped"] },
            "customer": { "$ref": "#/$defs/party" },
            "lines": { "type": "array", "maxItems": 50, "items": { "$ref": "#/$defs/line" } }
        },
        "additionalProperties": false,
        "$defs": {
            "party": {
                "type": "object",
                "required": ["name", "country"],
                "properties": {
                    "name": { "type": "string", "maxLength": 80 },
                    "country": { "type": "string", "minLength": 2, "maxLength": 2 }
                }
            },
            "line": {
                "type": "object",
                "required": ["sku", "amount", "price"],
                "properties": {
                    "sku": { "type": "string", "maxLength": 40 },
                    "amount": { "type": "integer", "minimum": 1 },
                    "price": { "type": "number", "minimum": 0 },
                    "note": { "type": ["string", "null"] }
                }
            }
        }
    });
    let line = |n: u32| json!({ "sku": format!("part-{n:04}"), "amount": n + 1, "price": 12.5, "note": null });
    let order = json!({
        "id": "ord-004711",
        "state": "paid",
        "customer": { "name": "Acme Industrial Supplies", "country": "DE" },
        "lines": (0..16).map(line).collect::<Vec<_>>()
    });
    let none: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    let schema = Schema::compile(&contract, &none).expect("compiles");
    let rounds: u32 = 20_000;
    let mut fitting = 0;
    let start = Instant::now();
    for _ in 0..rounds {
        fitting += u32::from(schema.admits(std::hint::black_box(&order)));
    }
    let each: Duration = start.elapsed() / rounds;
    assert_eq!(fitting, rounds, "the order fits its contract");
    println!("check of {} bytes: {each:?}", order.to_string().len());
}
