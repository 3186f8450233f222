//! A real OpenID provider: consent with PKCE, refresh tokens that rotate, a consent that is withdrawn, a client alone.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use qc_oidcserver::{Browser, Page};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::{
    notify::{CONNECTOR, Notify},
    provider::Provider,
    scene::{chat, rotate, until},
    stage::project::secret,
};

const USUAL: &str = "  bearer: {token: \"secret://chat/token\"}";

/// Starts and deploys the project, whose chat is reached so.
async fn play(mut notify: Notify, auth: &str) -> Notify {
    notify.edit(CONNECTOR, USUAL, auth);
    notify.server.turn_vault_on();
    secret(&notify.server.secrets(), "sandbox", "chat/client", "of the app");
    notify.server.start().await;
    notify.deploy();
    notify
}

/// Opens a link as its receiver does, and goes where it leads, until nothing leads on.
fn consent(link: &str, person: Option<&str>) -> Page {
    let mut browser = person.map_or_else(Browser::default, Browser::of);
    let mut page = browser.get(&Url::parse(link).unwrap());
    for _ in 0..10 {
        let Some(to) = page.redirect() else { return page };
        page = browser.get(&to);
    }
    panic!("{} leads on and on", page.url);
}

fn link(notify: &Notify, verb: &str) -> String {
    let made = notify.server.told(&["conn", verb, "sandbox", "chat"]);
    made["url"].as_str().unwrap().to_owned()
}

const CODE: &str = "  oauth2_authorization_code:
    authorization_url: ISSUER/auth
    token_url: TOKENS/token
    redirect_uri: http://127.0.0.1:PORT/connect/callback
    client_id: app
    client_secret: secret://chat/client
    scopes: [openid, offline_access]
    authorization_params: {prompt: consent}
    issuer: ISSUER
    userinfo_url: ISSUER/me
    account: /sub
    rotating: true";

fn settings(port: u16) -> Value {
    json!({
        "clients": [
            {
                "client_id": "app", "client_secret": "of the app",
                "redirect_uris": [format!("http://127.0.0.1:{port}/connect/callback")],
                "grant_types": ["authorization_code", "refresh_token"],
            },
            {
                "client_id": "alone", "client_secret": "of the app",
                "redirect_uris": [], "response_types": [], "grant_types": ["client_credentials"],
            },
        ],
        "people": { "ines": {}, "jon": {} },
    })
}

/// Passes everything on to the provider; when it is to lose an answer, it breaks off once the provider has given it.
struct Lossy {
    port: u16,
    loses: Arc<AtomicBool>,
}

impl Lossy {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (own, loses) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let lossy = Arc::clone(&loses);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, Arc::clone(&lossy)));
            }
        });
        Self { port: own, loses }
    }
}

async fn pass(client: TcpStream, port: u16, loses: Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        if loses.swap(false, Ordering::SeqCst) {
            break;
        }
        if to_client.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn consent_rotation_withdrawal_and_consent_again() {
    let board = Provider::board().await;
    let notify = Notify::calling(&board.url());
    let Some(provider) = qc_oidcserver::own(&settings(notify.server.port)) else { return };
    let port = Url::parse(provider.issuer()).unwrap().port().unwrap();
    let lossy = Lossy::to(port).await;
    let auth = CODE
        .replace("TOKENS", &format!("http://127.0.0.1:{}", lossy.port))
        .replace("ISSUER", provider.issuer())
        .replace("PORT", &notify.server.port.to_string());
    let notify = play(notify, &auth).await;

    // Who declines connects nothing; what waits goes on once somebody consents.
    let reply = notify.alert("first", 0).await;
    assert_eq!(reply.status, 202, "{}", reply.shown());
    let declined = consent(&link(&notify, "connect"), None);
    assert_eq!(declined.status, 400, "{declined:?}");
    assert_eq!(board.posted().len(), 0);
    let page = consent(&link(&notify, "connect"), Some("ines"));
    assert!(page.status == 200 && page.body.contains("<h1>Connected</h1>"), "{page:?}");
    board.hears(1).await;
    let shown = chat(&notify.server).await;
    assert_eq!((&shown["account"], &shown["generation"]), (&json!("ines"), &json!(1)), "{shown}");

    // The refresh token is replaced each time.
    for generation in 2..5 {
        let (status, shown) = rotate(&notify.server).await;
        assert_eq!((status, &shown["generation"]), (200, &json!(generation)), "{shown}");
    }

    // The provider withdraws it: runs wait, and go on after consent, of the same account only.
    provider.remove("ines");
    let (status, shown) = rotate(&notify.server).await;
    assert_ne!(status, 200, "{shown}");
    assert_eq!(chat(&notify.server).await["state"], "reauth_required");
    notify.alert("second", 0).await;
    until("the parking", async || {
        !notify.server.ask_all("/api/v1/runs?status=parked").await.is_empty()
    })
    .await;
    provider.set("ines", &json!({}));
    let other = consent(&link(&notify, "reconnect"), Some("jon"));
    assert!(other.status == 400 && other.body.contains("QC-N310"), "{other:?}");
    let began = Instant::now();
    let page = consent(&link(&notify, "reconnect"), Some("ines"));
    assert_eq!(page.status, 200, "{page:?}");
    board.hears(2).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // An answer is lost after the provider has committed: the spent token is not sent again, and the present one goes on.
    lossy.loses.store(true, Ordering::SeqCst);
    let (status, shown) = rotate(&notify.server).await;
    assert_ne!(status, 200, "{shown}");
    assert_eq!(chat(&notify.server).await["state"], "suspect");
    assert_ne!(rotate(&notify.server).await.0, 200);
    notify.alert("third", 30).await;
    board.hears(3).await;
    // Had it been sent again, the provider would have ended all of the family.
    assert_eq!(known(&provider, &board).await, 200);
    let page = consent(&link(&notify, "reconnect"), Some("ines"));
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(chat(&notify.server).await["state"], "active");
}

/// Whether the provider still takes the access token with which the board was called last.
async fn known(provider: &qc_oidcserver::Server, board: &Provider) -> u16 {
    let field = format!("Bearer {}", board.last_token());
    let url = Url::parse(&format!("{}/me", provider.issuer())).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        Browser::default().ask("GET", &url, &[("authorization", &field)], "").status
    });
    asked.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_alone_has_a_connection_too() {
    let board = Provider::board().await;
    let Some(provider) = qc_oidcserver::own(&settings(1)) else { return };
    let auth = "  oauth2_client_credentials: {connection: bot, token_url: \"ISSUER/token\", \
                client_id: alone, client_secret: \"secret://chat/client\"}"
        .replace("ISSUER", provider.issuer());
    let notify = play(Notify::calling(&board.url()), &auth).await;
    let reply = notify.alert("first", 30).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    let of = json!({ "environment": "sandbox", "name": "bot" });
    let shown = notify.server.ask("/api/v1/connections/sandbox/bot").await;
    assert_eq!((&shown["state"], &shown["generation"]), (&json!("active"), &json!(1)), "{shown}");
    let reply = notify.server.post("/api/v1/connections/rotate", &of).await;
    assert_eq!(reply.json()["generation"], 2, "{}", reply.shown());
    notify.alert("second", 30).await;
    board.hears(2).await;
}
