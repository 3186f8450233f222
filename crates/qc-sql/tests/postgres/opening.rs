//! What could lose data, or is not ours, is refused with its code and without the password.

use qc_model::Code;
use qc_pgserver::PASSWORD;
use qc_sql::{
    codes,
    postgres::{Dsn, OpenError, PostgresOptions, PostgresStore},
};
use qc_store::{Caps, Durability, Store, Write, conformance::Fixture};

use crate::place::{Place, open};

/// Why a URL is refused; the finding's text never shows the password.
async fn refusal(url: &str) -> OpenError {
    let Err(error) = open(url).await else { panic!("it was opened") };
    let dsn = Dsn::parse(url).unwrap();
    let shown = format!("{error} {error:?} {:?} {dsn} {dsn:?}", error.finding());
    assert!(!shown.contains(PASSWORD) && !shown.contains("hunter2"), "{shown}");
    error
}

async fn code(url: &str) -> Code {
    refusal(url).await.finding().code
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_come_in_is_told_why() {
    let Some(place) = Place::fresh() else { return };
    let (port, database) = (place.server.port(), &place.database);
    let wrong = format!("postgres://postgres:hunter2@127.0.0.1:{port}/{database}");
    assert_eq!(code(&wrong).await, codes::SIGN_IN);
    let none = format!("postgres://postgres@127.0.0.1:{port}/{database}");
    assert_eq!(code(&none).await, codes::SIGN_IN);
    assert_eq!(code(&place.server.url("nowhere")).await, codes::NO_DATABASE);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(code(&place.server.url_at(free, database)).await, codes::UNREACHABLE);
    let nobody = "postgres://u:hunter2@host.invalid/d?sslmode=disable";
    assert_eq!(code(nobody).await, codes::UNREACHABLE);
    let tls = format!("{}?sslmode=require", place.url());
    assert_eq!(code(&tls).await, codes::TLS_REFUSED);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_answers_and_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let dsn = Dsn::parse(&format!("postgres://u:hunter2@127.0.0.1:{port}/d")).unwrap();
    let options = PostgresOptions {
        connect_time: std::time::Duration::from_millis(200),
        ..PostgresOptions::default()
    };
    let answer = PostgresStore::open(&dsn, &options).await;
    assert!(matches!(answer.err(), Some(OpenError::Unreachable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_right_is_refused() {
    let Some(place) = Place::fresh() else { return };
    let in_database = |sql: &str| {
        place.server.sql("postgres", &format!("ALTER DATABASE {} {sql}", place.database))
    };
    for mode in ["off", "local"] {
        in_database(&format!("SET synchronous_commit = {mode}"));
        let error = refusal(&place.url()).await;
        assert!(matches!(error, OpenError::Unsafe { name: "synchronous_commit", .. }), "{error}");
        assert_eq!(error.finding().code, codes::UNSAFE_SETTING);
    }
    in_database("SET synchronous_commit = remote_write");
    in_database("SET default_transaction_read_only = on");
    assert_eq!(code(&place.url()).await, codes::READ_ONLY_SERVER);
    in_database("RESET default_transaction_read_only");
    drop(place.open().await);
    let latin = format!("{}_latin", place.database);
    place.server.sql(
        "postgres",
        &format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
    );
    assert_eq!(code(&place.server.url(&latin)).await, codes::ENCODING);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_schema_it_is_counts() {
    let Some(place) = Place::fresh() else { return };
    let user = format!("plain_{}", place.database);
    place.sql(&format!("CREATE USER {user} PASSWORD 'hunter2'"));
    let port = place.server.port();
    let url = format!("postgres://{user}:hunter2@127.0.0.1:{port}/{}", place.database);
    assert_eq!(code(&url).await, codes::NO_RIGHT);
    // What the finding's help says is enough.
    place.sql(&format!("CREATE SCHEMA quickconnect AUTHORIZATION {user}"));
    let store = open(&url).await.unwrap();
    store.write(vec![Write::Accept(Box::new(Fixture::accept(1)))]).await.unwrap();
    drop(store);
    place.sql("UPDATE quickconnect.fact SET value = 7 WHERE name = 'schema_version'");
    assert_eq!(refusal(&url).await, OpenError::NewerSchema { found: 7, known: 6 });
    assert_eq!(code(&url).await, codes::NEWER_SCHEMA);
    let other = Place::fresh().unwrap();
    other.sql("CREATE SCHEMA quickconnect; CREATE TABLE quickconnect.theirs (a integer)");
    assert_eq!(code(&other.url()).await, codes::FOREIGN);
    other.sql("CREATE TABLE quickconnect.fact (other integer)");
    assert_eq!(code(&other.url()).await, codes::FOREIGN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_keep_its_word_is_refused_also_later() {
    let Some(server) = qc_pgserver::own(&["fsync = off"]) else { return };
    let database = server.database();
    let url = server.url(&database);
    let error = refusal(&url).await;
    assert!(matches!(error, OpenError::Unsafe { name: "fsync", .. }), "{error}");
    server.reload(&["fsync = on", "full_page_writes = off"]);
    // The postmaster reads its settings when it gets round to it.
    let mut error = refusal(&url).await;
    while matches!(error, OpenError::Unsafe { name: "fsync", .. }) {
        error = refusal(&url).await;
    }
    assert!(matches!(error, OpenError::Unsafe { name: "full_page_writes", .. }), "{error}");
    server.reload(&["fsync = on", "full_page_writes = on"]);
    let store = loop {
        match open(&url).await {
            Ok(store) => break store,
            Err(error) => assert!(matches!(error, OpenError::Unsafe { .. }), "{error}"),
        }
    };
    let Caps { backend, durability, shared, .. } = store.caps();
    assert_eq!((backend, durability, shared), ("postgres", Durability::Machine, true));
    let batch = |n| vec![Write::Accept(Box::new(Fixture::accept(n)))];
    store.write(batch(1)).await.unwrap();
    // A failover to a standby, as a new connection sees it.
    server.stop("fast");
    std::fs::write(server.data().join("standby.signal"), "").unwrap();
    server.go_on();
    let refused = store.write(batch(2)).await;
    let said = format!("{refused:?}");
    assert!(said.contains("no writes") || said.contains("cannot be reached"), "{said}");
    assert_eq!(code(&url).await, codes::READ_ONLY_SERVER);
}
