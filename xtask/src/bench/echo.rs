//! The called system of the benchmarks: answers every request with the same small JSON, as fast
//! as it can, so that it is not what is measured. It can hold its answers back.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{\"ok\":true,\"id\":\"echo-42\"}";

/// A running echo; it serves until the process ends.
pub(crate) struct Echo {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
}

struct State {
    held: watch::Sender<bool>,
    answered: AtomicU64,
}

impl Echo {
    /// Serves on a free loopback port, in a thread of its own with its own runtime.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let state =
            Arc::new(State { held: watch::Sender::new(false), answered: AtomicU64::new(0) });
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        serve(listener, served).await;
                    }
                });
            }
        });
        Ok(Self { addr, state })
    }

    /// Answers nobody from now on.
    pub(crate) fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Answers again, those included who are still there; how many it had answered before.
    pub(crate) fn let_go(&self) -> u64 {
        let before = self.answered();
        self.state.held.send_replace(false);
        before
    }

    /// How many requests it has answered.
    pub(crate) fn answered(&self) -> u64 {
        self.state.answered.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A caller that breaks off ends its own connection only.
            drop(answer(stream, &state).await);
        });
    }
}

async fn answer(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = state.held.subscribe();
    let mut buffer = Vec::with_capacity(8192);
    loop {
        // The head, then as many bytes of body as it says.
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let needed = end + super::load::content_length(&buffer[..end]);
        while buffer.len() < needed {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.drain(..needed);
        if *held.borrow_and_update() {
            tokio::select! {
                // Nothing more comes from one who waits for an answer, but its going.
                _ = stream.read_buf(&mut buffer) => return Ok(()),
                _ = held.wait_for(|held| !held) => {}
            }
        }
        stream.write_all(ANSWER).await?;
        state.answered.fetch_add(1, Ordering::Relaxed);
    }
}
