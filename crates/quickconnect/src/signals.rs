//! The signals to this process. A verb that stays up gets [`Signals`] from the command line before it does anything, so
//! whoever reads its first word can already end it: there is no moment in which a signal kills what should end well.
//! `clippy.toml` bans the ways around this file.

use std::future::Future;

use tokio::sync::watch;

use crate::cli::Exit;

/// The wish to end (SIGTERM or SIGINT; Ctrl-C elsewhere), listened to from the moment this is made.
pub(crate) struct Signals {
    wished: watch::Receiver<bool>,
}

impl Signals {
    /// Listens from now on. The first signal is kept until somebody asks for it; the second one ends the process at once,
    /// whatever it is doing.
    pub(crate) fn listen() -> Self {
        let mut source = Source::new();
        let (wish, wished) = watch::channel(false);
        tokio::spawn(async move {
            source.next().await;
            wish.send_replace(true);
            source.next().await;
            std::process::exit(i32::from(Exit::Interrupted.number()));
        });
        Self { wished }
    }

    /// Waits for the wish to end.
    pub(crate) async fn wish_to_end(&mut self) {
        if self.wished.wait_for(|wished| *wished).await.is_err() {
            // The listener has ended without a wish, as its runtime does: there is nobody left to wait for.
            std::future::pending::<()>().await;
        }
    }

    /// Does `work` until it is done, or somebody wishes the end: None then.
    pub(crate) async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wish_to_end() => None,
            done = work => Some(done),
        }
    }
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal, SignalKind};

    /// The signals that ask for the end.
    pub(super) struct Source {
        terminate: Signal,
        interrupt: Signal,
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one file that listens")]
    fn listen(kind: SignalKind) -> Signal {
        tokio::signal::unix::signal(kind).expect("a process may listen to these signals")
    }

    impl Source {
        pub(super) fn new() -> Self {
            let terminate = listen(SignalKind::terminate());
            Self { terminate, interrupt: listen(SignalKind::interrupt()) }
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }

    /// SIGHUP, listened to from the moment this is made. A verb without it leaves SIGHUP to the system: it ends with its
    /// terminal, unless `nohup` says otherwise.
    pub(crate) struct Hangups(Signal);

    impl Hangups {
        /// Listens from now on.
        pub(crate) fn listen() -> Self {
            Self(listen(SignalKind::hangup()))
        }

        /// Waits for the next one.
        pub(crate) async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}

#[cfg(not(unix))]
mod system {
    use tokio::signal::windows::CtrlC;

    /// Ctrl-C.
    pub(super) struct Source(CtrlC);

    impl Source {
        #[expect(clippy::disallowed_methods, reason = "this is the one file that listens")]
        pub(super) fn new() -> Self {
            Self(tokio::signal::windows::ctrl_c().expect("a process may listen to Ctrl-C"))
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }

    /// There is no SIGHUP here.
    pub(crate) struct Hangups;

    impl Hangups {
        /// Nothing to listen to.
        pub(crate) fn listen() -> Self {
            Self
        }

        /// Never comes.
        pub(crate) async fn next(&mut self) {
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) use system::Hangups;
use system::Source;
