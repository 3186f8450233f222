//! Links at which a value is given, and the drill.

use std::{fs, sync::Arc, time::Duration};

use qc_vault::{Drill, Secret, Secrets, VaultError};

use crate::world::{Node, World, actor, environment, line, reference};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_link_is_used_once_over_all_nodes_and_not_after_its_end() {
    let world = World::new();
    let (a, b) = (world.node().await, world.node().await);
    let (sandbox, name) = (environment("sandbox"), reference("crm/token"));
    let made = a.vault.make_drop((&sandbox, &name), HOUR, None, &actor()).await.unwrap();
    let (first, second) = (Secret::new("first"), Secret::new("second"));
    let stored = b.vault.redeem_drop(&made.1, &first, &actor()).await.unwrap();
    assert_eq!(stored.version, 1);
    let again = a.vault.redeem_drop(&made.1, &second, &actor()).await;
    assert!(matches!(again, Err(VaultError::Nothing(_))), "{again:?}");
    assert_eq!(b.secrets.lookup(&sandbox, &name).unwrap().expose(), "first");

    let late = a.vault.make_drop((&sandbox, &name), HOUR, None, &actor()).await.unwrap();
    world.pass(HOUR);
    let late = a.vault.redeem_drop(&late.1, &second, &actor()).await;
    assert!(matches!(late, Err(VaultError::Nothing(_))), "{late:?}");
    assert!(a.vault.drops().await.unwrap().is_empty());
    assert!(!world.disk().await.contains(made.1.expose()), "a code is not stored");
}

#[tokio::test]
async fn both_nodes_at_once_store_one_value() {
    let world = World::new();
    let (a, b) = (world.node().await, world.node().await);
    let (sandbox, name) = (environment("sandbox"), reference("crm/token"));
    let (_, code) = a.vault.make_drop((&sandbox, &name), HOUR, None, &actor()).await.unwrap();
    let (first, second, me) = (Secret::new("first"), Secret::new("second"), actor());
    let (one, two) = tokio::join!(
        a.vault.redeem_drop(&code, &first, &me),
        b.vault.redeem_drop(&code, &second, &me)
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    a.vault.refresh().await.unwrap();
    let value = a.secrets.lookup(&sandbox, &name).unwrap();
    assert_eq!(value.expose(), if one.is_ok() { "first" } else { "second" });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_brings_a_new_key_encryption_key_in_and_says_when_look_ups_fail() {
    let world = World::new();
    let Node { vault, secrets } = world.node().await;
    let secrets = Arc::new(secrets);
    let drill = Drill { environment: environment("production"), secret: None };
    let first = vault.drill(&drill, &secrets, &actor()).await.unwrap();
    assert_eq!((first.failures, first.rewrapped, first.data_key), (0, 0, 2), "{first:?}");
    fs::write(&world.kek, format!("{}\n{}\n", line(2), line(1))).unwrap();
    let second = vault.drill(&drill, &secrets, &actor()).await.unwrap();
    assert_eq!((second.failures, second.data_key), (0, 3), "{second:?}");
    assert!(second.rewrapped >= 2 && second.requests >= 400, "{second:?}");
    assert!(vault.list(None).is_empty(), "nothing of it stays");
    // Where nothing is found, every look-up fails, and the drill says so.
    let nowhere = Arc::new(Secrets::none());
    let third = vault.drill(&drill, &nowhere, &actor()).await.unwrap();
    assert_eq!(third.failures, third.requests);
    assert!(third.first_failure.unwrap().contains("drill/"));
    let told = world.audit().await.join("\n");
    assert!(told.contains("drill passed") && told.contains("drill failed"), "{told}");
}
