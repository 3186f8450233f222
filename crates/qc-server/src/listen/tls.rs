use std::{
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Where the certificate chain and its key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead to the root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of what it should.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of no supported kind.
    #[error("the certificate and the key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// The keys with which connections are secured; they change when their files do.
pub struct TlsKeys {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

impl TlsKeys {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let config = ArcSwap::from(read(&files)?);
        Ok(Arc::new(Self { files, config }))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads the files again. When they cannot be used, the keys before stay in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(read(&self.files)?);
        Ok(())
    }

    /// Looks at the files for ever, and reloads when one has changed.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = stamps(&self.files);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = stamps(&self.files);
            if now == seen {
                continue;
            }
            match self.reload() {
                Ok(()) => {
                    tracing::info!("the TLS certificate was read anew");
                    seen = now;
                }
                // Not marked as seen: the other of the two files may come a moment later.
                Err(error) => {
                    tracing::error!(%error, "the new TLS certificate cannot be used; the old one stays");
                }
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> [Option<(SystemTime, u64)>; 2] {
    [&files.certificate, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let fault = |path: &PathBuf, reason: String| TlsError::File { path: path.clone(), reason };
    let load =
        |path: &PathBuf| fs::read(path).map_err(|error: io::Error| fault(path, error.to_string()));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&load(&files.certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(&files.certificate, format!("not a PEM certificate: {error}")))?;
    if chain.is_empty() {
        return Err(fault(&files.certificate, "it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&load(&files.key)?)
        .map_err(|error| fault(&files.key, format!("not a PEM private key: {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(folder: &std::path::Path, name: &str) -> TlsFiles {
        let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, pair.cert.pem()).unwrap();
        fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn bad_files_are_named_and_never_replace_good_ones() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "localhost");
        let keys = TlsKeys::load(files.clone()).unwrap();
        let before = keys.config.load_full();
        fs::write(&files.certificate, "nonsense").unwrap();
        let error = keys.reload().unwrap_err().to_string();
        assert!(error.contains("cert.pem"), "{error}");
        assert!(Arc::ptr_eq(&before, &keys.config.load_full()));
        write_pair(folder.path(), "localhost");
        keys.reload().unwrap();
        assert!(!Arc::ptr_eq(&before, &keys.config.load_full()));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = write_pair(one.path(), "localhost");
        let other = write_pair(two.path(), "localhost");
        let mixed = TlsFiles { certificate: files.certificate, key: other.key };
        assert!(matches!(TlsKeys::load(mixed), Err(TlsError::Pair(_))));
    }
}
