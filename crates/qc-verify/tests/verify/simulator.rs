//! A provider that keeps its contract passes, and breaking it anywhere is noticed.

use std::sync::Arc;

use qc_verify::{Outcome, Report, Score};

use crate::scene::{SHOP, Wishes, api, example, simulator};

fn failed(report: &Report) -> Vec<String> {
    let failed = report.results.iter().filter(|result| result.outcome == Outcome::Failed);
    failed.map(|result| format!("{} {:?}", result.id, result.problems)).collect()
}

fn survivors(score: &Score) -> Vec<String> {
    score.survivors().map(|m| format!("{} of {}: {}", m.kind, m.operation, m.words)).collect()
}

#[tokio::test]
async fn a_provider_that_keeps_its_contract_passes() {
    let report = Wishes::of(simulator(SHOP)).report(SHOP).await;
    assert_eq!(failed(&report), Vec::<String>::new());
    assert_eq!(report.count(Outcome::Undecided), 0);
    assert!(report.negative_percent() >= 50, "{}", report.negative_percent());
    // Every described refusal came, each by a request that asks for it.
    for seen in &report.seen {
        let may_stay_away: &[&str] = match seen.operation.as_str() {
            // Of these, no request without a body or query can be wrong.
            "deleteOrder" | "getOrder" => &["400"],
            _ => &[],
        };
        let unseen: Vec<&str> =
            seen.unseen().into_iter().filter(|status| !may_stay_away.contains(status)).collect();
        assert_eq!(unseen, Vec::<&str>::new(), "{}", seen.operation);
    }
    assert!(report.not_tried.iter().any(|not| not.what == "expired credentials"));
}

/// What is deleted by one operation is made again for the next one, in whatever order they are described.
#[tokio::test]
async fn a_description_may_delete_first() {
    let start = SHOP.find("    delete:\n").unwrap();
    let end = SHOP.find("  /health:\n").unwrap();
    let without = format!("{}{}", &SHOP[..start], &SHOP[end..]);
    let deletes_first = without.replace(
        "    get:\n      operationId: getOrder\n",
        &format!("{}    get:\n      operationId: getOrder\n", &SHOP[start..end]),
    );
    let report = Wishes::of(simulator(&deletes_first)).report(&deletes_first).await;
    assert_eq!(failed(&report), Vec::<String>::new());
    assert_eq!(report.count(Outcome::Undecided), 0);
}

#[tokio::test]
async fn nearly_every_break_is_noticed() {
    let score = Wishes::of(simulator(SHOP)).score(&Arc::new(api(SHOP)), 2_000).await;
    assert!(score.mutants.len() > 250 && score.left_out().is_none(), "{}", score.mutants.len());
    assert!(score.percent() >= 95, "{} %: {:#?}", score.percent(), survivors(&score));
    let kinds: Vec<&str> = score.by_kind().into_iter().map(|(kind, _, _)| kind).collect();
    for kind in [
        "drop-field",
        "change-type",
        "null",
        "unknown-value",
        "wrong-status",
        "wrong-media-type",
        "drop-header",
    ] {
        assert!(kinds.contains(&kind), "{kind}");
    }
}

/// The score has to be able to fall: what the description does not say, no case can notice.
#[tokio::test]
async fn what_nobody_describes_survives() {
    let loose = SHOP.replace("amount: {type: number}\n", "amount: {}\n");
    assert_ne!(loose, SHOP);
    let wishes =
        Wishes { operations: vec!["getOrder".to_owned()], ..Wishes::of(simulator(&loose)) };
    let score = wishes.score(&Arc::new(api(&loose)), 2_000).await;
    let survived = survivors(&score);
    assert!(survived.iter().any(|m| m.contains("`/amount` is of another type")), "{survived:?}");
    let few = wishes.score(&Arc::new(api(&loose)), 10).await;
    assert_eq!(few.mutants.len(), 10);
    assert!(few.left_out().is_some_and(|left| left > 10), "{:?}", few.left_out());
}

#[tokio::test]
async fn the_connectors_of_the_examples_keep_their_contracts() {
    for path in ["customer-escalation/connectors/crm", "customer-escalation/connectors/tracker"] {
        let (api, caller) = example(path);
        let wishes = Wishes { is_lenient: true, ..Wishes::of(caller) };
        let report =
            wishes.with(&api, |verification| async move { verification.run().await }).await;
        assert_eq!(failed(&report), Vec::<String>::new(), "{path}");
        assert!(report.results.len() > 100, "{}", report.results.len());
        let score = wishes.score(&api, 100).await;
        assert!(score.percent() >= 90, "{path}: {} %: {:#?}", score.percent(), survivors(&score));
    }
}
