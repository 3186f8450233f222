//! Keys are replaced while everything stays readable.

use std::fs;

use qc_vault::VaultError;

use crate::world::{Node, World, actor, environment, line};

/// More than two steps' worth.
const MANY: usize = 120;

async fn filled(world: &World) -> Node {
    let node = world.node().await;
    for number in 0..MANY {
        node.set(&format!("production/{number}"), &format!("value {number}")).await.unwrap();
    }
    node
}

#[track_caller]
fn all_open(node: &Node) {
    for number in 0..MANY {
        let found = node.value(&format!("production/{number}"));
        assert_eq!(found, Some(format!("value {number}")));
    }
}

#[tokio::test]
async fn a_data_key_is_replaced_in_steps_and_every_node_reads_all_the_while() {
    let world = World::new();
    let node = filled(&world).await;
    let late = world.node().await;
    let production = environment("production");
    assert_eq!(node.vault.rotate_key(&production, &actor()).await, Ok(2));
    assert_eq!(node.vault.rotate_key(&production, &actor()).await, Ok(2), "one at a time");
    let mut steps = 0;
    while node.vault.tend().await.unwrap() {
        steps += 1;
        all_open(&node);
        // One that has not looked since, and one that looks now.
        all_open(&late);
        all_open(&world.node().await);
    }
    assert_eq!(steps, MANY.div_ceil(50) + 1, "the last step retires the old key");
    late.vault.refresh().await.unwrap();
    all_open(&late);
    let status = node.vault.status().await.unwrap();
    let [one] = &status.environments[..] else { panic!("{status:?}") };
    assert_eq!((one.keys.len(), one.keys[0].version, one.remaining), (1, 2, 0));
    assert_eq!(status.not_opening, 0);
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_goes_on_in_another_process() {
    let world = World::new();
    let production = environment("production");
    {
        let node = filled(&world).await;
        node.vault.rotate_key(&production, &actor()).await.unwrap();
        assert!(node.vault.tend().await.unwrap());
    }
    let node = world.node().await;
    let status = node.vault.status().await.unwrap();
    assert_eq!(
        (status.environments[0].keys.len(), status.environments[0].remaining),
        (2, MANY - 50)
    );
    // What is set meanwhile is sealed under the new key.
    node.set("production/new", "meanwhile").await.unwrap();
    assert_eq!(node.vault.status().await.unwrap().environments[0].remaining, MANY - 50);
    node.tend().await;
    all_open(&node);
    all_open(&world.node().await);
    assert_eq!(node.vault.status().await.unwrap().environments[0].keys.len(), 1);
}

#[tokio::test]
async fn a_node_that_does_not_know_the_new_key_seals_nothing_under_the_old_one() {
    let world = World::new();
    let node = filled(&world).await;
    let late = world.node().await;
    node.vault.rotate_key(&environment("production"), &actor()).await.unwrap();
    node.tend().await;
    // Its view is of before; the head tells it, and it seals under what counts now.
    late.set("production/late", "late").await.unwrap();
    let fresh = world.node().await;
    assert_eq!(fresh.value("production/late").as_deref(), Some("late"));
    assert_eq!(fresh.vault.status().await.unwrap().environments[0].remaining, 0);
}

#[tokio::test]
async fn a_new_key_encryption_key_takes_over_and_the_old_one_goes() {
    let world = World::new();
    let node = filled(&world).await;
    node.set("sandbox/key", "of the sandbox").await.unwrap();
    assert_eq!(node.vault.rewrap(&actor()).await, Ok(0));
    fs::write(&world.kek, format!("{}\n{}\n", line(2), line(1))).unwrap();
    // Two data keys and the key of the fingerprints.
    assert_eq!(node.vault.rewrap(&actor()).await, Ok(3));
    assert_eq!(node.vault.rewrap(&actor()).await, Ok(0));
    fs::write(&world.kek, line(2)).unwrap();
    let fresh = world.node().await;
    all_open(&fresh);
    let status = fresh.vault.status().await.unwrap();
    assert!(status.environments.iter().all(|one| Some(&one.keys[0].kek) == status.kek.as_ref()));
    // Fingerprints are the same as before.
    let shared = fresh.set("production/copied", "of the sandbox").await;
    assert_eq!(shared, Err(VaultError::Shared(environment("sandbox"))));
    fs::write(&world.kek, line(1)).unwrap();
    let lost = world.node().await;
    assert_eq!(lost.value("production/1"), None, "the old key opens nothing any more");
    assert!(!lost.vault.findings().is_empty());
}

#[tokio::test]
async fn a_key_ring_that_is_away_does_not_take_away_what_was_there() {
    let world = World::new();
    let node = filled(&world).await;
    let late = world.node().await;
    node.vault.rotate_key(&environment("production"), &actor()).await.unwrap();
    node.tend().await;
    let away = world.kek.with_file_name("away");
    fs::rename(&world.kek, &away).unwrap();
    // It sees that everything is sealed anew under a key that it cannot unwrap now.
    late.vault.refresh().await.unwrap();
    all_open(&late);
    assert!(matches!(late.set("production/x", "x").await, Err(VaultError::Ring(_))));
    // One that begins now has nothing to go by, and gets it as soon as the ring is back.
    let fresh = world.node().await;
    assert_eq!(fresh.value("production/1"), None);
    fs::rename(&away, &world.kek).unwrap();
    fresh.vault.refresh().await.unwrap();
    all_open(&fresh);
    late.vault.refresh().await.unwrap();
    all_open(&late);
    assert_eq!(late.vault.findings(), []);
}
