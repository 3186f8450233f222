use std::{fs, io::Read, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::{Entropy, Finding};
use zeroize::Zeroizing;

use super::{KeyRing, KeyRingError, Wrapped};
use crate::{
    codes,
    seal::{KeyBytes, hex, random},
};

/// The most keys of a ring: one that wraps, and those that only unwrap.
const KEYS_MAX: usize = 8;
/// The largest file of keys, in bytes.
const FILE_MAX: u64 = 16 * 1024;
/// The form of a wrapped key: its first byte.
const FORM: u8 = 1;
/// Bytes of the nonce.
const NONCE: usize = 12;

/// Keys in a file: one a line, 32 bytes in base64; the first wraps, the others only unwrap. Lines that begin with `#`
/// are notes. Read anew at every use, so that a new key counts without a restart.
pub struct FileRing {
    path: PathBuf,
    entropy: Arc<dyn Entropy>,
}

impl FileRing {
    /// Over a file.
    pub fn new(path: impl Into<PathBuf>, entropy: Arc<dyn Entropy>) -> Self {
        Self { path: path.into(), entropy }
    }

    fn keys(&self) -> Result<Keys, KeyRingError> {
        let describe = |error: std::io::Error| {
            let place = self.path.display();
            KeyRingError::Unavailable(format!("{place} cannot be read: {}", error.kind()))
        };
        let file = fs::File::open(&self.path).map_err(describe)?;
        let mut text = Zeroizing::new(String::with_capacity(1024));
        file.take(FILE_MAX).read_to_string(&mut text).map_err(describe)?;
        Keys::parse(&text)
    }
}

#[async_trait]
impl KeyRing for FileRing {
    fn place(&self) -> String {
        format!("file:{}", self.path.display())
    }

    async fn current(&self) -> Result<String, KeyRingError> {
        Ok(self.keys()?.current().0.clone())
    }

    async fn wrap(&self, key: &KeyBytes, binding: &[u8]) -> Result<Wrapped, KeyRingError> {
        Ok(self.keys()?.wrap(key, binding, &*self.entropy))
    }

    async fn unwrap_key(
        &self,
        wrapped: &Wrapped,
        binding: &[u8],
    ) -> Result<KeyBytes, KeyRingError> {
        self.keys()?.unwrap_key(wrapped, binding)
    }

    fn findings(&self) -> Vec<Finding> {
        if !readable_by_others(&self.path) {
            return Vec::new();
        }
        let place = self.path.display();
        let message =
            format!("the file of the key-encryption key, {place}, can be read by everybody");
        vec![Finding::warning(codes::WORLD_READABLE, message).help(format!("chmod o-rwx {place}"))]
    }
}

#[cfg(unix)]
fn readable_by_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::path::Path) -> bool {
    false
}

/// Keys in a variable of the process environment, as in a file, or with commas or spaces between them. The process
/// keeps what it began with: a new key needs a restart.
pub struct VariableRing {
    name: String,
    keys: Keys,
    entropy: Arc<dyn Entropy>,
}

impl VariableRing {
    /// Over a variable's name and text.
    pub fn new(name: &str, text: &str, entropy: Arc<dyn Entropy>) -> Result<Self, KeyRingError> {
        Ok(Self { name: name.to_owned(), keys: Keys::parse(text)?, entropy })
    }
}

#[async_trait]
impl KeyRing for VariableRing {
    fn place(&self) -> String {
        format!("env:{}", self.name)
    }

    async fn current(&self) -> Result<String, KeyRingError> {
        Ok(self.keys.current().0.clone())
    }

    async fn wrap(&self, key: &KeyBytes, binding: &[u8]) -> Result<Wrapped, KeyRingError> {
        Ok(self.keys.wrap(key, binding, &*self.entropy))
    }

    async fn unwrap_key(
        &self,
        wrapped: &Wrapped,
        binding: &[u8],
    ) -> Result<KeyBytes, KeyRingError> {
        self.keys.unwrap_key(wrapped, binding)
    }
}

/// Keys with their ids, the current one first; there is at least one.
struct Keys(Vec<(String, KeyBytes)>);

impl Keys {
    fn parse(text: &str) -> Result<Self, KeyRingError> {
        let words = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split([',', ' ', '\t', '\r']))
            .filter(|word| !word.is_empty());
        let mut keys = Vec::new();
        for word in words {
            let bytes = Zeroizing::new(STANDARD.decode(word).unwrap_or_default());
            let key = KeyBytes::from_slice(&bytes).ok_or_else(|| {
                let which = keys.len() + 1;
                KeyRingError::Unusable(format!("key {which} is not 32 bytes in base64"))
            })?;
            keys.push((id(&key), key));
        }
        match keys.len() {
            0 => Err(KeyRingError::Unusable("it holds no key".to_owned())),
            1..=KEYS_MAX => Ok(Self(keys)),
            _ => Err(KeyRingError::Unusable(format!("it holds more than {KEYS_MAX} keys"))),
        }
    }

    fn current(&self) -> &(String, KeyBytes) {
        &self.0[0]
    }

    /// AES-256-GCM under the current key: form (1), nonce (12), ciphertext (32), tag (16), in base64. A random nonce
    /// is safe for 2^32 wrappings with one key (NIST SP 800-38D); a ring wraps a few keys a year.
    fn wrap(&self, key: &KeyBytes, binding: &[u8], entropy: &dyn Entropy) -> Wrapped {
        let (id, own) = self.current();
        let nonce = random::<NONCE>(entropy);
        let mut sealed = Zeroizing::new(Vec::with_capacity(64));
        sealed.extend_from_slice(key.expose());
        cipher(own)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(binding),
                &mut *sealed,
            )
            .expect("a key is far shorter than what AES-GCM takes");
        let bytes = [&[FORM], nonce.as_slice(), sealed.as_slice()].concat();
        Wrapped { kek: id.clone(), text: STANDARD.encode(bytes) }
    }

    fn unwrap_key(&self, wrapped: &Wrapped, binding: &[u8]) -> Result<KeyBytes, KeyRingError> {
        let (_, own) = self
            .0
            .iter()
            .find(|(id, _)| *id == wrapped.kek)
            .ok_or_else(|| KeyRingError::UnknownKey(wrapped.kek.clone()))?;
        let bytes = STANDARD.decode(&wrapped.text).map_err(|_| KeyRingError::Changed)?;
        let (&form, rest) = bytes.split_first().ok_or(KeyRingError::Changed)?;
        if form != FORM || rest.len() < NONCE {
            return Err(KeyRingError::Changed);
        }
        let (nonce, sealed) = rest.split_at(NONCE);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyRingError::Changed)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let opened = cipher(own)
            .open_in_place(nonce, Aad::from(binding), &mut plain)
            .map_err(|_| KeyRingError::Changed)?;
        KeyBytes::from_slice(opened).ok_or(KeyRingError::Changed)
    }
}

fn cipher(key: &KeyBytes) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key.expose()).expect("a key has 32 bytes");
    LessSafeKey::new(key)
}

/// A key's id: the first eight bytes of a hash of it, hex. A key is random, so its hash gives nothing away.
fn id(key: &KeyBytes) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"quickconnect key-encryption key id 1");
    context.update(key.expose());
    hex(&context.finish().as_ref()[..8])
}

#[cfg(test)]
mod tests {

    use qc_model::Seeded;

    use super::*;

    fn entropy() -> Arc<dyn Entropy> {
        Arc::new(Seeded::new(1))
    }

    fn text(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[tokio::test]
    async fn wraps_with_the_first_key_and_unwraps_with_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        fs::write(&path, format!("# of last year\n{}\n", text(1))).unwrap();
        let ring = FileRing::new(&path, entropy());
        let key = KeyBytes::new([9; 32]);
        let old = ring.wrap(&key, b"place").await.unwrap();
        // A new key is put before the old one; the file is read anew.
        fs::write(&path, format!("{}\n{}\n", text(2), text(1))).unwrap();
        let new = ring.wrap(&key, b"place").await.unwrap();
        assert_ne!(old.kek, new.kek);
        assert_eq!(new.kek, ring.current().await.unwrap());
        for wrapped in [&old, &new] {
            let opened = ring.unwrap_key(wrapped, b"place").await.unwrap();
            assert_eq!(opened.expose(), key.expose());
        }
        fs::write(&path, text(2)).unwrap();
        let gone = ring.unwrap_key(&old, b"place").await.unwrap_err();
        assert_eq!(gone, KeyRingError::UnknownKey(old.kek));
    }

    #[tokio::test]
    async fn a_wrapped_key_opens_only_at_its_place_and_unchanged() {
        let ring = VariableRing::new("KEK", &text(3), entropy()).unwrap();
        let wrapped = ring.wrap(&KeyBytes::new([7; 32]), b"production").await.unwrap();
        let elsewhere = ring.unwrap_key(&wrapped, b"sandbox").await.unwrap_err();
        assert_eq!(elsewhere, KeyRingError::Changed);
        let bytes = STANDARD.decode(&wrapped.text).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            let flipped = Wrapped { text: STANDARD.encode(bytes), ..wrapped.clone() };
            assert!(ring.unwrap_key(&flipped, b"production").await.is_err(), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for bad in ["", "# only a note", "hunter2", &STANDARD.encode([1; 16]), &text(1).repeat(9)] {
            let error = VariableRing::new("KEK", bad, entropy()).map(|_| ()).unwrap_err();
            assert!(matches!(error, KeyRingError::Unusable(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let many = vec![text(1); 9].join(",");
        assert!(VariableRing::new("KEK", &many, entropy()).is_err());
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_may_come_back() {
        let ring = FileRing::new("/nowhere/kek", entropy());
        assert!(matches!(ring.current().await, Err(KeyRingError::Unavailable(_))));
    }
}
