//! Values come, change and go.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use qc_vault::{Cadence, Secrets, VaultError, codes};

use crate::world::{World, actor, asked, environment, reference};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_stored_secret_is_found_first_and_what_is_elsewhere_afterwards() {
    let world = World::new();
    let variable = ("QC_SECRET_SANDBOX_CRM_TOKEN".to_owned(), "variable".to_owned());
    let secrets = Secrets::none().with_variables([variable]);
    let node = world.node().await;
    let writer = world.node_with(secrets, None).await;
    assert_eq!(writer.value("sandbox/crm/token").as_deref(), Some("variable"));
    let shown = node.set("sandbox/crm/token", "stored").await.unwrap();
    assert_eq!((shown.version, shown.opens, shown.overdue), (1, true, false));
    assert_eq!(node.value("sandbox/crm/token").as_deref(), Some("stored"));
    assert_eq!(node.value("production/crm/token"), None);
    node.vault.remove(&environment("sandbox"), &reference("crm/token"), &actor()).await.unwrap();
    assert_eq!(node.value("sandbox/crm/token"), None);
    writer.vault.refresh().await.unwrap();
    assert_eq!(writer.value("sandbox/crm/token").as_deref(), Some("variable"));
    let gone = node.vault.remove(&environment("sandbox"), &reference("crm/token"), &actor()).await;
    assert!(matches!(gone, Err(VaultError::Nothing(_))), "{gone:?}");
}

#[tokio::test]
async fn another_node_sees_a_change_when_it_refreshes() {
    let world = World::new();
    let (one, two) = (world.node().await, world.node().await);
    one.set("production/key", "first").await.unwrap();
    assert_eq!(two.value("production/key"), None);
    two.vault.refresh().await.unwrap();
    assert_eq!(two.value("production/key").as_deref(), Some("first"));
    two.set("production/key", "second").await.unwrap();
    one.vault.refresh().await.unwrap();
    assert_eq!(one.live("production/key"), ["second"], "what was replaced ended at once");
}

#[tokio::test]
async fn changes_of_two_nodes_at_once_are_both_kept() {
    let world = World::new();
    let (one, two) = (world.node().await, world.node().await);
    let many = async |node: &crate::world::Node, which: &str| {
        for number in 0..20 {
            let (place, value) = (format!("sandbox/{which}/{number}"), format!("{which} {number}"));
            // Losing the race many times over is told, and trying again is right.
            while let Err(error) = node.set(&place, &value).await {
                assert_eq!(error, VaultError::Busy);
            }
        }
    };
    tokio::join!(many(&one, "one"), many(&two, "two"));
    one.vault.refresh().await.unwrap();
    assert_eq!(one.vault.list(None).len(), 40);
    assert!(one.vault.list(None).iter().all(|secret| secret.opens));
}

#[tokio::test]
async fn two_values_are_valid_for_a_while_and_then_one() {
    let world = World::new();
    let node = world.node().await;
    let nothing = node.rotate("production/hook", "new", HOUR).await;
    assert!(matches!(nothing, Err(VaultError::Nothing(_))), "{nothing:?}");
    node.set("production/hook", "old").await.unwrap();
    let shown = node.rotate("production/hook", "new", HOUR).await.unwrap();
    assert_eq!(shown.version, 2);
    assert_eq!(node.live("production/hook"), ["new", "old"]);
    let again = node.rotate("production/hook", "new", HOUR).await;
    assert!(matches!(again, Err(VaultError::Unfit(_))), "{again:?}");
    node.rotate("production/hook", "newest", HOUR).await.unwrap();
    assert_eq!(node.live("production/hook"), ["newest", "new"], "never more than two");
    assert_eq!(node.tend().await, 0);
    world.pass(HOUR);
    // It ends with its time, not when somebody looks.
    assert_eq!(node.live("production/hook"), ["newest"]);
    assert_eq!(node.tend().await, 1);
    let record = String::from_utf8(world.documents("secret").await[0].body.to_vec()).unwrap();
    assert!(!record.contains("previous"), "{record}");
}

#[tokio::test]
async fn a_value_of_one_environment_is_refused_in_another() {
    let world = World::new();
    let node = world.node().await;
    node.set("sandbox/key", "the same").await.unwrap();
    node.set("sandbox/other-name", "the same").await.unwrap();
    let refused = node.set("production/key", "the same").await.unwrap_err();
    assert_eq!(refused, VaultError::Shared(environment("sandbox")));
    assert_eq!(refused.code(), Some(codes::SHARED_VALUE));
    // Not even while it is only still valid.
    node.set("production/key", "another").await.unwrap();
    node.rotate("sandbox/key", "next", HOUR).await.unwrap();
    node.set("sandbox/other-name", "third").await.unwrap();
    assert!(node.rotate("production/key", "the same", HOUR).await.is_err());
    world.pass(HOUR);
    node.tend().await;
    node.set("production/key", "the same").await.unwrap();
}

#[tokio::test]
async fn nothing_readable_is_written() {
    let world = World::new();
    let node = world.node().await;
    let value = "hunter2-hunter2-hunter2-hunter2";
    node.set("production/crm/token", value).await.unwrap();
    node.rotate("production/crm/token", "correct horse battery staple", HOUR).await.unwrap();
    node.vault.rotate_key(&environment("production"), &actor()).await.unwrap();
    node.tend().await;
    let disk = world.disk().await;
    for secret in [value, "correct horse battery staple"] {
        assert!(!disk.contains(secret));
        // In base64 at each of the three places that it may begin at.
        for skip in 0..3 {
            let coded = STANDARD.encode(&secret[skip..]);
            assert!(!disk.contains(&coded[..coded.len() - 4]), "{skip}");
        }
    }
    let audit = world.audit().await.join("\n");
    for outcome in ["created", "rotated", "sealed anew", "retired"] {
        assert!(audit.contains(outcome), "{outcome}: {audit}");
    }
}

#[tokio::test]
async fn what_was_copied_or_changed_does_not_open() {
    let world = World::new();
    let node = world.node().await;
    node.set("sandbox/key", "of the sandbox").await.unwrap();
    node.set("production/key", "of production").await.unwrap();
    node.set("production/other", "of the other name").await.unwrap();
    let body = |documents: &[qc_store::Document], name: &str| {
        documents.iter().find(|one| one.name == name).unwrap().body.to_vec()
    };
    let before = world.documents("secret").await;
    for from in ["sandbox/key", "production/other"] {
        world.forge("secret", "production/key", body(&before, from)).await;
        world.touch().await;
        node.vault.refresh().await.unwrap();
        assert_eq!(node.value("production/key"), None, "copied from {from}");
        let status = node.vault.status().await.unwrap();
        assert_eq!(status.not_opening, 1);
        assert_eq!(status.findings[0].code, codes::NOT_OPENING);
    }
    // As it was, it opens; with one letter changed, not.
    world.forge("secret", "production/key", body(&before, "production/key")).await;
    world.touch().await;
    node.vault.refresh().await.unwrap();
    assert_eq!(node.value("production/key").as_deref(), Some("of production"));
    let text = String::from_utf8(body(&before, "production/key")).unwrap();
    let again = text.replace("\"version\":1", "\"version\":2");
    assert_ne!(text, again);
    world.forge("secret", "production/key", again.into_bytes()).await;
    world.touch().await;
    node.vault.refresh().await.unwrap();
    assert_eq!(node.value("production/key"), None);
}

#[tokio::test]
async fn without_a_key_nothing_is_stored_and_nothing_else_is_used_in_its_place() {
    let world = World::new();
    let variable = ("QC_SECRET_SANDBOX_KEY".to_owned(), "an old one".to_owned());
    let off = world.node_with(Secrets::none().with_variables([variable]), None).await;
    assert_eq!(off.set("sandbox/key", "x").await, Err(VaultError::Off));
    assert_eq!(off.value("sandbox/key").as_deref(), Some("an old one"));
    world.node().await.set("sandbox/key", "stored").await.unwrap();
    off.vault.refresh().await.unwrap();
    let missing = off.secrets.lookup(&environment("sandbox"), &reference("key")).unwrap_err();
    assert_eq!(missing.finding().code, codes::UNUSABLE_SECRET);
    assert!(missing.to_string().contains("vault_key"), "{missing}");
    assert_eq!(off.vault.findings()[0].code, codes::VAULT_OFF);
}

#[tokio::test]
async fn cadences_are_kept_and_told_when_they_are_past() {
    let world = World::new();
    let node = world.node().await;
    let cadence =
        |value, cadence| qc_vault::SetSecret { cadence, ..asked("sandbox/key", value, None) };
    let every = cadence("one", Cadence::Every(90 * 24 * HOUR));
    node.vault.set(&every, &actor()).await.unwrap();
    assert_eq!(node.vault.findings(), []);
    world.pass(90 * 24 * HOUR);
    let due = node.vault.list(None).remove(0);
    assert!(due.overdue && due.due_at == Some(qc_model::Clock::now(&*world.clock)));
    assert_eq!(node.vault.findings()[0].code, codes::OVERDUE);
    assert_eq!(node.vault.status().await.unwrap().overdue, 1);
    // A new value begins a new time; the cadence stays until another one is said.
    let shown = node.set("sandbox/key", "two").await.unwrap();
    assert!(!shown.overdue && shown.rotate_every == Some(90 * 24 * HOUR));
    let shown = node.vault.set(&cadence("two", Cadence::Never), &actor()).await.unwrap();
    assert_eq!((shown.version, shown.rotate_every), (2, None));
    let soon = cadence("two", Cadence::Every(Duration::from_secs(1)));
    let refused = node.vault.set(&soon, &actor()).await;
    assert!(matches!(refused, Err(VaultError::Unfit(_))));
}

#[tokio::test]
async fn values_have_bounds() {
    let world = World::new();
    let node = world.node().await;
    for value in [String::new(), "x".repeat(64 * 1024 + 1)] {
        assert!(matches!(node.set("sandbox/key", &value).await, Err(VaultError::Unfit(_))));
    }
    node.set("sandbox/key", &"x".repeat(64 * 1024)).await.unwrap();
    assert_eq!(node.value("sandbox/key").unwrap().len(), 64 * 1024);
    let long = node.rotate("sandbox/key", "y", 91 * 24 * HOUR).await;
    assert!(matches!(long, Err(VaultError::Unfit(_))));
}
