//! Signed notes, as C2SP's `signed-note` says: a text, an empty line, and signatures of the text.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Says that a key is one of Ed25519.
const ED25519_KEY: u8 = 1;
/// What a line with a signature begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// The most signatures that are read of a note.
const SIGNATURES_MAX: usize = 16;

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form.
    #[error("it is not a signed note: {0}")]
    Form(&'static str),
    /// None of the keys has signed it.
    #[error("none of the {keys} known keys has signed it; it names {named}")]
    Unknown {
        /// How many keys were tried.
        keys: usize,
        /// The names of those who it says have signed.
        named: String,
    },
    /// A known key is said to have signed it, and has not.
    #[error("the signature of {0} is wrong: the text was changed, or the signature")]
    Wrong(String),
}

/// With which notes are verified. As text it is C2SP's verifier key, `<name>+<8 hex digits>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// Reads its text. None when it is none of Ed25519, or a digit of it is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let key = STANDARD.decode(key).ok()?;
        let (kind, public) = key.split_first()?;
        let public = public.try_into().ok()?;
        let read = Self { name: name.to_owned(), public };
        let right = *kind == ED25519_KEY && is_name(name) && id == hex(&read.id());
        right.then_some(read)
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By what signatures name it: the first bytes of `SHA-256(name || "\n" || 0x01 || public key)`.
    pub fn id(&self) -> [u8; 4] {
        let mut bytes = self.name.as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.push(ED25519_KEY);
        bytes.extend_from_slice(&self.public);
        let digest = digest(&SHA256, &bytes);
        digest.as_ref()[..4].try_into().expect("a digest has more bytes")
    }
}

impl std::fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut key = vec![ED25519_KEY];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(key))
    }
}

/// The secret of a key. Cannot be printed.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// With which notes are signed. Cannot be printed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    key: VerifyingKey,
}

impl SigningKey {
    /// From its secret. None when the name is empty or has a space or a `+`.
    pub fn new(name: &str, seed: &Seed) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed.0).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        is_name(name).then(|| Self { pair, key: VerifyingKey { name: name.to_owned(), public } })
    }

    /// With which others verify.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.key
    }

    /// Signs a text, whose last line has its end.
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.key.id().to_vec();
        bytes.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n{DASH}{} {}\n", self.key.name, STANDARD.encode(bytes))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.key)
    }
}

/// The text of a note that at least one of the keys has signed, with that key. Signatures of others are passed by, as
/// the format wants it; a wrong one of a known key is an error.
pub fn open<'n, 'k>(
    note: &'n str,
    keys: &'k [VerifyingKey],
) -> Result<(&'n str, &'k VerifyingKey), NoteError> {
    let (text, signatures) = parts(note)?;
    let mut signer = None;
    let mut named = Vec::new();
    for (count, line) in signatures.lines().enumerate() {
        if count >= SIGNATURES_MAX {
            return Err(NoteError::Form("it has too many signatures"));
        }
        let form = NoteError::Form("a line of a signature is not `— <name> <base64>`");
        let (name, signature) =
            line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(form.clone())?;
        let signature = STANDARD.decode(signature).map_err(|_| form.clone())?;
        let (id, signature) = signature.split_at_checked(4).ok_or(form)?;
        named.push(format!("{name}+{}", hex(id)));
        let known = keys.iter().find(|key| key.name == name && key.id() == id);
        let Some(key) = known else { continue };
        UnparsedPublicKey::new(&ED25519, &key.public)
            .verify(text.as_bytes(), signature)
            .map_err(|_| NoteError::Wrong(key.to_string()))?;
        signer = signer.or(Some(key));
    }
    match signer {
        Some(key) => Ok((text, key)),
        None => Err(NoteError::Unknown { keys: keys.len(), named: named.join(", ") }),
    }
}

/// The text of a note and the lines of its signatures, unverified.
pub(crate) fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    let end = note.rfind("\n\n").ok_or(NoteError::Form("no empty line ends its text"))?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    if !signatures.ends_with('\n') {
        return Err(NoteError::Form("its last line has no end"));
    }
    Ok((text, signatures))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
