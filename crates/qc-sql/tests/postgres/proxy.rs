//! A TCP proxy that cuts a connection where a test wants it: before the server hears of a commit, or
//! before the client hears of its answer.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

/// What happens to the next commit that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// It passes.
    Never = 0,
    /// The server does not hear of it.
    Before = 1,
    /// The server does it; the client hears nothing.
    After = 2,
    /// It has passed; the clients are gone without a word ([`Proxy::sever`]).
    Silently = 3,
}

/// The proxy: forwards every connection to one port.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cut: Arc<AtomicU8>,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicU8::new(Cut::Never as u8));
        let clients = Arc::new(Mutex::new(Vec::new()));
        let (wish, known) = (Arc::clone(&cut), Arc::clone(&clients));
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                known.lock().unwrap().push(client.try_clone().unwrap());
                join(client, server, &wish);
            }
        });
        Self { port: own, cut, clients }
    }

    /// The next commit meets this; those after it pass.
    pub(crate) fn cut_next(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Cuts all clients off at once, as a machine that dies would: the server does not hear of it.
    pub(crate) fn sever(&self) {
        self.cut.store(Cut::Silently as u8, Ordering::SeqCst);
        for client in self.clients.lock().unwrap().drain(..) {
            drop(client.shutdown(Shutdown::Both));
        }
    }

    /// Whether the wish was done.
    pub(crate) fn is_done(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::Never as u8
    }
}

fn join(client: TcpStream, server: TcpStream, wish: &Arc<AtomicU8>) {
    let silent = Arc::new(AtomicU8::new(0));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (cut, mute) = (Arc::clone(wish), Arc::clone(&silent));
    thread::spawn(move || up(from, to, &cut, &mute));
    let cut = Arc::clone(wish);
    thread::spawn(move || down(server, client, &cut, &silent));
}

/// From the client to the server, looking for a commit: a simple query of that one word.
fn up(mut from: TcpStream, mut to: TcpStream, wish: &AtomicU8, silent: &AtomicU8) {
    const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        let part = &buffer[..length];
        let place = part.windows(COMMIT.len()).position(|window| window == COMMIT);
        if let Some(place) = place {
            match wish.swap(Cut::Never as u8, Ordering::SeqCst) {
                cut if cut == Cut::Before as u8 => {
                    drop(to.write_all(&part[..place]));
                    drop(from.shutdown(Shutdown::Both));
                    break;
                }
                cut if cut == Cut::After as u8 => silent.store(1, Ordering::SeqCst),
                _ => {}
            }
        }
        if to.write_all(part).is_err() {
            break;
        }
    }
    if wish.load(Ordering::SeqCst) != Cut::Silently as u8 {
        drop(to.shutdown(Shutdown::Both));
    }
}

/// From the server to the client, until the client is to hear nothing more; then it is cut off as
/// soon as the server has said that the commit is done.
fn down(mut from: TcpStream, mut to: TcpStream, wish: &AtomicU8, silent: &AtomicU8) {
    const DONE: &[u8] = b"C\0\0\0\x0bCOMMIT\0";
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        let part = &buffer[..length];
        if silent.load(Ordering::SeqCst) != 0 {
            if length == 0 || part.windows(DONE.len()).any(|window| window == DONE) {
                break;
            }
            continue;
        }
        let gone = to.write_all(part).is_err();
        if length == 0 || (gone && wish.load(Ordering::SeqCst) != Cut::Silently as u8) {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
