//! GitHub's real payloads, signed as GitHub signs them.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    client::Ask,
    sign,
    world::{World, door},
};

fn payloads() -> Option<Vec<(String, Vec<u8>)>> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    #[expect(clippy::disallowed_methods, reason = "the data lie outside of the project")]
    let shared =
        std::env::var("QC_SHARED").map_or_else(|_| workspace.join("../shared"), PathBuf::from);
    let folder = shared.join("data/github-webhooks");
    let Ok(files) = fs::read_dir(&folder) else {
        println!("SKIPPED: no payloads at {}; set QC_SHARED", folder.display());
        return None;
    };
    let mut found: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    found.sort();
    Some(found)
}

fn delivery(name: &str, id: &str, body: &[u8], secret: &str) -> Ask {
    let kind = name.split('.').next().unwrap();
    Ask::post(&door("github"), body)
        .header("x-github-event", kind)
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", &sign::github(secret, body))
}

#[tokio::test]
async fn every_payload_is_taken_once_and_only_untampered() {
    let Some(payloads) = payloads() else { return };
    assert_eq!(payloads.len(), 115);
    let world = World::new().await;
    for (at, (name, body)) in payloads.iter().enumerate() {
        let id = format!("d-{at}");
        let mut tampered = body.clone();
        let middle = tampered.len() / 2;
        tampered[middle] ^= 1;
        let signature = sign::github("github-secret", body);
        let forged = delivery(name, &id, &tampered, "?").with("x-hub-signature-256", &signature);
        world.ask(forged).await.problem(401, "QC-I006");

        let good = delivery(name, &id, body, "github-secret");
        let first = world.ask(good.clone()).await;
        assert!(!first.replayed(), "{name}");
        let again = world.ask(good).await;
        assert_eq!((first.run(), again.replayed()), (again.run(), true), "{name}");

        let event = world.event(&first.run()).await;
        let value: Value = serde_json::from_slice(body).unwrap();
        let kind = name.split('.').next().unwrap();
        let expected = match value["action"].as_str() {
            Some(action) => format!("github.{kind}.{action}"),
            None => format!("github.{kind}"),
        };
        assert_eq!((event.kind, event.id, event.source), (expected, id, door("github")), "{name}");
        assert_eq!(world.data(&first.run()).await, value, "{name}");
    }
    assert_eq!(world.runs().await, payloads.len());
}

#[tokio::test]
async fn another_body_under_a_known_delivery_is_refused() {
    let world = World::new().await;
    let send = |body: &'static [u8]| delivery("push", "d-1", body, "github-secret");
    let first = world.ask(send(b"{}")).await.run();
    assert_eq!(world.ask(send(b"[]")).await.problem(422, "QC-I012")["run"], first);
}

#[tokio::test]
async fn a_delivery_that_cannot_be_understood_is_no_fault_of_the_server() {
    let world = World::new().await;
    let whole = delivery("push", "d-1", b"{}", "github-secret");
    // Without its name the delivery is not recognised when it comes again, and is taken all the same.
    assert!(!world.ask(whole.clone().without("x-github-delivery")).await.replayed());
    let endless = whole.clone().with("x-github-delivery", &"x".repeat(5_000));
    world.ask(endless).await.problem(422, "QC-I010");
    let odd = whole.clone().with("x-github-event", &"x".repeat(5_000));
    world.ask(odd).await.problem(422, "QC-I016");
    let form = whole.with("content-type", "multipart/form-data; boundary=x");
    world.ask(form).await.problem(415, "QC-I004");
}
