//! How requests are made, and what is shown of them.

use qc_model::{Applied, Class, Retry};

use super::*;
use crate::codes;

#[tokio::test]
async fn an_operation_is_sent_as_its_contract_says() {
    let world = world();
    world.will([answer(201, &json!({"id": 7}))]);
    let done = world.desk("createTicket", json!({"subject": "broken"})).await;
    assert_eq!(done.result.as_ref().unwrap().content, json!({"id": 7}));
    assert_eq!(done.drift, []);
    let seen = &world.seen()[0];
    assert_eq!((seen.method.as_str(), seen.url.as_str()), ("POST", "https://desk.test/v2/tickets"));
    assert_eq!(seen.json(), json!({"subject": "broken"}));
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("authorization"), "Bearer t0ken-one");
    assert_eq!(seen.header("idempotency-key"), "qc:run_1:/do/0/open:0");
    assert_eq!(seen.header("traceparent"), world.effect.traceparent);
    assert!(seen.header("user-agent").starts_with("quickconnect/"));
    let record = &done.record;
    assert_eq!((record.status, record.class, record.sent), (Some(201), None, true));
    assert_eq!((record.requests, record.request_bytes), (1, 20));
    assert_eq!(record.url, "https://desk.test/v2/tickets");
    // What the workflow sees of its request holds no credential.
    let facts = &done.result.as_ref().unwrap().request;
    assert!(!serde_json::to_string(facts).unwrap().contains("t0ken"));
}

#[tokio::test]
async fn arguments_that_break_the_contract_are_not_sent() {
    let world = world();
    let done = world.desk("createTicket", json!({"subject": 5, "body": {"subject": 5}})).await;
    let failure = failed(&done);
    assert_eq!((failure.class, &failure.code), (Class::Invalid, &codes::INVALID_REQUEST));
    let done = world.desk("createTicket", json!({})).await;
    assert!(failed(&done).detail.contains("subject"), "{}", failed(&done).detail);
    assert_eq!((done.record.requests, done.record.sent), (0, false));
    assert_eq!(world.seen().len(), 0);
}

#[tokio::test]
async fn secrets_are_filled_in_last_and_shown_nowhere() {
    let world = world();
    let secret = mark().placeholder("api");
    world.will([
        answer(200, &json!({"id": 1, "echo": "you sent t0ken-one"})),
        reply(200, &[("content-type", "text/plain"), ("x-echo", "t0ken-one")], "ok"),
    ]);
    let done = world.desk("readTicket", json!({"id": secret})).await;
    let output = done.result.unwrap();
    assert_eq!(output.content["echo"], "you sent ***");
    assert_eq!(done.record.url, "https://desk.test/v2/tickets/***");
    let encoded: String = ["%EE%80%80", &secret[3..secret.len() - 3], "%EE%80%81"].concat();
    let target = plain(&json!({
        "method": "POST",
        "endpoint": format!("https://desk.test/{encoded}/x"),
        "headers": {"X-Key": format!("k {secret}"), "X-Plain": "p"},
        "query": {"key": secret},
        "body": {"key": [secret]},
    }));
    let done = world.perform(&request(target)).await;
    let output = done.result.unwrap();
    assert_eq!(output.headers["x-echo"], "***");
    assert_eq!(output.request.headers["x-key"], "k ***");
    assert_eq!(output.request.headers["x-plain"], "p");
    assert_eq!(done.record.url, "https://desk.test/***/x?key=***");
    let seen = world.seen();
    assert_eq!(seen[0].url, "https://desk.test/v2/tickets/t0ken-one");
    assert_eq!(seen[1].url, "https://desk.test/t0ken%2Done/x?key=t0ken-one");
    assert_eq!(seen[1].header("x-key"), "k t0ken-one");
    assert_eq!(seen[1].json(), json!({"key": ["t0ken-one"]}));
}

#[tokio::test]
async fn a_forged_or_undeclared_placeholder_gives_nothing_away() {
    let world = world();
    world.will([answer(200, &json!(null))]);
    let forged = SecretMark::new(8).placeholder("api");
    let target = plain(&json!({"method": "POST", "body": {"k": forged}}));
    world.perform(&request(target)).await.result.unwrap();
    assert!(!world.seen()[0].body.contains("t0ken"));
    let undeclared = mark().placeholder("nope");
    let done = world.perform(&request(plain(&json!({"query": {"k": undeclared}})))).await;
    assert_eq!(failed(&done).code, codes::UNDECLARED_SECRET);
    let missing = mark().placeholder("pair");
    let done = world.perform(&request(plain(&json!({"query": {"k": missing}})))).await;
    assert_eq!(failed(&done).code, qc_vault::codes::MISSING_SECRET);
    assert_eq!(failed(&done).retry, Retry::OnEvent);
}

#[tokio::test]
async fn bodies_follow_their_content_type() {
    let world = world();
    let cases = [
        (json!({"body": [1]}), "application/json", "[1]"),
        (
            json!({"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": {"a": ["1", 2], "b": "x y"}}),
            "application/x-www-form-urlencoded",
            "a=1&a=2&b=x+y",
        ),
        (json!({"headers": {"content-type": "text/csv"}, "body": "a;b"}), "text/csv", "a;b"),
        (json!({"body": {"base64": "aGk=", "mediaType": "image/png"}}), "image/png", "hi"),
    ];
    for (mut parts, media_type, body) in cases {
        parts["method"] = json!("POST");
        world.will([reply(204, &[], "")]);
        let done = world.perform(&request(plain(&parts))).await;
        assert_eq!(done.result.unwrap().content, Value::Null);
        let seen = world.seen().pop().unwrap();
        assert_eq!((seen.header("content-type"), seen.body.as_str()), (media_type, body));
    }
    world.will([reply(200, &[], "")]);
    world.desk("upload", json!({"title": "a\"b"})).await.result.unwrap();
    let seen = world.seen().pop().unwrap();
    let boundary = seen.header("content-type").split("boundary=").nth(1).unwrap();
    assert!(
        seen.body.starts_with(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"title\""
        ))
    );
    assert!(seen.body.ends_with(&format!("\r\n--{boundary}--\r\n")));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let world = world();
    for parts in [
        json!({"headers": {"X": "a\nb"}}),
        json!({"headers": {"Host": "evil"}}),
        json!({"headers": {"Content-Length": "5"}}),
        json!({"headers": {"X": {}}}),
        json!({"query": {"x": {}}}),
        json!({"endpoint": "ftp://desk.test/x"}),
        json!({"endpoint": "file:///etc/passwd"}),
        json!({"endpoint": "https://user:pass@desk.test/x"}),
        json!({"method": "GE T"}),
        json!({"body": {"a": 1}, "headers": {"content-type": "text/plain"}}),
    ] {
        let done = world.perform(&request(plain(&parts))).await;
        assert_eq!(failed(&done).code, codes::UNSENDABLE, "{parts}");
        assert_eq!(failed(&done).applied, Applied::No);
    }
}

#[tokio::test]
async fn a_pinned_document_is_called_at_its_server() {
    let world = world();
    world.will([answer(200, &json!({"id": 1}))]);
    let target = CallTarget::OpenApi {
        document: "https://desk.test/openapi.yaml".to_owned(),
        operation: "readTicket".to_owned(),
        arguments: json!({"id": "a/b"}),
        authentication: None,
        output: OutputShape::Content,
        redirect: false,
    };
    world.perform(&request(target)).await.result.unwrap();
    assert_eq!(world.seen()[0].url, "https://desk.test/v2/tickets/a%2Fb");
    assert_eq!(world.seen()[0].header("authorization"), "");
    let uri = "https://desk.test/openapi.yaml";
    assert_eq!(world.release.openapi_policy(uri, "addNote").unwrap().effect, Effect::Once);
    let finding = world.release.openapi_policy(uri, "addNot").unwrap_err();
    assert_eq!(finding.help.as_deref(), Some("did you mean `addNote`?"));
    assert!(world.release.openapi_policy("https://other", "x").is_err());
}

#[tokio::test]
async fn answers_come_in_their_own_forms() {
    let world = world();
    let text =
        |media_type: &'static str, body: &str| reply(200, &[("content-type", media_type)], body);
    world.will([
        text("text/html; charset=utf-8", "<p>"),
        text("application/vnd.x+json", "{\"a\": 1, \"a\": 2}"),
        text("image/png", "\u{1}"),
        reply(200, &[], "[1]"),
        reply(200, &[], "plain"),
    ]);
    let mut contents = Vec::new();
    for _ in 0..5 {
        contents.push(world.perform(&request(plain(&json!({})))).await.result.unwrap().content);
    }
    let image = json!({"base64": "AQ==", "mediaType": "image/png"});
    assert_eq!(contents, [json!("<p>"), json!({"a": 2}), image, json!([1]), json!("plain")]);
    world.will([text("application/json", "{\"a\":1}")]);
    let mut call = world.call("readTicket", json!({"id": "1"}));
    if let CallTarget::Connector { output, .. } = &mut call.target {
        *output = OutputShape::Raw;
    }
    assert_eq!(world.perform(&call).await.result.unwrap().content, json!("eyJhIjoxfQ=="));
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_keep_credentials_at_home() {
    let world = world();
    let to = |status: u16, place: &str| reply(status, &[("location", place)], "");
    world.will([to(302, "https://desk.test/y")]);
    let done = world.perform(&request(plain(&json!({})))).await;
    assert_eq!((&failed(&done).code, failed(&done).status), (&codes::REDIRECT, 302));

    let secret = mark().placeholder("api");
    let parts = json!({"redirect": true, "authentication": {"scheme": "bearer", "token": secret}});
    world.will([to(302, "/y"), to(307, "https://other.test/z"), answer(200, &json!(1))]);
    world.perform(&request(plain(&parts))).await.result.unwrap();
    let seen = world.seen();
    assert_eq!(seen[2].url, "https://desk.test/y");
    assert_eq!(seen[2].header("authorization"), "Bearer t0ken-one");
    assert_eq!(seen[3].url, "https://other.test/z");
    assert_eq!(seen[3].header("authorization"), "");

    // A body that holds a secret does not leave its origin; and nothing goes from https to http.
    let parts = json!({"redirect": true, "method": "POST", "body": {"k": secret}});
    world.will([to(307, "https://other.test/z"), to(302, "http://desk.test/z")]);
    for _ in 0..2 {
        let done = world.perform(&request(plain(&parts))).await;
        assert_eq!(failed(&done).code, codes::REDIRECT);
    }
    world.will((0..6).map(|_| to(302, "/again")));
    let done = world.perform(&request(plain(&json!({"redirect": true})))).await;
    assert_eq!(failed(&done).code, codes::REDIRECT);
    assert_eq!(done.record.requests, 6);
    assert_eq!(world.seen().len(), 4 + 2 + 6);
}

/// What the release writes out may be anywhere; where data leads, only the internet is reached.
#[tokio::test]
async fn only_what_the_release_writes_out_may_be_anywhere() {
    let mut world = world();
    let to = |place: &str| reply(307, &[("location", place)], "");
    world.will([answer(200, &json!(1))]);
    world.perform(&request(plain(&json!({})))).await.result.unwrap();
    world.release = world.release.clone().with_endpoints([
        "https://desk.test/{path}",
        "https://{host}/x",
        "${ \"https://other.test/\" + .path }",
    ]);
    world.will([to("/y"), to("https://other.test/z"), answer(200, &json!(1))]);
    world.perform(&request(plain(&json!({"redirect": true})))).await.result.unwrap();
    let reached: Vec<Reach> = world.seen().iter().map(|one| one.reach).collect();
    // Without the endpoint; with it; to the same place; to another one.
    assert_eq!(reached, [Reach::Public, Reach::Anywhere, Reach::Anywhere, Reach::Public]);
    world.will([answer(201, &json!({"id": 7}))]);
    world.desk("createTicket", json!({"subject": "broken"})).await.result.unwrap();
    assert_eq!(world.seen()[4].reach, Reach::Anywhere, "the connector's own address");
}
