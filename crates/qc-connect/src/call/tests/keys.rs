//! Keys, forgotten keys, and read-backs.

use std::time::Duration;

use qc_model::{Applied, Class, Retry};

use super::*;
use crate::codes;

#[tokio::test]
async fn keys_go_where_the_connector_says() {
    let world = world();
    world.will([answer(200, &json!({})), answer(200, &json!({}))]);
    world.desk("addNote", json!({"text": "a"})).await.result.unwrap();
    world.desk("addNote", json!({"body": {"text": "a"}})).await.result.unwrap();
    let seen = world.seen();
    let key = &seen[0].json()["key"];
    assert_eq!(key.as_str().unwrap().len(), 64);
    assert_eq!(seen[1].json(), json!({"text": "a", "key": key}));
    // Keyed by the integration's word alone.
    world.will([answer(200, &json!({}))]);
    let call = CallRequest { effect: Effect::Keyed, ..request(plain(&json!({"method": "POST"}))) };
    world.perform(&call).await.result.unwrap();
    assert_eq!(world.seen()[2].header("idempotency-key"), world.effect.key);
    let world = super::world();
    world.will([reply(204, &[], "")]);
    world.desk("closeTicket", json!({"id": "1"})).await.result.unwrap();
    assert_eq!(world.seen()[0].header("idempotency-key"), "");
}

#[tokio::test]
async fn a_forgotten_key_is_not_sent_again() {
    let world = world();
    world.clock.forward(3600 + 1);
    let done = world.desk("addNote", json!({"text": "a"})).await;
    let failure = failed(&done);
    assert_eq!(failure.code, codes::KEY_FORGOTTEN);
    assert_eq!((failure.applied, failure.retry), (Applied::Maybe, Retry::OnEvent));
    assert_eq!(world.seen().len(), 0);
}

#[tokio::test]
async fn past_its_window_a_key_gives_way_to_a_read_back() {
    let world = world();
    world.clock.forward(24 * 3600 + 1);
    // Found: it is not sent again.
    world.will([answer(200, &json!({"items": [{"id": 9}]}))]);
    let done = world.desk("createTicket", json!({"subject": "s"})).await;
    assert_eq!(done.result.unwrap().content, json!({"id": 9}));
    // Not found: it is.
    world.will([answer(200, &json!({"items": []})), answer(201, &json!({"id": 10}))]);
    let done = world.desk("createTicket", json!({"subject": "s"})).await;
    assert_eq!(done.result.unwrap().content, json!({"id": 10}));
    let methods: Vec<String> = world.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["GET", "GET", "POST"]);
}

#[tokio::test]
async fn a_read_back_waits_until_the_other_side_has_settled() {
    let world = world();
    let call = world.call("createTicket", json!({"subject": "s"}));
    assert_eq!(world.release.settle(&call.target), Some(Duration::from_secs(2)));
    world.clock.forward(30);
    world.will([broken(CallErrorKind::Timeout, true)]);
    assert_eq!(failed(&world.perform(&call).await).applied, Applied::Maybe);
    world.clock.forward(1);
    let Verified::Unknown(failure) = world.verify(&call).await else {
        panic!("it asked too early")
    };
    assert_eq!(failure.stated_pause(), Some(Duration::from_secs(1)));
    world.clock.forward(1);
    world.will([answer(200, &json!({"items": []}))]);
    assert_eq!(world.verify(&call).await, Verified::NotApplied);
    let seen = world.seen().pop().unwrap();
    assert_eq!(seen.url, "https://desk.test/v2/tickets?ref=qc%3Arun_1%3A%2Fdo%2F0%2Fopen%3A0");
    assert_eq!(seen.header("idempotency-key"), "");
}

#[tokio::test]
async fn a_cut_off_call_counts_as_ambiguous_from_then_on() {
    struct Silent;
    #[async_trait]
    impl Caller for Silent {
        async fn call(&self, _: OutboundRequest) -> Reply {
            std::future::pending().await
        }
    }
    let mut world = world();
    world.outbound = Outbound::new(Arc::new(Silent), world.clock.clone(), world.secrets.clone());
    world.clock.forward(10);
    let call = world.call("createTicket", json!({"subject": "s"}));
    let cut = async { tokio::task::yield_now().await };
    tokio::select! {
        biased;
        _ = world.perform(&call) => panic!("nobody answers"),
        () = cut => {}
    }
    assert!(
        matches!(world.verify(&call).await, Verified::Unknown(f) if f.stated_pause().is_some())
    );
}

#[tokio::test]
async fn read_backs_tell_what_they_found() {
    let world = world();
    let call = world.call("createTicket", json!({"subject": "s"}));
    world.clock.forward(10);
    world.will([
        answer(200, &json!({"items": [{"id": 4}]})),
        answer(404, &json!({})),
        answer(503, &json!({})),
        answer(200, &json!({"items": 5})),
    ]);
    let Verified::Applied(output) = world.verify(&call).await else { panic!() };
    assert_eq!(output.content, json!({"id": 4}));
    assert_eq!(world.verify(&call).await, Verified::NotApplied);
    let Verified::Unknown(away) = world.verify(&call).await else { panic!() };
    assert_eq!((away.class, away.applied), (Class::Overloaded, Applied::Maybe));
    assert!(matches!(away.retry, Retry::After { .. }));
    // `5 | length` is 5 in jq, so this counts as found; what it yields is its first item, which fails.
    let Verified::Unknown(broken) = world.verify(&call).await else { panic!() };
    assert_eq!((&broken.code, broken.retry), (&codes::NO_VERDICT, Retry::OnEvent));

    let other = world.call("addNote", json!({}));
    assert!(!world.release.can_verify(&other.target));
    let Verified::Unknown(none) = world.verify(&other).await else { panic!() };
    assert_eq!(none.retry, Retry::OnEvent);
}
