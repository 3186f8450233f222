//! Logins whose token goes with the calls that follow, and certificates beside any credential.

use qc_model::{Applied, Class, Retry};

use super::*;
use crate::codes;

const USUAL: &str = "auth:\n  bearer: { token: secret://desk/token }\n";

fn behind(auth: &str) -> World {
    let world = world_with(|yaml| yaml.replace(USUAL, &format!("auth:\n{auth}\n")));
    world.secrets.set("sandbox", "desk/password", "pa$$");
    world
}

const LOGIN: &str = "  login:
    url: https://${vars.desk_host}/session
    body: { user: qc, credentials.password: secret://desk/password }
    headers: { X-Tenant: acme }
    token: /data/token
    expires_in: /data/ttl
    ttl: 10m
    header: { name: Authorization, value: 'Session {token}' }";

async fn read(world: &World) -> Performed {
    world.desk("readTicket", json!({"id": "1"})).await
}

fn ticket() -> Reply {
    answer(200, &json!({"id": 1}))
}

fn session(token: &str, life: Option<u64>) -> Reply {
    answer(200, &json!({"data": {"token": token, "ttl": life}}))
}

#[tokio::test]
async fn a_login_s_token_goes_with_calls_until_it_ends() {
    let world = behind(LOGIN);
    world.will([session("one", Some(100)), ticket(), ticket()]);
    read(&world).await.result.unwrap();
    world.clock.forward(79);
    read(&world).await.result.unwrap();
    world.clock.forward(2);
    // It says no length of life: then the file's counts.
    world.will([session("two", None), ticket()]);
    read(&world).await.result.unwrap();
    world.clock.forward(470);
    world.will([ticket()]);
    read(&world).await.result.unwrap();
    let seen = world.seen();
    assert_eq!((&*seen[0].url, &*seen[0].method), ("https://desk.test/session", "POST"));
    assert_eq!(seen[0].json(), json!({"user": "qc", "credentials": {"password": "pa$$"}}));
    assert_eq!(seen[0].header("x-tenant"), "acme");
    let sent: Vec<&str> = seen.iter().map(|one| one.header("authorization")).collect();
    let expected = ["", "Session one", "Session one", "", "Session two", "Session two"];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_refused_session_is_one_more_login_and_a_refused_login_waits_for_somebody() {
    let world = behind(LOGIN);
    world.will([session("one", None), answer(401, &json!({})), session("two", None), ticket()]);
    let done = read(&world).await;
    assert!(done.result.is_ok());
    assert_eq!(done.record.requests, 2);
    // Once, and not again at once.
    world.will([answer(401, &json!({})), answer(401, &json!({"echo": "pa$$"}))]);
    for _ in 0..2 {
        let done = read(&world).await;
        let failure = failed(&done);
        if failure.code == codes::TOKEN_REFUSED {
            assert_eq!((failure.class, failure.retry), (Class::Auth, Retry::OnEvent));
            assert!(!failure.detail.contains("pa$$"));
            break;
        }
    }
    // One that is away passes.
    let world = behind(LOGIN);
    world.will([reply(503, &[("retry-after", "9")], ""), session("", None)]);
    for stated in [Some(9), None] {
        let done = read(&world).await;
        let failure = failed(&done);
        assert_eq!((&failure.code, failure.applied), (&codes::TOKEN_UNAVAILABLE, Applied::No));
        assert_eq!(failure.stated_pause().map(|pause| pause.as_secs()), stated);
    }
}

#[tokio::test]
async fn a_form_gives_a_cookie_and_many_calls_log_in_once() {
    let world = Arc::new(behind(
        "  login:
    url: https://desk.test/login
    body: { user: qc, password: secret://desk/password }
    body_format: form
    token_cookie: sid
    cookie: { name: sid }",
    ));
    // Some lead on to their first page.
    world.will([reply(302, &[("set-cookie", "lang=en"), ("set-cookie", "sid=abc; HttpOnly")], "")]);
    world.will((0..16).map(|_| ticket()));
    let calls = (0..16).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { read(&world).await.result.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    let seen = world.seen();
    assert_eq!((seen.len(), &*seen[0].body), (17, "user=qc&password=pa%24%24"));
    assert!(seen[1..].iter().all(|one| one.header("cookie") == "sid=abc"));
}

fn pem() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(["qc.test".to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

#[tokio::test]
async fn a_certificate_goes_with_calls_and_with_requests_for_tokens() {
    let world = behind(
        "  client_certificate: { certificate: secret://desk/cert, key: secret://desk/key }
  oauth2_client_credentials:
    token_url: https://login.test/token
    client_id: qc
    client_secret: secret://desk/password",
    );
    let (certificate, key) = pem();
    world.secrets.set("sandbox", "desk/cert", &certificate);
    world.secrets.set("sandbox", "desk/key", "not a key");
    let done = read(&world).await;
    let failure = failed(&done);
    assert_eq!((failure.class, failure.retry), (Class::Auth, Retry::OnEvent));
    world.secrets.set("sandbox", "desk/key", &key);
    world.will([answer(200, &json!({"access_token": "one", "expires_in": 100})), ticket()]);
    read(&world).await.result.unwrap();
    let names: Vec<_> = world.seen().into_iter().map(|one| one.identity.unwrap()).collect();
    assert_eq!(names[0], names[1]);
    assert!(!format!("{names:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn a_certificate_alone_is_taken_anew_when_it_is_refused_and_stays_with_its_origin() {
    let world = behind("  client_certificate: { certificate: secret://desk/both }");
    let both = |(certificate, key): (String, String)| format!("{certificate}{key}");
    let (old, new) = (both(pem()), both(pem()));
    world.secrets.set("sandbox", "desk/both", &new);
    world.secrets.set("sandbox", "desk/both.previous", &old);
    world.will([answer(401, &json!({})), ticket()]);
    read(&world).await.result.unwrap();
    let seen = world.seen();
    assert_ne!(seen[0].identity, seen[1].identity, "the one before is tried");
    assert!(seen.iter().all(|one| one.identity.is_some()));
}
