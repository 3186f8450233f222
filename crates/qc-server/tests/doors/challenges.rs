//! The handshakes by which providers make sure that an address is theirs to send to.

use serde_json::json;

use crate::{
    client::Ask,
    sign,
    world::{World, door, unix},
};

fn slack(body: &str) -> Ask {
    let at = unix().as_secs().to_string();
    let mac = sign::mac(b"slack-secret", &[b"v0:", at.as_bytes(), b":", body.as_bytes()]);
    Ask::post(&door("slack"), body)
        .header("x-slack-request-timestamp", &at)
        .header("x-slack-signature", &format!("v0={}", sign::hex(&mac)))
}

#[tokio::test]
async fn slack_gets_its_challenge_back_when_it_is_slack() {
    let world = World::new().await;
    let body = r#"{"token":"t","challenge":"3eZbrw1aB10FEMAGAZd4FyFQ","type":"url_verification"}"#;
    let reply = world.ask(slack(body)).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"challenge": "3eZbrw1aB10FEMAGAZd4FyFQ"}))
    );
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let forged = slack(body).with("x-slack-signature", "v0=00");
    world.ask(forged).await.problem(401, "QC-I006");
    assert_eq!(world.runs().await, 0);
    // Anything else is a delivery.
    let body = r#"{"type":"event_callback","event":{}}"#;
    world.ask(slack(body)).await.run();
}

#[tokio::test]
async fn meta_gets_its_challenge_back_for_the_right_word_only() {
    let world = World::new().await;
    let ask = |query: &str| Ask::get(&format!("{}?{query}", door("meta")));
    let right = "hub.mode=subscribe&hub.verify_token=meta-secret&hub.challenge=%3Cb%3E1158201444";
    let reply = world.ask(ask(right)).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"<b>1158201444"[..]));
    // What is handed back is never a page.
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let wrong = "hub.mode=subscribe&hub.verify_token=no&hub.challenge=1";
    let told = world.ask(ask(wrong)).await.problem(403, "QC-I022");
    assert!(!told.to_string().contains("meta-secret"));
    for query in [
        "",
        "hub.mode=subscribe",
        "hub.mode=unsubscribe&hub.verify_token=meta-secret&hub.challenge=1",
    ] {
        let reply = world.ask(ask(query)).await;
        reply.problem(405, "QC-I002");
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let endless = format!(
        "hub.mode=subscribe&hub.verify_token=meta-secret&hub.challenge={}",
        "x".repeat(5_000)
    );
    world.ask(ask(&endless)).await.problem(405, "QC-I002");
}

#[tokio::test]
async fn a_crc_token_is_answered_with_its_hmac() {
    let world = World::new().await;
    let reply = world.ask(Ask::get(&format!("{}?crc_token=abc%20d&nonce=1", door("crc")))).await;
    let expected = format!("sha256={}", sign::base64(&sign::mac(b"crc-secret", &[b"abc d"])));
    assert_eq!((reply.status, reply.json()), (200, json!({"response_token": expected})));
    world.ask(Ask::get(&door("crc"))).await.problem(405, "QC-I002");
}

#[tokio::test]
async fn graph_gets_its_token_back_as_text() {
    let world = World::new().await;
    for method in ["POST", "GET"] {
        let path =
            format!("{}?validationToken=Validation%3A+Testing%20%3Cscript%3E", door("graph"));
        let reply = world.ask(Ask::new(method, &path)).await;
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (200, &b"Validation: Testing <script>"[..])
        );
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn cloudevents_abuse_protection_lets_declared_origins_in() {
    let world = World::new().await;
    let ask =
        |origin: &str| Ask::new("OPTIONS", &door("abuse")).header("webhook-request-origin", origin);
    let reply = world.ask(ask("good.example").header("webhook-request-rate", "120")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("webhook-allowed-origin"), Some("good.example"));
    assert!(reply.header("webhook-allowed-rate").is_some());
    assert_eq!(reply.header("allow"), Some("POST"));
    let refused = world.ask(ask("evil.example")).await;
    refused.problem(403, "QC-I022");
    assert_eq!(refused.header("webhook-allowed-origin"), None);
    world.ask(Ask::new("OPTIONS", &door("abuse"))).await.problem(405, "QC-I002");
}

#[tokio::test]
async fn a_cloudevents_trigger_answers_who_asks_first() {
    let world = World::new().await;
    let ask = |trigger: &str, origin: &str| {
        Ask::new("OPTIONS", &door(trigger)).header("webhook-request-origin", origin)
    };
    // The handshake carries no token, though events need one.
    let reply = world.ask(ask("asked", "good.example")).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.header("webhook-allowed-origin"), Some("good.example"));
    assert_eq!(reply.header("webhook-allowed-rate"), None);
    assert_eq!(reply.header("allow"), Some("POST"));
    let paced = ask("asked", "good.example").header("webhook-request-rate", "120");
    assert_eq!(world.ask(paced).await.header("webhook-allowed-rate"), Some("*"));
    for origin in ["evil.example", "", "sub.good.example"] {
        let refused = world.ask(ask("asked", origin)).await;
        refused.problem(403, "QC-I022");
        assert_eq!(refused.header("webhook-allowed-origin"), None, "{origin}");
    }
    let reply = world.ask(ask("asked-by-all", "anyone.example")).await;
    assert_eq!(reply.header("webhook-allowed-origin"), Some("anyone.example"));
    // What is no handshake is told so; a trigger that declares none answers none.
    for (method, trigger) in [("OPTIONS", "asked"), ("GET", "asked"), ("OPTIONS", "events")] {
        let reply = world.ask(Ask::new(method, &door(trigger))).await;
        reply.problem(405, "QC-I002");
        assert_eq!(reply.header("allow"), Some("POST"), "{method} {trigger}");
    }
    world.ask(ask("events", "good.example")).await.problem(405, "QC-I002");
    // Having asked is no leave to send without the token.
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": 1});
    let send = Ask::post(&door("asked"), event.to_string())
        .with("content-type", "application/cloudevents+json")
        .header("webhook-request-origin", "good.example");
    world.ask(send.clone()).await.problem(401, "QC-A001");
    world.ask(send.token(&world.owner)).await.run();
    assert_eq!(world.runs().await, 1);
}

#[tokio::test]
async fn a_trigger_without_a_handshake_takes_no_other_method() {
    let world = World::new().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let path = format!("{}?hub.mode=subscribe&validationToken=x&crc_token=y", door("github"));
        let reply = world.ask(Ask::new(method, &path)).await;
        reply.problem(405, "QC-I002");
        assert_eq!(reply.header("allow"), Some("POST"));
    }
}
