//! A private authority, and certificates by it.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::stage::http::Line;

/// An authority of our own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    /// Its certificate, as people hand it on.
    pub(crate) pem: String,
}

/// A certificate by the authority, with its key.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of our own");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (root, pem) = (certificate.der().clone(), certificate.pem());
        Self { issuer: Issuer::new(params, key), root, pem }
    }

    /// A new certificate for a host.
    pub(crate) fn certify(&self, host: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (pem, certificate) = (certificate.pem(), certificate.der().clone());
        Pair { certificate, certificate_pem: pem, key }
    }

    /// Connects to a server on loopback, trusting nobody but this authority; with the certificate that it shows.
    pub(crate) async fn connect(&self, port: u16) -> (Line, CertificateDer<'static>) {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream: TlsStream<TcpStream> =
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        (Line::over(stream).await.unwrap(), shown)
    }
}

impl Pair {
    /// Puts the pair where a server looks for it: the key first, as a careful person does.
    pub(crate) fn write(&self, certificate: &Path, key: &Path) {
        fs::write(key, self.key.serialize_pem()).unwrap();
        fs::write(certificate, &self.certificate_pem).unwrap();
    }

    /// The certificate and its key, as people hand them on.
    pub(crate) fn texts(&self) -> (String, String) {
        (self.certificate_pem.clone(), self.key.serialize_pem())
    }

    /// For a server in this process that wants to see a certificate by this authority.
    pub(crate) fn server_for(&self, clients: &Authority) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(clients.root.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![self.certificate.clone()], key);
        Arc::new(config.unwrap())
    }

    /// For a server in this process.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key);
        Arc::new(config.unwrap())
    }
}
