//! What an evaluation costs, in nanoseconds, on an input of about 1 KiB and of about 68 KiB.

use std::hint::black_box;
use std::time::Instant;

use qc_expression::{Expression, Limits, Scope};
use serde_json::{Value, json};

fn order(items: usize, text: usize) -> Value {
    let items: Vec<Value> = (0..items)
        .map(|n| json!({"id": n, "sku": "s".repeat(text), "price": n % 7, "tags": ["a", "b"]}))
        .collect();
    json!({"order": {"id": "o-1", "customer": {"name": "Ada", "email": "ada@example.org"}},
        "items": items})
}

fn main() {
    let context = json!({"user": {"id": 7}});
    let scope = Scope { variables: &[&context], now_ms: 0, limits: Limits::default() };
    let inputs = [("1 KiB", order(14, 8)), ("68 KiB", order(100, 615))];
    let sources = [
        ".order.customer.email",
        "$context.user.id",
        ".order.id == \"o-1\" and .items[0].price < 5",
        "{id: .order.id, name: .order.customer.name, first: .items[0].sku}",
        "\"Hello \\(.order.customer.name)!\"",
        "[.items[] | select(.price > 3) | {id, price}]",
        ".items | map(.price) | add",
        "reduce .items[] as $i (0; . + $i.price)",
        ".items | group_by(.price) | map({price: .[0].price, count: length})",
        ".order.customer.email | test(\"^[a-z]+@[a-z.]+$\")",
        ".order.status = \"done\"",
        ".",
    ];
    for (size, input) in &inputs {
        println!("input {size} ({} bytes)", input.to_string().len());
        for source in sources {
            let expression = Expression::parse(source, &["context"]).expect("it is valid");
            let rounds = 20_000u32;
            let rounds = if source == "." { rounds / 20 } else { rounds };
            let begin = Instant::now();
            for _ in 0..rounds {
                black_box(expression.evaluate(black_box(input), &scope)).expect("it evaluates");
            }
            println!("  {:>9} ns  {source}", begin.elapsed().as_nanos() / u128::from(rounds));
        }
    }
    let begin = Instant::now();
    for _ in 0..2_000 {
        black_box(Expression::parse(black_box(sources[5]), &["context"])).expect("it is valid");
    }
    println!("  {:>9} ns  to read {}", begin.elapsed().as_nanos() / 2_000, sources[5]);
}
