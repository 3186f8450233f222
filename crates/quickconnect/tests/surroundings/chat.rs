//! A chat in this process, which the template `notify` posts to: it keeps what it receives, over TLS or without, or takes
//! a call and never answers it.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use crate::stage::process::PATIENCE;

/// How the chat behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Polite,
    /// It reads and says nothing.
    Silent,
}

/// The chat; it lives as long as the test.
pub(crate) struct Chat {
    pub(crate) port: u16,
    posted: watch::Receiver<Vec<Value>>,
}

type Posted = Arc<watch::Sender<Vec<Value>>>;

impl Chat {
    pub(crate) async fn plain() -> Self {
        Self::start(None, Manner::Polite).await
    }

    pub(crate) async fn silent() -> Self {
        Self::start(None, Manner::Silent).await
    }

    pub(crate) async fn secured(config: Arc<ServerConfig>) -> Self {
        Self::start(Some(config), Manner::Polite).await
    }

    async fn start(tls: Option<Arc<ServerConfig>>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (post, posted) = watch::channel(Vec::new());
        let post = Arc::new(post);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (post, tls) = (Arc::clone(&post), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, post, manner).await,
                        Some(config) => {
                            // Who does not trust us goes away again.
                            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                                serve(stream, post, manner).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, posted }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was posted so far.
    pub(crate) fn posted(&self) -> Vec<Value> {
        self.posted.borrow().clone()
    }

    /// Waits until so many messages were posted; the last one's text.
    pub(crate) async fn hears(&self, count: usize) -> String {
        let mut posted = self.posted.clone();
        let heard = posted.wait_for(|posted| posted.len() >= count);
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        let heard = heard.expect("nothing is posted").unwrap();
        heard.last().unwrap()["text"].as_str().unwrap().to_owned()
    }
}

async fn serve<S>(stream: S, post: Posted, manner: Manner)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&post), manner));
    // How a connection ends is the caller's affair.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    post: Posted,
    manner: Manner,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_post = request.method() == http::Method::POST;
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, answer) = if is_post {
        let mut message: Value = serde_json::from_slice(&body).unwrap();
        message["id"] = json!("m-1");
        post.send_modify(|posted| posted.push(message.clone()));
        (StatusCode::CREATED, message)
    } else {
        (StatusCode::OK, json!({ "messages": [] }))
    };
    if manner == Manner::Silent {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}
