//! What an integration's binding leaves of a connector.

use qc_expression::Expression;
use qc_model::{Class, Retry};

use super::*;
use crate::{
    call::{Binding, Quota, View},
    codes,
};

fn bound(binding: Binding) -> World {
    let mut world = world();
    let bindings = BTreeMap::from([("desk".to_owned(), binding)]);
    world.release = world.release.clone().with_bindings(bindings);
    world
}

fn views() -> Binding {
    let rows = |text: &str| Some(Expression::parse(text, &[]).unwrap());
    let list = View {
        items: vec!["items".to_owned()],
        rows: rows(".id < 10"),
        fields: Some(vec![vec!["id".to_owned()]]),
        beside: Vec::new(),
    };
    let one = View { rows: rows(".id < 10"), ..View::default() };
    let operations = [("listTickets", list), ("readTicket", one.clone()), ("createTicket", one)];
    let operations = operations.map(|(name, view)| (name.to_owned(), view));
    Binding { operations: Some(BTreeMap::from(operations)), quota: None }
}

#[tokio::test]
async fn an_operation_outside_is_not_sent() {
    let world = bound(views());
    let done = world.desk("closeTicket", json!({"id": "1"})).await;
    assert_eq!((failed(&done).class, &failed(&done).code), (Class::Policy, &codes::OUT_OF_BINDING));
    assert!(world.seen().is_empty());
}

#[tokio::test]
async fn rows_and_fields_outside_are_not_seen() {
    let world = bound(views());
    let all = json!({"items": [{"id": 1, "subject": "a"}, {"id": 77, "subject": "b"}], "total": 2});
    world.will([answer(200, &all)]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(done.result.unwrap().content, json!({"items": [{"id": 1}]}));
    world.will([answer(200, &json!({"id": 77, "subject": "b"}))]);
    let done = world.desk("readTicket", json!({"id": "77"})).await;
    assert_eq!(
        (failed(&done).class, &failed(&done).code),
        (Class::NotFound, &codes::OUT_OF_BINDING)
    );
    assert_eq!(failed(&done).status, 404);
}

#[tokio::test]
async fn what_was_written_outside_is_written_and_not_seen() {
    let world = bound(views());
    world.will([answer(201, &json!({"id": 77, "subject": "b"}))]);
    let done = world.desk("createTicket", json!({"body": {"subject": "b"}})).await;
    assert_eq!(done.result.unwrap().content, Value::Null);
}

#[tokio::test]
async fn a_quota_ends_with_its_window() {
    let quota = Some(Quota { calls: 2, per: Duration::from_secs(3_600) });
    let world = bound(Binding { operations: None, quota });
    for _ in 0..2 {
        world.will([answer(200, &json!({"id": 1}))]);
        world.desk("readTicket", json!({"id": "1"})).await.result.unwrap();
    }
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!((failed(&done).class, &failed(&done).code), (Class::Overloaded, &codes::QUOTA_USED));
    // 14:40: the window of an hour ends in twenty minutes.
    assert_eq!(failed(&done).retry, Retry::After { stated_ms: Some(20 * 60_000) });
    world.clock.forward(20 * 60);
    world.will([answer(200, &json!({"id": 1}))]);
    world.desk("readTicket", json!({"id": "1"})).await.result.unwrap();
}

#[tokio::test]
async fn the_platforms_own_question_is_not_narrowed() {
    let mut world = bound(views());
    world.effect.of_platform = true;
    world.will([reply(204, &[], "")]);
    world.desk("closeTicket", json!({"id": "1"})).await.result.unwrap();
}

#[tokio::test]
async fn beside_the_items_only_what_is_named_is_seen() {
    let mut binding = views();
    let list = binding.operations.as_mut().unwrap().get_mut("listTickets").unwrap();
    list.beside = vec![vec!["page".to_owned(), "next".to_owned()]];
    let world = bound(binding);
    let all = json!({
        "items": [{"id": 1, "subject": "a"}], "total": 2, "page": {"next": "c2", "secret": "x"},
    });
    world.will([answer(200, &all)]);
    let done = world.desk("listTickets", json!({})).await;
    let seen = json!({"items": [{"id": 1}], "page": {"next": "c2"}});
    assert_eq!(done.result.unwrap().content, seen);
}
