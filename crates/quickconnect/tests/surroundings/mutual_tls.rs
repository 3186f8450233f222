//! Calls to a system that wants to see a certificate.

use std::fs;

use crate::{
    certificates::Authority,
    chat::Chat,
    notify::{CONNECTOR, Notify},
    stage::project::secret,
};

const USUAL: &str = "auth:\n  bearer: {token: \"secret://chat/token\"}";
const AUTH: &str = "auth:\n  client_certificate: {certificate: \"secret://chat/certificate\", key: \"secret://chat/key\"}";

/// Shows the certificate of an authority that the system trusts; another one's is refused, and its successor in the same
/// secret is used from the next call on.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_wants_a_certificate_sees_the_right_one() {
    let (ours, others) = (Authority::new(), Authority::new());
    let chat = Chat::secured(ours.certify("127.0.0.1").server_for(&ours)).await;
    let mut notify = Notify::calling(&format!("https://127.0.0.1:{}", chat.port));
    notify.edit(CONNECTOR, USUAL, AUTH);
    notify.edit(CONNECTOR, "max_delay: 30s, attempts: 6", "max_delay: 1s, attempts: 500");
    let bundle = notify.file("../authority.pem");
    fs::write(&bundle, &ours.pem).unwrap();
    notify.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
    let show = |authority: &Authority| {
        let (certificate, key) = authority.certify("qc").texts();
        secret(&notify.server.secrets(), "sandbox", "chat/certificate", &certificate);
        secret(&notify.server.secrets(), "sandbox", "chat/key", &key);
    };
    show(&others);
    notify.server.start().await;
    notify.deploy();
    let reply = notify.alert("A-1", 2).await;
    assert_eq!((reply.status, chat.posted().len()), (202, 0), "{}", reply.shown());
    // The answer, when it comes, is one of the same run.
    let (certificate, key) = ours.certify("qc").texts();
    for (name, text) in [("certificate", certificate), ("key", key)] {
        fs::write(notify.server.secrets().join("sandbox/chat").join(name), text).unwrap();
    }
    assert_eq!(chat.hears(1).await, "critical: Disk is full");
}
