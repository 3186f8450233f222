//! What a call asks for.

use qc_workflow::{
    Authentication, AuthenticationScheme, CallTarget, ClientAuthentication, Effect, OutputShape,
    contains_placeholder,
};
use serde_json::json;

use crate::driver::{Bound, Run, endpoint, errors_of, policy};

#[test]
fn variables_in_the_endpoint_are_encoded() {
    let body = "\ndo:\n  - get: { call: http, with: { method: get, endpoint: 'https://x.example/{name}/p?q={n}' } }\n";
    let run = Run::of(body, json!({"name": "a/b ?&", "n": 3}));
    assert_eq!(endpoint(&run.sent[0]), "https://x.example/a%2Fb%20%3F%26/p?q=3");
    for input in [json!({"n": 3}), json!({"name": null, "n": 3}), json!({"name": {}, "n": 3})] {
        let run = Run::of(body, input);
        assert_eq!(run.error()["instance"], "/do/0/get");
    }
}

#[test]
fn an_endpoint_from_an_expression_must_be_http() {
    let body = "\ndo:\n  - get: { call: http, with: { method: get, endpoint: '${ .url }' } }\n";
    let run = Run::of(body, json!({"url": "https://x.example/a?b=c d"}));
    assert_eq!(endpoint(&run.sent[0]), "https://x.example/a?b=c d");
    for url in [json!("file:///etc/passwd"), json!("x.example"), json!(7)] {
        Run::of(body, json!({ "url": url })).error();
    }
}

#[test]
fn headers_query_and_body_are_evaluated() {
    let body = "
do:
  - post:
      call: http
      with:
        method: post
        endpoint: https://x.example/
        headers: { X-Count: '${ .n }' }
        query: { tags: '${ .tags }', none: '${ .none }' }
        body: { text: '${ \"n is \\(.n)\" }', plain: .n }
        output: response
";
    let mut run = Run::of(body, json!({"n": 3, "tags": ["a", 1]}));
    let CallTarget::Http { method, headers, query, body, output, .. } = &run.sent[0].target else {
        panic!("HTTP")
    };
    assert_eq!(method, "POST");
    assert_eq!(headers, &json!({"X-Count": "3"}));
    assert_eq!(query, &json!({"tags": ["a", "1"]}), "null leaves a parameter out");
    assert_eq!(body, &Some(json!({"text": "n is 3", "plain": ".n"})));
    assert_eq!(*output, OutputShape::Response);
    assert_eq!(run.sent[0].effect, Effect::Once);
    run.succeed("post", json!({"id": 1}));
    assert_eq!(run.output()["statusCode"], 200);
    assert_eq!(run.output()["content"], json!({"id": 1}));
}

#[test]
fn secrets_are_placeholders_until_they_are_sent() {
    let body = "
use:
  secrets: [token, pair]
  authentications:
    ours: { bearer: { token: '${ $secrets.token }' } }
do:
  - a: { call: http, with: { method: get, endpoint: { uri: 'https://x.example/', authentication: { use: ours } } } }
  - b: { call: http, with: { method: get, endpoint: { uri: 'https://x.example/', authentication: { basic: { use: pair } } } } }
  - c:
      call: http
      with:
        method: get
        endpoint:
          uri: https://x.example/
          authentication:
            oauth2:
              authority: https://login.example/realm/
              grant: client_credentials
              client: { id: me, secret: '${ $secrets.token }', authentication: client_secret_basic }
              scopes: [read]
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| Ok(crate::driver::answer(json!({}))));
    let authentication = |at: usize| match &run.sent[at].target {
        CallTarget::Http { authentication: Some(authentication), .. } => authentication.clone(),
        other => panic!("{other:?}"),
    };
    let Authentication::Bearer { token } = authentication(0) else { panic!("bearer") };
    assert!(contains_placeholder(&token));
    let lookup = |name: &str| (name == "token").then(|| "s3cret".to_owned());
    let mark = run.sent[0].secrets;
    assert_eq!(mark.substitute_text(&token, &lookup), Ok(Some("s3cret".to_owned())));
    assert_eq!(
        authentication(1),
        Authentication::Secret { of: AuthenticationScheme::Basic, secret: "pair".into() }
    );
    assert_eq!(
        authentication(2),
        Authentication::OAuth2ClientCredentials {
            token_url: "https://login.example/realm/oauth2/token".into(),
            client_id: "me".into(),
            client_secret: token,
            client_authentication: ClientAuthentication::ClientSecretBasic,
            scopes: vec!["read".into()],
            audiences: vec![],
        }
    );
}

#[test]
fn a_placeholder_from_outside_is_never_replaced() {
    let body = "
use: { secrets: [token] }
do:
  - post: { call: http, with: { method: post, endpoint: 'https://x.example/', body: '${ .text | fromjson }' } }
";
    let text = "\"\\ue000secret:token\\ue001 \\ue000secret:token:0000000000000000\\ue001\"";
    let run = Run::of(body, json!({ "text": text }));
    let CallTarget::Http { body: Some(body), .. } = &run.sent[0].target else { panic!("a body") };
    let mut body = body.clone();
    let before = body.clone();
    run.sent[0]
        .secrets
        .substitute(&mut body, &|_| Some("s3cret".into()))
        .expect("nothing is missing");
    assert_eq!(body, before);
}

#[test]
fn the_integration_overrides_the_policy_of_a_task() {
    let mut bound = Bound::default();
    bound.overrides.insert("post".into(), policy(Effect::Keyed));
    let body =
        "\ndo:\n  - post: { call: http, with: { method: post, endpoint: 'https://x.example/' } }\n";
    let run = Run::with(body, json!({}), &bound);
    assert_eq!(run.sent[0].effect, Effect::Keyed);
    assert_eq!(run.sent[0].timeout_ms, 10_000);
    let calls: Vec<_> = run.machine().program().calls().collect();
    assert_eq!(calls.len(), 1);
    assert_eq!((&*calls[0].pointer, calls[0].policy.effect), ("/do/0/post", Effect::Keyed));
}

#[test]
fn connector_operations_are_checked() {
    assert_eq!(errors_of("\ndo:\n  - a: { call: crm.raed }\n"), ["QC-W012"]);
    assert_eq!(errors_of("\ndo:\n  - a: { call: erp.read }\n"), ["QC-W012"]);
    assert_eq!(errors_of("\ndo:\n  - a: { call: nothing }\n"), ["QC-W006"]);
    let run =
        Run::of("\ndo:\n  - a: { call: crm.read, with: { id: '${ .id }' } }\n", json!({"id": 9}));
    let CallTarget::Connector { connector, operation, arguments, .. } = &run.sent[0].target else {
        panic!("a connector")
    };
    assert_eq!((&**connector, &**operation), ("crm", "read"));
    assert_eq!(arguments, &json!({"id": 9}));
}
