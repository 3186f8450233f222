//! Certificates with which calls prove themselves in TLS handshakes.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::{Class, ClientIdentity, Failure};
use qc_vault::Secret;
use zeroize::Zeroizing;

/// The identity of a certificate and its key; of one text that has both when there is no `key`.
pub(super) fn identity(
    certificate: &Secret,
    key: Option<&Secret>,
) -> Result<ClientIdentity, Box<Failure>> {
    let mut pem = Zeroizing::new(certificate.expose().as_bytes().to_vec());
    if let Some(key) = key {
        pem.push(b'\n');
        pem.extend_from_slice(key.expose().as_bytes());
    }
    if reqwest::Identity::from_pem(&pem).is_err() {
        let detail =
            "`client_certificate` needs a certificate and its key, PEM and without a password";
        let title = "A client certificate cannot be used";
        return Err(Box::new(Failure::new(
            Class::Auth,
            qc_vault::codes::UNUSABLE_SECRET,
            title,
            detail,
        )));
    }
    let hash = digest::digest(&digest::SHA256, &pem);
    Ok(ClientIdentity::new(&STANDARD.encode(hash), pem))
}
