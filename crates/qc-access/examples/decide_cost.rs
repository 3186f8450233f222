//! What a decision costs: `cargo run --release -p qc-access --example decide_cost`.

use std::{hint::black_box, time::Instant};

use qc_access::{Access, Action, Circumstances, Policies, Principal, Resource, Role, TokenKind};

const DECISIONS: u32 = 100_000;

#[expect(clippy::print_stdout, reason = "it measures and tells")]
fn main() {
    let scopes = ["production/events/crm:send", "production/runs/crm:read"];
    let sender = Principal {
        id: "Ab3dE6gH".into(),
        kind: TokenKind::ApiKey,
        name: "crm".into(),
        person: None,
        owner: None,
        environment: "production".parse().ok(),
        role: Role::Runtime,
        scopes: Some(scopes.map(|scope| scope.parse().expect("a scope")).to_vec()),
    };
    let production = "production".parse().expect("a name");
    let access = Access::new(false, vec![production]);
    let crm = Resource { environment: Some("production"), name: Some("crm"), units: &[] };
    let begun = Instant::now();
    for _ in 0..DECISIONS {
        let decided =
            access.decide(black_box(&sender), Action::EventsSend, crm, Circumstances::default());
        assert!(decided.verdict.allowed());
    }
    println!("a decision that was made before: {:.2} µs", each(begun));
    let question =
        access.decide(&sender, Action::EventsSend, crm, Circumstances::default()).question;
    let policies = Policies::shipped();
    let begun = Instant::now();
    for _ in 0..DECISIONS {
        assert!(policies.decide_anew(black_box(&question)).allowed());
    }
    println!("a decision anew: {:.2} µs", each(begun));
    let begun = Instant::now();
    let matrix = Policies::shipped().matrix();
    println!("the matrix of {} cells: {:.0?}", matrix.cells().len(), begun.elapsed());
}

fn each(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
}
