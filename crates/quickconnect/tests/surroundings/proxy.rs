//! Calls that leave through a proxy.

use std::{fs, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{certificates::Authority, chat::Chat, notify::Notify, stage::process::PATIENCE};

/// The longest head of a request.
const HEAD: usize = 16 << 10;

/// A proxy that leads everything to one port of this machine, whatever it is asked for, and keeps what it was asked.
struct Proxy {
    port: u16,
    asked: watch::Receiver<Vec<String>>,
}

impl Proxy {
    async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ask, asked) = watch::channel(Vec::new());
        let ask = Arc::new(ask);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(lead(client, target, Arc::clone(&ask)));
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

/// Leads one client on: through a tunnel when it asks for one, else by handing on what it sends.
async fn lead(mut client: TcpStream, target: u16, ask: Arc<watch::Sender<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        assert!(head.len() < HEAD, "the head has no end");
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8(head.clone()).unwrap();
    let first = text.lines().next().unwrap().to_owned();
    let tunnel = first.starts_with("CONNECT ");
    ask.send_modify(|asked| asked.push(first));
    let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
    if tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    } else {
        server.write_all(&head).await.unwrap();
    }
    // How either side ends is their affair.
    drop(copy_bidirectional(&mut client, &mut server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_clear_go_to_the_proxy_with_the_whole_address() {
    let chat = Chat::plain().await;
    let proxy = Proxy::to(chat.port).await;
    // A name that nobody knows: whoever reaches it reached it through the proxy.
    let mut notify = Notify::calling("http://chat.invalid");
    notify.server.set("QC_OUTBOUND_PROXY", &proxy.url());
    // The proxies of other programs are not ours.
    notify.server.set("HTTP_PROXY", "http://127.0.0.1:9");
    notify.server.set("http_proxy", "http://127.0.0.1:9");
    notify.server.set("NO_PROXY", "*");
    notify.server.start().await;
    notify.deploy();
    let reply = notify.alert("A-1", 30).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    assert_eq!(chat.posted().len(), 1);
    let expected = "POST http://chat.invalid/channels/operations/messages HTTP/1.1";
    assert_eq!(proxy.asked(), [expected]);
    notify.server.terminate();
    assert_eq!(notify.server.ended(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn secured_calls_go_through_a_tunnel_and_the_proxy_sees_the_host_only() {
    let authority = Authority::new();
    let chat = Chat::secured(authority.certify("chat.invalid").server()).await;
    let proxy = Proxy::to(chat.port).await;
    let mut notify = Notify::calling("https://chat.invalid");
    let bundle = notify.file("../authority.pem");
    fs::write(&bundle, &authority.pem).unwrap();
    notify.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
    notify.server.set("QC_OUTBOUND_PROXY", &proxy.url());
    notify.server.start().await;
    notify.deploy();
    let reply = notify.alert("A-1", 30).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    assert_eq!(chat.posted().len(), 1);
    assert_eq!(proxy.asked(), ["CONNECT chat.invalid:443 HTTP/1.1"]);
}
