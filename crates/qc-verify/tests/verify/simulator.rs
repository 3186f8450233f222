//! A provider that keeps its contract passes, and breaking it anywhere is noticed.

use std::sync::Arc;

use qc_verify::{Format, Outcome};

use crate::scene::{SHOP, Wishes, api, example, simulator};

#[tokio::test]
async fn a_provider_that_keeps_its_contract_passes() {
    let report = Wishes::of(simulator(SHOP)).report(SHOP).await;
    println!("{}", report.write(Format::Human));
    assert_eq!(report.count(Outcome::Failed), 0);
}

#[tokio::test]
async fn nearly_every_break_is_noticed() {
    let score = Wishes::of(simulator(SHOP)).score(&Arc::new(api(SHOP)), 2_000).await;
    for mutant in score.survivors() {
        println!("survived {} {} {}", mutant.kind, mutant.operation, mutant.words);
    }
    println!("{:?} {}/{}", score.by_kind(), score.caught(), score.mutants.len());
    assert!(score.percent() >= 90, "{}", score.percent());
}

#[tokio::test]
async fn the_examples() {
    for path in [
        "customer-escalation/connectors/chat",
        "customer-escalation/connectors/crm",
        "customer-escalation/connectors/tracker",
        "order-paid/connectors/chat",
        "refund-approval/connectors/payments",
        "two-way-sync/connectors/crm-a",
        "two-way-sync/connectors/crm-b",
    ] {
        let (api, caller) = example(path);
        let wishes = Wishes { is_lenient: true, ..Wishes::of(caller) };
        let report = wishes.with(&api, |v| async move { v.run().await }).await;
        println!("== {path}\n{}", report.write(Format::Human));
        let score = wishes.score(&api, 2_000).await;
        for mutant in score.survivors() {
            println!("survived {} {} {}", mutant.kind, mutant.operation, mutant.words);
        }
        println!("{:?} {}/{}", score.by_kind(), score.caught(), score.mutants.len());
    }
}
