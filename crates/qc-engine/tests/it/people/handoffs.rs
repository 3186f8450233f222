//! From whom to whom a run goes by its tasks, and with what they saw.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_ledger_says_from_whom_to_whom_a_run_went_and_the_hash_of_what_they_saw() {
    let world = world_of(with(REFUND, people()), paying());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    tokio::time::sleep(Duration::from_secs(5 * 3600)).await;
    world.engine.claim_task(task.id(), &person("bob")).await.unwrap();
    world.engine.answer_task(task.id(), answer("approved", &task), &person("bob")).await.unwrap();
    world.end(run).await;
    let kinds = vec![LedgerKind::Task];
    let filter = LedgerFilter { run: Some(run), kinds, limit: 500, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let hands: Vec<_> = rows
        .iter()
        .map(|row| {
            let facts: Value = serde_json::from_slice(&row.row.facts).unwrap();
            assert_eq!(facts["hash"], task.hash);
            (row.row.outcome.clone(), facts["from"].clone(), facts["to"].clone())
        })
        .collect();
    let hand = |outcome: &str, from: Value, to: Value| (outcome.to_owned(), from, to);
    let wanted = [
        hand("opened", Value::Null, json!("finance")),
        hand("escalated", json!("finance"), json!("finance, bob")),
        hand("claimed", json!("finance, bob"), json!("bob")),
        hand("decided", json!("bob"), Value::Null),
    ];
    assert_eq!(hands, wanted);
}
