//! A broker that speaks TLS, with a certificate by an authority of its owner's.

use std::fs;

use crate::{
    intake::{self, Trigger, eventually, project, subjects},
    line::Line,
    rabbit::{PASSWORD, Rabbit},
    stage::{project::secret, server::Server},
};

/// Whoever is told of the authority takes orders; whoever is not says that it trusts nobody, and sends no password.
pub(crate) async fn connections_are_secured_and_a_stranger_is_not_trusted(rabbit: &Rabbit) {
    let line = Line::to(&rabbit.url("secured")).await;
    line.queue("orders").await;
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), &[Trigger::default()]);
    let mut server = Server::new(folder.path());
    secret(&server.secrets(), "sandbox", "broker/url", &rabbit.secured_url("secured"));
    server.start().await;
    intake::deploy(&server);
    intake::publish(&line, 0..3).await;
    eventually("the certificate is not trusted", async || {
        let said = server.ask("/api/v1/server").await["findings"].to_string();
        (said.contains("QC-B") && said.to_lowercase().contains("certificate")).then_some(())
    })
    .await;
    assert_eq!(subjects(&server).await, Vec::<String>::new());
    server.kill();
    let bundle = folder.path().join("authority.pem");
    fs::write(&bundle, &rabbit.authority.pem).unwrap();
    server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
    server.start().await;
    intake::each_once(&server, 3).await;
    let log = fs::read_to_string(server.log_file()).unwrap();
    assert!(!log.contains(PASSWORD) && !log.contains("pass%25"), "the log shows a password");
}
