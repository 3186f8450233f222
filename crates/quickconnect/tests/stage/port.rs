//! Ports that stay ours while a server comes and goes.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that the system gives to whoever asks for any: a connection that somebody opens while our server is
/// down would else take its port.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

/// A port of loopback for TCP. Its twin of UDP is held as long as this lives, so that no other test takes it.
pub(crate) struct Port {
    pub(crate) number: u16,
    _twin: UdpSocket,
}

impl Port {
    /// One that nobody listens on.
    pub(crate) fn reserve() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Programs that run at the same time begin at different places, so that they seldom meet.
        let begin = process::id().wrapping_mul(7_919);
        for _ in 0..COUNT {
            let nth = begin.wrapping_add(u32::from(NEXT.fetch_add(1, Ordering::Relaxed)));
            let number = FIRST + u16::try_from(nth % u32::from(COUNT)).unwrap();
            let Ok(twin) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _twin: twin };
            }
        }
        panic!("this machine has no free port from {FIRST} on");
    }
}
