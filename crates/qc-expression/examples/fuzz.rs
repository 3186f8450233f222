//! A million random programs, or as many as asked: `fuzz [count] [seed]`. Prints what came of them.

#[path = "../tests/programs/mod.rs"]
mod programs;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use programs::{Dice, program};
use qc_expression::{Expression, Limits, Scope, functions};
use serde_json::json;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (count, seed): (u64, u64) = (number(1_000_000), number(1));
    // As much stack as a worker thread has.
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let done = thread.spawn(move || run(count, seed)).expect("a thread starts").join();
    assert!(done.is_ok(), "a program panicked");
}

fn run(count: u64, seed: u64) {
    let functions = functions();
    let limits = Limits { fuel: 50_000, bytes: 1024 * 1024, ..Limits::default() };
    let (v, w) = (json!([3, 1, 2]), json!("w"));
    let input = json!({"a": [1, "x", null, {"b": [true, 2.5]}], "b": {"a": 1}, "c": "text,more"});
    let scope = Scope { variables: &[&v, &w, &v], now_ms: 1_700_000_000_123, limits };
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, String::new());
    let began = Instant::now();
    for case in 0..count {
        let source = program(&mut Dice::new(seed.wrapping_add(case)), &functions);
        let begin = Instant::now();
        let outcome = match Expression::parse(&source, &["v", "w", "x"]) {
            Err(error) => format!("refused {}", error.code),
            Ok(expression) => match expression.evaluate(&input, &scope) {
                Ok(_) => "value".to_owned(),
                Err(error) => format!("error {}", error.code()),
            },
        };
        let took = begin.elapsed();
        if took > slowest.0 {
            slowest = (took, source);
        }
        *tally.entry(outcome).or_default() += 1;
    }
    println!("{count} programs from seed {seed} in {:.1?}", began.elapsed());
    for (outcome, times) in tally {
        println!("{times:>9}  {outcome}");
    }
    println!("slowest {:.1?}: {}", slowest.0, slowest.1);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
            println!("{line}");
        }
    }
}
