//! The provider of tokens, and the chat behind it, in this process.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use crate::stage::process::PATIENCE;

/// What becomes of the next request for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It is taken, and nothing is done or said.
    Ignores,
    /// It is done, and nothing is said.
    DoesAndHolds,
    /// It is done, and said when the gate opens.
    Waits,
    /// It is not done: the refresh token is no longer good, and stays so.
    Revokes,
}

/// How the provider is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// How long access tokens live.
    pub(crate) life: Duration,
    /// Whether the refresh token before the present one is taken, too.
    pub(crate) grace: bool,
    /// Whether new tokens end those before at once.
    pub(crate) ends_old: bool,
}

#[derive(Default)]
struct Inside {
    moods: VecDeque<Mood>,
    /// The good refresh token, and the one before.
    refresh: (String, Option<String>),
    number: u32,
    access: Vec<(String, Instant)>,
    dead: bool,
    reused: bool,
    posted: Vec<String>,
    refused: usize,
    away: bool,
    /// Any token is good: another one gives them.
    open: bool,
    last: String,
    /// References that begin so want scopes that nobody has, and the tokens with which they came.
    barred: Option<String>,
    turned_away: Vec<String>,
}

/// The provider; it lives as long as the test.
pub(crate) struct Provider {
    pub(crate) port: u16,
    place: Arc<Place>,
}

struct Place {
    manner: Mutex<Manner>,
    inside: Mutex<Inside>,
    asked: watch::Sender<usize>,
    gate: watch::Sender<bool>,
}

impl Provider {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Inside { refresh: ("seed".to_owned(), None), ..Inside::default() };
        let place = Arc::new(Place {
            manner: Mutex::new(manner),
            inside: Mutex::new(inside),
            asked: watch::Sender::new(0),
            gate: watch::Sender::new(false),
        });
        let own = Arc::clone(&place);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let place = Arc::clone(&own);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, Arc::clone(&place)));
                    // How a connection ends is the caller's affair.
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                });
            }
        });
        Self { port, place }
    }

    /// Only the chat, which takes the tokens of others.
    pub(crate) async fn board() -> Self {
        let manner = Manner { life: Duration::ZERO, grace: false, ends_old: false };
        let board = Self::start(manner).await;
        board.inside(|inside| inside.open = true);
        board
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token with which it was called last.
    pub(crate) fn last_token(&self) -> String {
        self.inside(|inside| inside.last.clone())
    }

    /// Waits until so many messages were posted.
    pub(crate) async fn hears(&self, count: usize) {
        crate::scene::until("a message", async || self.posted().len() >= count).await;
    }

    fn inside<T>(&self, deed: impl FnOnce(&mut Inside) -> T) -> T {
        deed(&mut self.place.inside.lock().unwrap())
    }

    pub(crate) fn next(&self, moods: impl IntoIterator<Item = Mood>) {
        self.inside(|inside| inside.moods.extend(moods));
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.place.manner.lock().unwrap() = manner;
    }

    /// Lets the answers out that wait.
    pub(crate) fn open(&self) {
        self.place.gate.send_replace(true);
    }

    /// A person brings another refresh token.
    pub(crate) fn begin_anew(&self, refresh: &str) {
        self.inside(|inside| {
            (inside.dead, inside.refresh) = (false, (refresh.to_owned(), None));
        });
    }

    /// The chat answers 503, or does again.
    pub(crate) fn away(&self, away: bool) {
        self.inside(|inside| inside.away = away);
    }

    /// References that begin so want scopes that nobody has; None: none does.
    pub(crate) fn bar(&self, begin: Option<&str>) {
        self.inside(|inside| inside.barred = begin.map(str::to_owned));
    }

    /// The tokens of the calls that lacked scopes.
    pub(crate) fn turned_away(&self) -> Vec<String> {
        self.inside(|inside| inside.turned_away.clone())
    }

    /// How often tokens were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.place.asked.borrow()
    }

    /// Waits until they were asked for so often.
    pub(crate) async fn is_asked(&self, count: usize) {
        let mut asked = self.place.asked.subscribe();
        let asked = asked.wait_for(|asked| *asked >= count);
        drop(tokio::time::timeout(PATIENCE, asked).await.expect("nobody asks for tokens").unwrap());
    }

    /// Whether a spent refresh token came.
    pub(crate) fn was_reused(&self) -> bool {
        self.inside(|inside| inside.reused)
    }

    /// The references of what was posted, in order.
    pub(crate) fn posted(&self) -> Vec<String> {
        self.inside(|inside| inside.posted.clone())
    }

    /// How many calls came with a token that was not good.
    pub(crate) fn refused(&self) -> usize {
        self.inside(|inside| inside.refused)
    }
}

impl Place {
    fn grant(&self, form: &str) -> (u16, Value) {
        let manner = *self.manner.lock().unwrap();
        let mut inside = self.inside.lock().unwrap();
        let sent = url::form_urlencoded::parse(form.as_bytes())
            .find(|pair| pair.0 == "refresh_token")
            .map(|pair| pair.1.into_owned())
            .unwrap_or_default();
        let graced = manner.grace && inside.refresh.1.as_ref() == Some(&sent);
        if sent != inside.refresh.0 && !graced {
            (inside.dead, inside.reused) = (true, true);
        }
        if inside.dead {
            return (400, json!({ "error": "invalid_grant" }));
        }
        inside.number += 1;
        let (access, refresh) =
            (format!("access-{}", inside.number), format!("refresh-{}", inside.number));
        if manner.ends_old {
            inside.access.clear();
        }
        inside.access.push((access.clone(), Instant::now() + manner.life));
        inside.refresh = (refresh.clone(), Some(sent));
        let life = manner.life.as_secs();
        (200, json!({"access_token": access, "refresh_token": refresh, "expires_in": life}))
    }

    async fn tokens(&self, form: &str) -> (u16, Value) {
        let mood = self.inside.lock().unwrap().moods.pop_front();
        let said = match mood {
            Some(Mood::Ignores) => None,
            Some(Mood::Revokes) => {
                self.inside.lock().unwrap().dead = true;
                Some((400, json!({ "error": "invalid_grant" })))
            }
            _ => Some(self.grant(form)),
        };
        self.asked.send_modify(|asked| *asked += 1);
        match (mood, said) {
            (Some(Mood::Waits), Some(said)) => {
                drop(self.gate.subscribe().wait_for(|open| *open).await);
                said
            }
            (Some(Mood::Ignores | Mood::DoesAndHolds), _) | (_, None) => {
                std::future::pending().await
            }
            (_, Some(said)) => said,
        }
    }

    fn chat(&self, method: &Method, token: &str, body: &[u8]) -> (u16, Value) {
        let mut inside = self.inside.lock().unwrap();
        token.clone_into(&mut inside.last);
        let good = inside.open
            || inside.access.iter().any(|(own, end)| own == token && Instant::now() < *end);
        if !good {
            inside.refused += 1;
            return (401, json!({ "error": "unauthorized" }));
        }
        if inside.away {
            return (503, json!({ "error": "away" }));
        }
        if *method != Method::POST {
            return (200, json!({ "channels": [], "messages": [] }));
        }
        let mut message: Value = serde_json::from_slice(body).unwrap();
        let about = message["ref"].as_str().unwrap();
        if inside.barred.as_ref().is_some_and(|begin| about.starts_with(begin)) {
            inside.turned_away.push(token.to_owned());
            return (403, json!({ "error": "forbidden" }));
        }
        inside.posted.push(message["ref"].as_str().unwrap().to_owned());
        message["id"] = json!("m-1");
        (201, message)
    }
}

async fn answer(
    request: Request<Incoming>,
    place: Arc<Place>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let (status, said) = if head.uri.path() == "/token" {
        place.tokens(&String::from_utf8_lossy(&body)).await
    } else {
        let token = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = token.unwrap_or_default().trim_start_matches("Bearer ");
        place.chat(&head.method, token, &body)
    };
    let mut response = Response::builder();
    if status == 403 {
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"admin\"";
        response = response.header("www-authenticate", challenge);
    }
    let response = response
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(said.to_string())));
    Ok(response.unwrap())
}
