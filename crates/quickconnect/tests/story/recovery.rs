//! Whoever lost the administrator's token makes another one at the server's own database, and nowhere else.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use crate::stage::server::Server;

const NOT_FOUND: i32 = 3;
const DRAINING: Duration = Duration::from_secs(30);

#[test]
fn where_no_database_is_nothing_is_made_and_nothing_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(folder.path());
    let context = folder.path().join("context.json");
    fs::write(&context, "another server's").unwrap();
    for empty in [false, true] {
        if empty {
            fs::create_dir(&server.data).unwrap();
            fs::write(server.data.join("quickconnect.db"), "").unwrap();
        }
        let output = server.qc(&["tokens", "recover"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(NOT_FOUND), "{said}");
        assert!(said.contains("QC-K016") && said.contains("--data-dir"), "{said}");
        assert_eq!(server.data.exists(), empty, "a database was made");
        assert_eq!(fs::read_to_string(&context).unwrap(), "another server's");
    }
    let output = server.qc(&["tokens", "recover", "--store", "memory"]);
    assert_eq!(output.status.code(), Some(NOT_FOUND));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_servers_context_stays_and_the_new_token_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    server.terminate();
    assert_eq!(server.ended(DRAINING).await.code(), Some(0));
    let context = folder.path().join("context.json");
    let own = fs::read_to_string(&context).unwrap();
    let foreign = own.replace(&format!(":{}", server.port), ":1");
    assert_ne!(own, foreign);
    fs::write(&context, &foreign).unwrap();
    let done = server.told(&["tokens", "recover"]);
    assert_eq!(fs::read_to_string(&context).unwrap(), foreign, "another server's token is gone");
    let made = server.data.join("context.json");
    assert_eq!(done["context"], json!(made), "{done}");
    server.start().await;
    let used = server.told(&["tokens", "list", "--context", made.to_str().unwrap()]);
    let names: Vec<&Value> =
        used["items"].as_array().unwrap().iter().map(|token| &token["name"]).collect();
    assert!(names.contains(&&json!("recovered key of the machine")), "{used}");
    server.terminate();
    assert_eq!(server.ended(DRAINING).await.code(), Some(0));
    // Its own context is the one that is replaced.
    fs::write(&context, &own).unwrap();
    let done = server.told(&["tokens", "recover"]);
    assert_eq!(done["context"], json!(context), "{done}");
    assert_ne!(fs::read_to_string(&context).unwrap(), own);
}
