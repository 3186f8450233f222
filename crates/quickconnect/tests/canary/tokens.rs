//! Tokens in the place of values: the same for the same value, also after a restart; and nothing without a vault.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    echoing, scene, send,
    stage::{process::PATIENCE, project::replace, server::Server},
};

const EMAIL: &str = "somebody@persons.example";

/// Whatever is personal gets a token.
fn tokens_only(project: &Path) {
    let policy = "environments:\n";
    let with = "data_movement:\n  rules:\n    - {class: personal, then: tokenise}\n    - {then: allow}\nenvironments:\n";
    replace(&project.join("quickconnect.yaml"), policy, with);
    let brief = project.join("integrations/leaky/integration.yaml");
    replace(
        &brief,
        "    subject: person.email\n",
        "    subject: person.email\n    sent_by: [inline]\n",
    );
}

/// What the system said that it was told of the person; or what the sender got instead.
async fn told(server: &Server, token: &str, id: &str) -> Value {
    let event =
        json!({"id": id, "task": "inline", "mode": "ok", "person": {"email": EMAIL, "name": "N"}});
    let reply = send(server.port, token.to_owned(), event).await;
    let answer = reply.json();
    let Some(said) = answer["said"].as_str() else { return answer };
    let body = said.split("\r\n\r\n").nth(1).unwrap();
    serde_json::from_str::<Value>(body).unwrap()["person"]["email"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_stand_for_values_and_need_the_vault() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    let port = echoing::start();
    scene::deploy_doctored(&server, port, tokens_only);
    let made =
        server.told(&["tokens", "create", "s", "--role", "runtime", "--environment", "sandbox"]);
    let token = made["secret"].as_str().unwrap().to_owned();
    crate::stage::project::secret(&server.secrets(), "sandbox", "leaky/bearer", "any");
    let refused = told(&server, &token, "1").await;
    assert_eq!(refused["code"], "QC-R070", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("no key"), "{refused}");
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    server.turn_vault_on();
    server.start().await;
    let first = told(&server, &token, "2").await;
    assert!(first.as_str().is_some_and(|token| token.starts_with("tok_")), "{first}");
    assert_eq!(told(&server, &token, "3").await, first);
    server.kill();
    server.start().await;
    assert_eq!(told(&server, &token, "4").await, first, "the key is kept");
}
