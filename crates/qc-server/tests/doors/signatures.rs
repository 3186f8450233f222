//! Every signature scheme: what is right passes, and whatever is changed does not.

use crate::{
    client::Ask,
    sign,
    world::{World, door, unix},
};

const BODY: &[u8] = br#"{"type":"invoice.paid","n":1}"#;

fn seconds(shift: i64) -> String {
    (i64::try_from(unix().as_secs()).unwrap() + shift).to_string()
}

fn github(secret: &str, _shift: i64) -> Ask {
    Ask::post(&door("github"), BODY)
        .header("x-github-event", "push")
        .header("x-hub-signature-256", &sign::github(secret, BODY))
}

fn slack(secret: &str, shift: i64) -> Ask {
    let at = seconds(shift);
    let mac = sign::mac(secret.as_bytes(), &[b"v0:", at.as_bytes(), b":", BODY]);
    Ask::post(&door("slack"), BODY)
        .header("x-slack-request-timestamp", &at)
        .header("x-slack-signature", &format!("v0={}", sign::hex(&mac)))
}

fn stripe(secret: &str, shift: i64) -> Ask {
    let at = seconds(shift);
    let mac = sign::hex(&sign::mac(secret.as_bytes(), &[at.as_bytes(), b".", BODY]));
    let old = "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    Ask::post(&door("stripe"), BODY).header("stripe-signature", &format!("t={at},v1={mac},{old}"))
}

/// The secret is given as its bytes; configured is `whsec_` and their Base64.
fn standard(secret: &str, shift: i64) -> Ask {
    let at = seconds(shift);
    let mac = sign::mac(secret.as_bytes(), &[b"msg_1.", at.as_bytes(), b".", BODY]);
    Ask::post(&door("standard"), BODY)
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", &at)
        .header("webhook-signature", &format!("v1,{}", sign::base64(&mac)))
}

fn acme(secret: &str, shift: i64) -> Ask {
    let at = (i64::try_from(unix().as_millis()).unwrap() + shift * 1_000).to_string();
    let mac = sign::mac512(secret.as_bytes(), &[at.as_bytes(), b"|e-1|", BODY]);
    Ask::post(&door("acme"), BODY)
        .header("x-acme-id", "e-1")
        .header("x-acme-time", &at)
        .header("x-acme-signature", &sign::base64(&mac))
}

fn gitlab(secret: &str, _shift: i64) -> Ask {
    Ask::post(&door("gitlab"), BODY).header("x-gitlab-token", secret)
}

/// A scheme: its trigger, how it is signed, its secret, and its header fields.
type Scheme = (&'static str, fn(&str, i64) -> Ask, &'static str, &'static [&'static str]);

const SCHEMES: [Scheme; 6] = [
    ("github", github, "github-secret", &["x-hub-signature-256"]),
    ("slack", slack, "slack-secret", &["x-slack-signature", "x-slack-request-timestamp"]),
    ("stripe", stripe, "stripe-secret", &["stripe-signature"]),
    (
        "standard",
        standard,
        "standard-secret",
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
    ),
    ("acme", acme, "acme-secret", &["x-acme-signature", "x-acme-time", "x-acme-id"]),
    ("gitlab", gitlab, "gitlab-secret", &["x-gitlab-token"]),
];

const TIMED: [&str; 4] = ["slack", "stripe", "standard", "acme"];

#[tokio::test]
async fn what_is_rightly_signed_is_taken() {
    let world = World::new().await;
    for (name, sign, secret, _) in SCHEMES {
        let event = world.event(&world.ask(sign(secret, 0)).await.run()).await;
        assert_eq!(event.source, door(name));
    }
}

#[tokio::test]
async fn every_change_of_the_body_is_noticed() {
    let world = World::new().await;
    for (name, sign, secret, _) in SCHEMES {
        if name == "gitlab" {
            continue; // A bare token proves the sender and not the content.
        }
        for tampered in [&BODY[..BODY.len() - 1], b"", b"{}", &[BODY, b" "].concat()] {
            world.ask(sign(secret, 0).body(tampered)).await.problem(401, "QC-I006");
        }
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_the_same_words_for_every_mistake() {
    let world = World::new().await;
    for (name, sign, secret, _) in SCHEMES {
        let wrong = world.ask(sign("another", 0)).await.problem(401, "QC-I006");
        let close = world.ask(sign(&format!("{secret}x"), 0)).await.problem(401, "QC-I006");
        let short = world.ask(sign(&secret[..5], 0)).await.problem(401, "QC-I006");
        assert_eq!(wrong["detail"], close["detail"], "{name}");
        assert_eq!(wrong["detail"], short["detail"], "{name}");
        for told in [&wrong, &close, &short] {
            assert!(!told.to_string().contains(secret), "{told}");
        }
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn each_missing_doubled_or_garbled_header_is_refused() {
    let world = World::new().await;
    for (name, sign, secret, headers) in SCHEMES {
        for header in headers {
            let good = sign(secret, 0);
            world.ask(good.clone().without(header)).await.problem(401, "QC-I006");
            for garbage in
                ["", "x", "sha256=", "v1,", "v0=zz", "t=,v1=", "=,=,=", "%00", "1e9", "-1"]
            {
                world.ask(good.clone().with(header, garbage)).await.problem(401, "QC-I006");
            }
            let long = "a".repeat(10_000);
            world.ask(good.clone().with(header, &long)).await.problem(401, "QC-I006");
            // It would be unclear which of the two was signed.
            let doubled = world.ask(good.header(header, "second")).await;
            assert_eq!(doubled.status, 401, "{name} {header}");
        }
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn signed_times_are_held_to_the_tolerance() {
    let world = World::new().await;
    for (name, sign, secret, _) in SCHEMES.into_iter().filter(|(name, ..)| TIMED.contains(name)) {
        let tolerance = if name == "acme" { 60 } else { 300 };
        for shift in [tolerance + 30, -tolerance - 30, 100_000_000, -100_000_000] {
            world.ask(sign(secret, shift)).await.problem(401, "QC-I006");
        }
        assert_eq!(world.runs().await, 0, "{name}");
    }
    for (name, sign, secret, _) in SCHEMES.into_iter().filter(|(name, ..)| TIMED.contains(name)) {
        let tolerance = if name == "acme" { 60 } else { 300 };
        world.ask(sign(secret, 30 - tolerance)).await.run();
        assert!(!name.is_empty());
    }
}

#[tokio::test]
async fn a_time_that_was_not_signed_does_not_count() {
    let world = World::new().await;
    let now = seconds(0);
    let old = slack("slack-secret", -10_000).with("x-slack-request-timestamp", &now);
    world.ask(old).await.problem(401, "QC-I006");
    let old = standard("standard-secret", -10_000).with("webhook-timestamp", &now);
    world.ask(old).await.problem(401, "QC-I006");
    let other = standard("standard-secret", 0).with("webhook-id", "msg_2");
    world.ask(other).await.problem(401, "QC-I006");
    let other = acme("acme-secret", 0).with("x-acme-id", "e-2");
    world.ask(other).await.problem(401, "QC-I006");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn the_previous_secret_counts_as_long_as_it_is_there() {
    let world = World::new().await;
    for (name, sign, secret, _) in SCHEMES {
        if name == "standard" {
            world.secrets.set("production", "standard", &format!("whsec_{}", sign::base64(b"new")));
            let previous = format!("whsec_{}", sign::base64(secret.as_bytes()));
            world.secrets.set("production", "standard.previous", &previous);
        } else {
            world.secrets.set("production", name, "new");
            world.secrets.set("production", &format!("{name}.previous"), secret);
        }
        world.ask(sign(secret, 0)).await.run();
        assert_eq!(world.ask(sign("new", 0)).await.status, 202, "{name}");
        world.ask(sign("third", 0)).await.problem(401, "QC-I006");
    }
}

#[tokio::test]
async fn one_of_several_signatures_is_enough() {
    let world = World::new().await;
    let good = standard("standard-secret", 0);
    let at = seconds(0);
    let mac = sign::mac(b"standard-secret", &[b"msg_1.", at.as_bytes(), b".", BODY]);
    let several = format!("v1a,AAAA v1,AAAA v2,x v1,{}", sign::base64(&mac));
    let ask = good.with("webhook-timestamp", &at).with("webhook-signature", &several);
    world.ask(ask).await.run();
    let mac = sign::hex(&sign::mac(b"stripe-secret", &[at.as_bytes(), b".", BODY]));
    let several = format!("t={at},v1={},v1={mac}", "00".repeat(32));
    let ask = stripe("x", 0).with("stripe-signature", &several);
    world.ask(ask).await.run();
    // The search for a right one has an end.
    let flood = format!("{} v1,{}", "v1,AAAA ".repeat(1_000), sign::base64(&[0; 32]));
    let ask = standard("standard-secret", 0).with("webhook-signature", &flood);
    world.ask(ask).await.problem(401, "QC-I006");
}

#[tokio::test]
async fn a_standard_webhooks_id_makes_repeats_recognisable() {
    let world = World::new().await;
    let first = world.ask(standard("standard-secret", 0)).await;
    let again = world.ask(standard("standard-secret", -5)).await;
    assert_eq!((again.run(), again.replayed()), (first.run(), true));
}

#[tokio::test]
async fn a_secret_that_is_not_there_or_not_usable_is_our_fault_and_not_the_senders() {
    let world = World::new().await;
    let ask = Ask::post(&door("unconfigured"), "{}")
        .header("x-hub-signature-256", &sign::github("x", b"{}"));
    let told = world.ask(ask).await.problem(503, "QC-I019");
    assert_eq!(told["next_action"], "contact_owner");
    world.secrets.set("production", "standard", "whsec_%%% this is not base64");
    let told = world.ask(standard("standard-secret", 0)).await.problem(503, "QC-I019");
    assert_eq!(told["next_action"], "contact_owner");
}

#[tokio::test]
async fn another_environments_secret_is_of_no_use() {
    let world = World::new().await;
    let ask = github("github-secret", 0).to("/in/sandbox/doors/github");
    world.ask(ask).await.problem(503, "QC-I019");
}
