//! TLS as `sslmode` asks.

use qc_pgserver::Server;
use qc_sql::{
    codes,
    postgres::{Dsn, OpenError, PostgresOptions, PostgresStore},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A server with a certificate for `localhost` of a private authority, and that authority.
fn server() -> Option<(Server, String)> {
    let server = qc_pgserver::own(&[])?;
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &authority).unwrap();
    let certificate = server.put("server.crt", &certificate.pem());
    let key = server.put("server.key", &key.serialize_pem());
    server.stop("fast");
    let lines = [
        "ssl = on".to_owned(),
        format!("ssl_cert_file = '{}'", certificate.display()),
        format!("ssl_key_file = '{}'", key.display()),
    ];
    let conf = server.data().join("postgresql.conf");
    let before = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, before + "\n" + &lines.join("\n") + "\n").unwrap();
    server.go_on();
    Some((server, authority.pem()))
}

async fn open(url: &str, authorities: Option<&str>) -> Result<PostgresStore, OpenError> {
    let authorities = authorities.map(|pem| pem.as_bytes().to_vec());
    let options = PostgresOptions { authorities, ..PostgresOptions::default() };
    PostgresStore::open(&Dsn::parse(url).unwrap(), &options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_does_what_it_says() {
    let Some((server, authority)) = server() else { return };
    let database = server.database();
    let by_address = server.url(&database);
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE ssl AND application_name = 'quickconnect'";
    for (mode, tls) in [("disable", false), ("prefer", true), ("require", true)] {
        let store = open(&format!("{by_address}?sslmode={mode}"), None).await.unwrap();
        // A connection that is open while it is looked for.
        qc_store::Store::document(&store, "token", "t").await.unwrap();
        assert_eq!(server.sql(&database, encrypted) != "0", tls, "{mode}");
    }
    let full = format!("{by_name}?sslmode=verify-full");
    open(&full, Some(&authority)).await.unwrap();
    let file = server.put("authority.pem", &authority);
    open(&format!("{full}&sslrootcert={}", file.display()), None).await.unwrap();
    // An authority that nobody knows, a name that is not in the certificate, a file without any.
    let other = format!("{by_address}?sslmode=verify-full");
    for (url, authorities) in [(&full, None), (&other, Some(authority.as_str()))] {
        let error = open(url, authorities).await.err().unwrap();
        assert_eq!(error.finding().code, codes::TLS_REFUSED, "{error}");
    }
    let error = open(&full, Some("no certificate")).await.err().unwrap();
    assert_eq!(error.finding().code, codes::TLS_REFUSED, "{error}");
}
