use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    hmac,
};
use qc_model::Entropy;
use zeroize::{Zeroize, Zeroizing};

use super::{
    Binding, SealError, Sealed,
    sealed::{FORM, HEAD, NONCE, SALT},
};
use crate::Secret;

/// Sets fingerprints apart from every other use of a key.
const FINGERPRINT: &[u8] = b"quickconnect vault fingerprint 1";

/// The bytes of a key, wiped when they go. They cannot be printed.
#[derive(Clone)]
pub struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    /// Takes the bytes of a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the bytes of a key; None unless there are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut own = Zeroizing::new([0; 32]);
        if bytes.len() != own.len() {
            return None;
        }
        own.copy_from_slice(bytes);
        Some(Self(own))
    }

    /// Makes a new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&*Zeroizing::new(random::<32>(entropy)));
        Self(bytes)
    }

    /// The bytes, for those who seal or wrap with them. Never log, store or return them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        let word = entropy.next_u64().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

/// A version of an environment's data key. Cannot be printed; wiped when it goes.
#[derive(Debug, Clone)]
pub struct DataKey {
    version: u32,
    bytes: KeyBytes,
}

impl DataKey {
    /// The key of this version.
    pub fn new(version: u32, bytes: KeyBytes) -> Self {
        Self { version, bytes }
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Its bytes, for the key ring that wraps them.
    pub fn bytes(&self) -> &KeyBytes {
        &self.bytes
    }

    /// Seals a value for its place.
    pub fn seal(&self, binding: &Binding<'_>, value: &Secret, entropy: &dyn Entropy) -> Sealed {
        let plain = value.expose().as_bytes();
        let (salt, nonce) = (random::<SALT>(entropy), random::<NONCE>(entropy));
        let mut bytes = Vec::with_capacity(HEAD + plain.len() + AES_256_GCM.tag_len());
        bytes.push(FORM);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&salt);
        bytes.extend_from_slice(&nonce);
        let associated = associated(&bytes, binding);
        // Encrypted where it stands: the plaintext is nowhere but in the memory that becomes ciphertext.
        bytes.extend_from_slice(plain);
        let tag = self
            .own_key(&salt, binding)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated),
                &mut bytes[HEAD..],
            )
            .expect("a value is far shorter than what AES-GCM takes");
        bytes.extend_from_slice(tag.as_ref());
        Sealed(bytes)
    }

    /// Opens what was sealed with this key for this place.
    pub fn open(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<Secret, SealError> {
        if sealed.key_version() != self.version {
            return Err(SealError::OtherKey(sealed.key_version()));
        }
        let (head, rest) = sealed.0.split_at(HEAD);
        let associated = associated(head, binding);
        let (salt, nonce) = head[5..].split_at(SALT);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Form)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = self
            .own_key(salt, binding)
            .open_in_place(nonce, Aad::from(associated), &mut plain)
            .map_err(|_| SealError::Changed)?
            .len();
        plain.truncate(length);
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(SealError::Form)
            }
        }
    }

    /// What tells whether two values are the same without saying what they are: HMAC-SHA-256, hex.
    pub fn fingerprint(&self, value: &Secret) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(FINGERPRINT);
        context.update(value.expose().as_bytes());
        hex(context.sign().as_ref())
    }

    /// The key of one value: HKDF-SHA-256 of this key over the value's salt, for its place. Nonces are random, so a key
    /// that seals once cannot repeat one.
    fn own_key(&self, salt: &[u8], binding: &Binding<'_>) -> LessSafeKey {
        let place = binding.bytes();
        let info = [place.as_slice()];
        let derived = Salt::new(HKDF_SHA256, salt).extract(self.bytes.expose());
        let expanded =
            derived.expand(&info, &AES_256_GCM).expect("a key is shorter than HKDF's limit");
        LessSafeKey::new(UnboundKey::from(expanded))
    }
}

/// What is authenticated beside the value: its head and its place.
fn associated(head: &[u8], binding: &Binding<'_>) -> Vec<u8> {
    [head, &binding.bytes()].concat()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use qc_model::Seeded;

    use super::*;

    fn entropy(seed: u64) -> Seeded {
        Seeded::new(seed)
    }

    fn binding(parts: &[String; 4], version: u64) -> Binding<'_> {
        let [owner, environment, kind, name] = parts;
        Binding { owner, environment, kind, name, version }
    }

    proptest! {
        #[test]
        fn opens_only_under_the_same_binding(
            value in ".{0,300}",
            parts in prop::array::uniform4("[a-z/-]{0,6}"),
            others in prop::array::uniform4("[a-z/-]{0,6}"),
            (version, other_version) in (0..3_u64, 0..3_u64),
            seed in any::<u64>(),
        ) {
            let source = entropy(seed);
            let key = DataKey::new(7, KeyBytes::generate(&source));
            let (place, other) = (binding(&parts, version), binding(&others, other_version));
            let sealed = key.seal(&place, &Secret::new(value.clone()), &source);
            let read = Sealed::parse(&sealed.text()).unwrap();
            let opened = key.open(&place, &read).unwrap();
            prop_assert_eq!(opened.expose(), value.as_str());
            if place != other {
                prop_assert_eq!(key.open(&other, &read), Err(SealError::Changed));
            }
        }

        #[test]
        fn every_flipped_bit_is_refused(value in ".{0,40}", seed in any::<u64>(), bit in 0..8_u32) {
            let source = entropy(seed);
            let key = DataKey::new(1, KeyBytes::generate(&source));
            let parts = ["platform", "production", "secret", "crm/token"].map(str::to_owned);
            let place = binding(&parts, 1);
            let sealed = key.seal(&place, &Secret::new(value), &source);
            for at in 0..sealed.bytes().len() {
                let mut bytes = sealed.bytes().to_vec();
                bytes[at] ^= 1 << bit;
                let opened = Sealed::from_bytes(bytes).and_then(|sealed| key.open(&place, &sealed));
                prop_assert!(opened.is_err(), "byte {}", at);
            }
            for length in 0..sealed.bytes().len() {
                let short = Sealed::from_bytes(sealed.bytes()[..length].to_vec());
                prop_assert!(short.and_then(|sealed| key.open(&place, &sealed)).is_err());
            }
        }
    }

    #[test]
    fn a_binding_cannot_be_shifted_between_its_parts() {
        let place = |owner, environment| Binding {
            owner,
            environment,
            kind: "secret",
            name: "a",
            version: 1,
        };
        assert_ne!(place("ab", "c").bytes(), place("a", "bc").bytes());
    }

    #[test]
    fn the_same_value_sealed_twice_differs_and_its_fingerprint_does_not() {
        let source = entropy(3);
        let key = DataKey::new(1, KeyBytes::generate(&source));
        let other = DataKey::new(1, KeyBytes::generate(&source));
        let parts = ["platform", "a", "secret", "b"].map(str::to_owned);
        let place = binding(&parts, 1);
        let value = Secret::new("hunter2");
        assert_ne!(key.seal(&place, &value, &source), key.seal(&place, &value, &source));
        assert_eq!(key.fingerprint(&value), key.fingerprint(&Secret::new("hunter2")));
        assert_ne!(key.fingerprint(&value), other.fingerprint(&value));
        assert_ne!(key.fingerprint(&value), key.fingerprint(&Secret::new("hunter3")));
    }

    #[test]
    fn another_key_or_version_does_not_open() {
        let source = entropy(5);
        let (one, two) = (KeyBytes::generate(&source), KeyBytes::generate(&source));
        let parts = ["platform", "a", "secret", "b"].map(str::to_owned);
        let place = binding(&parts, 1);
        let sealed = DataKey::new(1, one.clone()).seal(&place, &Secret::new("x"), &source);
        assert_eq!(DataKey::new(1, two).open(&place, &sealed), Err(SealError::Changed));
        assert_eq!(DataKey::new(2, one).open(&place, &sealed), Err(SealError::OtherKey(1)));
    }

    #[test]
    fn keys_never_print_themselves() {
        let bytes = *b"0123456789abcdef0123456789abcdef";
        let key = DataKey::new(1, KeyBytes::new(bytes));
        assert_eq!(format!("{key:?}"), "DataKey { version: 1, bytes: KeyBytes(…) }");
    }
}
