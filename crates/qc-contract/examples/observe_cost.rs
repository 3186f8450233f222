//! How long it takes to hold an answer of 1 KiB against its contract, and of that to look for fields that the contract does
//! not name: `cargo run --release -p qc-contract --example observe_cost`.

use std::time::{Duration, Instant};

use qc_contract::OpenApi;
use serde_json::{Value, json};

/// How often each is done.
const TIMES: u32 = 20_000;

fn main() {
    let line = json!({"type": "object", "required": ["sku", "quantity"], "properties": {
        "sku": {"type": "string"}, "quantity": {"type": "integer"}, "price": {"type": "number"}}});
    let schema = json!({"type": "object", "required": ["id", "lines"], "properties": {
        "id": {"type": "string"}, "state": {"enum": ["open", "paid"]},
        "customer": {"type": "object", "properties": {"name": {"type": "string"}, "city": {"type": "string"}}},
        "lines": {"type": "array", "items": line}}});
    let document = json!({"openapi": "3.1.0", "info": {"title": "A", "version": "1"},
        "paths": {"/orders": {"get": {"operationId": "read", "responses": {"200": {"description": "ok",
            "content": {"application/json": {"schema": schema}}}}}}}});
    let api =
        OpenApi::from_text("orders.json", &document.to_string()).expect("the document is right");
    let read = api.operation("read").expect("it is there");
    let lines: Vec<Value> = (0..18)
        .map(|n| json!({"sku": format!("SKU-{n:04}"), "quantity": n, "price": 12.5}))
        .collect();
    let body = json!({"id": "order-1", "state": "paid", "customer": {"name": "A", "city": "B"}, "lines": lines});
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let bytes = body.to_string();
    let parse = timed(|| serde_json::from_str::<Value>(&bytes).expect("is JSON").is_object());
    let check = timed(|| api.check_response(read, 200, &headers, Some(&body)).is_empty());
    let look = timed(|| api.undeclared(read, 200, "application/json", &body).is_empty());
    println!(
        "{} bytes: parse {parse:?}, contract {check:?}, fields not named {look:?}",
        bytes.len()
    );
}

/// The shortest of five rounds, for one.
fn timed(deed: impl Fn() -> bool) -> Duration {
    let round = || {
        let start = Instant::now();
        for _ in 0..TIMES {
            assert!(deed(), "the answer is as the contract says");
        }
        start.elapsed() / TIMES
    };
    (0..5).map(|_| round()).min().unwrap_or_default()
}
