//! Connections that come in over TLS, and certificates that change under them.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use http::Method;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    certificates::{Authority, Pair},
    stage::{http::Line, process::PATIENCE, server::Server},
};

const TAKEN: &str = "the TLS certificate was read anew";
const REFUSED: &str = "the new TLS certificate cannot be used; the old one stays";

struct Secured {
    server: Server,
    authority: Authority,
    certificate: PathBuf,
    key: PathBuf,
    folder: TempDir,
}

impl Secured {
    /// A server that shows a certificate of this authority.
    async fn start() -> (Self, Pair) {
        let folder = tempfile::tempdir().unwrap();
        let (authority, mut server) = (Authority::new(), Server::new(folder.path()));
        let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let pair = authority.certify("127.0.0.1");
        pair.write(&certificate, &key);
        server.set("QC_TLS_CERTIFICATE", certificate.to_str().unwrap());
        server.set("QC_TLS_KEY", key.to_str().unwrap());
        server.start().await;
        (Self { server, authority, certificate, key, folder }, pair)
    }

    /// Puts a new pair in place of the old one.
    fn renew(&self) -> Pair {
        let pair = self.authority.certify("127.0.0.1");
        pair.write(&self.certificate, &self.key);
        pair
    }

    /// Connects anew, sees that the server shows this certificate, and asks it something.
    async fn shows(&self, pair: &Pair) -> Line {
        let (mut line, shown) = self.authority.connect(self.server.port).await;
        assert!(shown == pair.certificate, "another certificate is shown");
        ready(&mut line).await;
        line
    }

    /// Tells the server by a hangup, and hears that it does not take what is there.
    async fn refuses(&self) -> String {
        let mark = self.server.process().mark();
        self.server.process().signal(Signal::HUP);
        self.server.process().says_since(mark, REFUSED).await
    }

    async fn end(mut self) {
        self.server.terminate();
        assert_eq!(self.server.ended(PATIENCE).await.code(), Some(0), "{}", self.server.log_end());
    }
}

async fn ready(line: &mut Line) {
    let reply = line.send(Method::GET, "/readyz", &[], Bytes::new()).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_takes_a_new_certificate_and_never_a_broken_one() {
    let (secured, first) = Secured::start().await;
    let mut old = secured.shows(&first).await;
    let process = secured.server.process();

    let second = secured.renew();
    // Until it is told, the server shows what it has: the file was read at the start.
    let mark = process.mark();
    process.signal(Signal::HUP);
    process.says_since(mark, TAKEN).await;
    secured.shows(&second).await;
    // Who was connected before stays so.
    ready(&mut old).await;

    fs::write(&secured.certificate, "nonsense").unwrap();
    assert!(secured.refuses().await.contains("chain.pem"));
    secured.shows(&second).await;
    fs::remove_file(&secured.certificate).unwrap();
    assert!(secured.refuses().await.contains("chain.pem"));
    secured.shows(&second).await;
    // A certificate whose key is another one.
    let aside = secured.folder.path().join("aside.pem");
    secured.authority.certify("127.0.0.1").write(&secured.certificate, &aside);
    secured.refuses().await;
    secured.shows(&second).await;

    let third = secured.renew();
    let mark = process.mark();
    process.signal(Signal::HUP);
    process.says_since(mark, TAKEN).await;
    secured.shows(&third).await;
    ready(&mut old).await;
    drop(old);
    secured.end().await;
}

/// The files are looked at every ten seconds: this test takes twice as long.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_without_being_told() {
    let (secured, first) = Secured::start().await;
    let mut old = secured.shows(&first).await;
    let process = secured.server.process();
    let mark = process.mark();
    fs::write(&secured.certificate, "half a certificate").unwrap();
    process.says_since(mark, REFUSED).await;
    secured.shows(&first).await;
    let mark = process.mark();
    let second = secured.renew();
    process.says_since(mark, TAKEN).await;
    secured.shows(&second).await;
    ready(&mut old).await;
    drop(old);
    secured.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_needs_the_private_authority_and_says_which_setting_names_it() {
    let (mut secured, _) = Secured::start().await;
    let output = secured.server.qc(&["runs", "list"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("QC-K009") && said.contains("QC_CA_BUNDLE"), "{said}");
    let bundle = secured.folder.path().join("authority.pem");
    fs::write(&bundle, &secured.authority.pem).unwrap();
    secured.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
    assert_eq!(secured.server.told(&["runs", "list"])["items"], serde_json::json!([]));
    secured.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_a_certificate_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.set("QC_TLS_CERTIFICATE", "chain.pem");
    server.set("QC_TLS_KEY", "key.pem");
    server.spawn();
    let status = server.ended(PATIENCE).await;
    let said = server.log_end();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("QC-K006") && said.contains("chain.pem"), "{said}");
    assert!(!server.data.exists(), "it made a database all the same");
}
