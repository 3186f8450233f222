//! Pages become one list, or a failure; never half a list.

use qc_model::Class;

use super::*;
use crate::codes;

fn paged(style: &str) -> World {
    world_with(|yaml| {
        format!(
            "{yaml}  listTickets:\n    pagination: {{ items: .items, max_pages: 3, {style} }}\n"
        )
    })
}

fn page(ids: &[u32], next: &Value) -> Reply {
    let items: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    answer(200, &json!({"items": items, "next": next}))
}

fn ids(done: &Performed) -> Vec<u64> {
    let content = &done.result.as_ref().unwrap().content;
    content.as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_cursor_is_followed_to_its_end() {
    let world = paged("style: cursor, cursor: .next, parameter: cursor");
    world.will([page(&[1, 2], &json!("c1")), page(&[3], &json!(null))]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(ids(&done), [1, 2, 3]);
    assert_eq!(done.record.requests, 2);
    assert_eq!(world.seen()[1].url, "https://desk.test/v2/tickets?cursor=c1");
    // A cursor that leads to itself would go round for ever.
    world.will([page(&[1], &json!("c1")), page(&[1], &json!("c1"))]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!((&failed(&done).code, failed(&done).class), (&codes::PAGINATION, Class::Drift));
}

#[tokio::test]
async fn too_many_pages_are_a_failure() {
    let world = paged("style: cursor, cursor: .next, parameter: cursor");
    world.will((0..3).map(|n| page(&[n], &json!(format!("c{n}")))));
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!((&failed(&done).code, failed(&done).class), (&codes::PAGINATION, Class::Permanent));
    assert_eq!(world.seen().len(), 3);
}

#[tokio::test]
async fn offsets_and_page_numbers_count() {
    let world = paged("style: offset, parameter: offset");
    world.will([page(&[1, 2], &json!(0)), page(&[], &json!(0))]);
    assert_eq!(ids(&world.desk("listTickets", json!({})).await), [1, 2]);
    assert!(world.seen()[1].url.ends_with("?offset=2"));

    let world = paged("style: page, parameter: page");
    world.will([page(&[1], &json!(0)), page(&[], &json!(0))]);
    assert_eq!(ids(&world.desk("listTickets", json!({})).await), [1]);
    let urls: Vec<String> = world.seen().into_iter().map(|seen| seen.url).collect();
    assert!(urls[0].ends_with("?page=1") && urls[1].ends_with("?page=2"), "{urls:?}");
}

#[tokio::test]
async fn links_are_followed_at_home_only() {
    let world = paged("style: link");
    let linked = |link: &str| {
        let body = json!({"items": [{"id": 1}]}).to_string();
        reply(200, &[("content-type", "application/json"), ("link", link)], body)
    };
    world.will([
        linked("<https://desk.test/v2/tickets?x=0>; rel=\"prev\", </v2/tickets?x=2>; rel=\"next\""),
        linked("<https://desk.test/v2/tickets?x=0>; rel=\"first\""),
    ]);
    assert_eq!(ids(&world.desk("listTickets", json!({})).await), [1, 1]);
    let seen = world.seen();
    assert_eq!(seen[1].url, "https://desk.test/v2/tickets?x=2");
    assert_eq!(seen[1].header("authorization"), "Bearer t0ken-one");
    world.will([linked("<https://evil.test/v2/tickets?x=2>; rel=next")]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(failed(&done).code, codes::PAGINATION);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_whole() {
    let world = paged("style: cursor, cursor: .next, parameter: cursor");
    world.will([page(&[1], &json!("c1")), answer(503, &json!({}))]);
    assert_eq!(failed(&world.desk("listTickets", json!({})).await).class, Class::Overloaded);
    world.will([answer(200, &json!({"items": {"not": "a list"}}))]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(failed(&done).code, codes::PAGINATION);
    let mut world = paged("style: cursor, cursor: .next, parameter: cursor");
    world.outbound = world.outbound.with_response_limit(60);
    world.will([page(&[1, 2], &json!("c1")), page(&[3, 4], &json!("c2"))]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(failed(&done).code, codes::PAGINATION);
}

#[tokio::test]
async fn a_key_that_the_next_pages_link_repeats_is_sent_once_and_never_shown() {
    let world = world_with(|yaml| {
        let key = "api_key: { in: query, name: key, value: secret://desk/token }";
        let yaml = yaml.replace("bearer: { token: secret://desk/token }", key);
        format!("{yaml}  listTickets:\n    pagination: {{ items: .items, style: link }}\n")
    });
    let body = json!({"items": [{"id": 1}]}).to_string();
    let link = "<https://desk.test/v2/tickets?p=2&key=t0ken-one>; rel=\"next\"";
    let typed = ("content-type", "application/json");
    world.will([reply(200, &[typed, ("link", link)], body.clone()), reply(200, &[typed], body)]);
    let done = world.desk("listTickets", json!({})).await;
    assert_eq!(ids(&done), [1, 1]);
    assert_eq!(world.seen()[1].url, "https://desk.test/v2/tickets?p=2&key=t0ken-one");
    assert!(!format!("{done:?}").contains("t0ken-one"), "{done:?}");
}
