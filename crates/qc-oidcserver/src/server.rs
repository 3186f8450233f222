use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};

/// A running provider. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    issuer: String,
    node: Child,
    /// Its ends of the pipes: what is told, and what is answered. Closing the first is the sign to end.
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Server {
    /// Starts one; the error says what is not installed.
    pub(crate) fn start(settings: &Value) -> Result<Self, String> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = own.join("../../target/oidcserver");
        if !folder.join("node_modules/oidc-provider").is_dir() {
            return Err("there is no oidc-provider below target/oidcserver".to_owned());
        }
        let mut node = Command::new("node")
            .arg(own.join("provider.mjs"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("node does not run: {error}"))?;
        let stdin = node.stdin.take().expect("it is piped");
        let stdout = BufReader::new(node.stdout.take().expect("it is piped"));
        let talk = Mutex::new(Some((stdin, stdout)));
        let mut server = Self { issuer: String::new(), node, talk };
        let ready = server.say(settings);
        ready.strip_prefix("ready ").expect("it says where it is").clone_into(&mut server.issuer);
        Ok(server)
    }

    /// Its issuer, which is its address: `http://127.0.0.1:PORT`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// From now on it knows nobody of this subject: refreshing tokens and asking for user information fail.
    pub fn remove(&self, subject: &str) {
        self.change(&json!({ "remove": subject }));
    }

    /// From now on it says this of a subject.
    pub fn set(&self, subject: &str, claims: &Value) {
        self.change(&json!({ "set": subject, "claims": claims }));
    }

    fn change(&self, change: &Value) {
        let answer = self.say(change);
        assert_eq!(answer, "done", "{change}");
    }

    fn say(&self, line: &Value) -> String {
        let mut talk = self.talk.lock().expect("nobody panicked while talking");
        let (stdin, stdout) = talk.as_mut().expect("it is not dropped");
        writeln!(stdin, "{line}").expect("the provider runs");
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("the provider runs");
        answer.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that panicked while it talked may have left the lock poisoned.
        drop(self.talk.get_mut().map(Option::take));
        drop(self.node.kill());
        drop(self.node.wait());
    }
}
