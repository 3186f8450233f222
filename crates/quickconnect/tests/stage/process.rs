//! A child process that is followed: what it says line by line, and how it ends.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// How long anything that it says may take, on a busy machine and with a store to recover.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How many lines are kept; no test needs more, and a server that says more has gone wild.
const LINES: usize = 100_000;

/// What it has said so far on both its streams.
#[derive(Default)]
struct Said {
    lines: Vec<String>,
    /// How many of its streams are at their end.
    ended: usize,
}

pub(crate) struct Process {
    child: Child,
    said: watch::Receiver<Said>,
}

/// A place in what a process says: what comes after it is news.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize);

impl Process {
    /// Starts it; what it says is added to the log, too.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let log = File::options().create(true).append(true).open(log).unwrap();
        let (say, said) = watch::channel(Said::default());
        let (say, log) = (Arc::new(say), Arc::new(Mutex::new(log)));
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let (say, log) = (Arc::clone(&say), Arc::clone(&log));
            thread::spawn(move || follow(BufReader::new(stream), &log, &say));
        }
        Self { child, said }
    }

    /// Where it is now in what it says.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.said.borrow().lines.len())
    }

    /// Waits until it has said a line with this text, since it began.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> impl Future<Output = String> {
        self.says_since(Mark(0), text)
    }

    /// Waits until it has said a line with this text after the mark.
    #[track_caller]
    pub(crate) fn says_since(&self, mark: Mark, text: &str) -> impl Future<Output = String> {
        let (mut said, text) = (self.said.clone(), text.to_owned());
        async move {
            let find = |said: &Said| {
                said.lines.iter().skip(mark.0).find(|line| line.contains(&text)).cloned()
            };
            let heard = said.wait_for(|said| find(said).is_some() || said.ended == 2);
            let found = match tokio::time::timeout(PATIENCE, heard).await {
                Ok(Ok(said)) => find(&said),
                _ => None,
            };
            found.unwrap_or_else(|| {
                panic!("it does not say `{text}` after line {}:\n{}", mark.0, said.borrow().shown())
            })
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its own end.
    pub(crate) async fn ended(mut self, limit: Duration) -> ExitStatus {
        let ended = self.said.wait_for(|said| said.ended == 2);
        let in_time = tokio::time::timeout(limit, ended).await.is_ok();
        assert!(in_time, "it does not end within {limit:?}:\n{}", self.said.borrow().shown());
        self.child.wait().unwrap()
    }

    /// Ends it at once (SIGKILL), and sees that it is gone. Gives its status when it had ended by itself.
    pub(crate) fn kill(mut self) -> Option<ExitStatus> {
        let before = self.child.try_wait().unwrap();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        before
    }
}

impl Said {
    /// The last lines, for a failing test's message.
    fn shown(&self) -> String {
        self.lines[self.lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed or has no more use for it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn follow(lines: impl BufRead, log: &Mutex<File>, say: &watch::Sender<Said>) {
    for line in lines.lines().map_while(Result::ok) {
        if let Ok(mut log) = log.lock() {
            // The log is for people; the test does not hang on it.
            drop(writeln!(log, "{line}"));
        }
        say.send_modify(|said| {
            if said.lines.len() < LINES {
                said.lines.push(line);
            }
        });
    }
    say.send_modify(|said| said.ended += 1);
}
