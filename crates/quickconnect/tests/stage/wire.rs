//! A TCP proxy between a server and its database, which can break every connection, or let nothing
//! through and say nothing.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It arrives.
    Open,
    /// Every connection is broken, and so is every new one.
    Broken,
    /// Nothing arrives and nobody is told; what was sent arrives when the way is open again.
    Silent,
}

/// The proxy; it ends with its runtime.
pub(crate) struct Wire {
    pub(crate) port: u16,
    passage: Arc<watch::Sender<Passage>>,
}

impl Wire {
    /// To a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let wish = Arc::clone(&passage);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let wish = wish.subscribe();
                tokio::spawn(connect(client, port, wish));
            }
        });
        Self { port: own, passage }
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn connect(client: TcpStream, port: u16, mut wish: watch::Receiver<Passage>) {
    // A server behind a silent way does not answer the door either.
    if !passes(&mut wish).await {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let broken = {
        let mut wish = wish.clone();
        async move { drop(wish.wait_for(|passage| *passage == Passage::Broken).await) }
    };
    let both = async {
        tokio::join!(
            pump(from_client, to_server, wish.clone()),
            pump(from_server, to_client, wish.clone())
        )
    };
    tokio::select! {
        () = broken => {}
        _ = both => {}
    }
}

/// Waits while nothing passes. False: the connection is broken.
async fn passes(wish: &mut watch::Receiver<Passage>) -> bool {
    let settled = wish.wait_for(|passage| *passage != Passage::Silent).await;
    settled.is_ok_and(|passage| *passage == Passage::Open)
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut wish: watch::Receiver<Passage>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer).await {
        if !passes(&mut wish).await || length == 0 || to.write_all(&buffer[..length]).await.is_err()
        {
            break;
        }
    }
    drop(to.shutdown().await);
}

/// How long a test lets a way be silent or broken: longer than the lease.
pub(crate) const AWAY: Duration = Duration::from_secs(6);
