use std::fmt;

use aws_lc_rs::digest;
use qc_model::{Entropy, EnvironmentName, Name};
use qc_vault::{BASE62, Secret, checksum};

const ID: usize = 8;
const SECRET: usize = 30;
const CHECKSUM: usize = 6;
/// In place of an environment's name in tokens that hold for all of them.
const ANY: &str = "any";

/// The public half of a token: it finds the record, and stands in logs and audit rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; ID]);

impl TokenId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; ID] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no token. Holds nothing of the text, as it may be another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the form.
    #[error("it does not have the form `qc_<environment>_` and {} letters and digits", ID + SECRET + CHECKSUM)]
    Form,
    /// Its checksum is wrong: it was typed or cut wrongly.
    #[error("its checksum is wrong: it was cut off or mistyped")]
    Checksum,
}

/// A token as somebody presented it: `qc_<environment>_<id, 8><secret, 30><checksum, 6>`. The checksum (CRC-32 of all
/// before it, base 62) tells a mistyped token from an unknown one without asking the store, and lets secret scanners
/// confirm a match; it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken {
    /// Which token it claims to be.
    pub id: TokenId,
    /// SHA-256 of the whole text. The secret has 178 random bits, so a fast hash cannot be searched.
    pub digest: [u8; 32],
}

impl PresentedToken {
    /// Reads the text of a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let rest = text.strip_prefix("qc_").ok_or(TokenError::Form)?;
        let (environment, letters) = rest.split_once('_').ok_or(TokenError::Form)?;
        let legal = Name::new(environment).is_ok()
            && letters.len() == ID + SECRET + CHECKSUM
            && letters.bytes().all(|b| b.is_ascii_alphanumeric());
        if !legal {
            return Err(TokenError::Form);
        }
        let (signed, sum) = text.split_at(text.len() - CHECKSUM);
        if sum.as_bytes() != checksum(signed) {
            return Err(TokenError::Checksum);
        }
        let id = TokenId::parse(&letters[..ID]).ok_or(TokenError::Form)?;
        Ok(Self { id, digest: digest_of(text) })
    }
}

/// A new token: shown once, then only its digest remains.
#[derive(Debug)]
pub struct Minted {
    /// Its public half.
    pub id: TokenId,
    /// The whole text, for its holder.
    pub text: Secret,
    /// What is stored.
    pub digest: [u8; 32],
}

/// Makes a token for one environment, or for all. The entropy must be the operating system's.
pub fn mint(environment: Option<&EnvironmentName>, entropy: &dyn Entropy) -> Minted {
    minted(environment, &random_letters(ID + SECRET, entropy))
}

/// Makes another version of a token: with its id and another secret.
pub fn mint_version(
    id: TokenId,
    environment: Option<&EnvironmentName>,
    entropy: &dyn Entropy,
) -> Minted {
    minted(environment, &format!("{id}{}", random_letters(SECRET, entropy)))
}

fn minted(environment: Option<&EnvironmentName>, letters: &str) -> Minted {
    let mut text = format!("qc_{}_{letters}", environment.map_or(ANY, Name::as_str));
    let sum = checksum(&text);
    text.extend(sum.iter().map(|byte| char::from(*byte)));
    let id = TokenId::parse(&letters[..ID]).expect("made of letters and digits, of this length");
    let digest = digest_of(&text);
    Minted { id, text: Secret::new(text), digest }
}

fn digest_of(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Uniform letters: six bits at a time, the two values that stand for no letter thrown away.
fn random_letters(count: usize, entropy: &dyn Entropy) -> String {
    let mut letters = String::with_capacity(count);
    while letters.len() < count {
        let mut bits = entropy.next_u64();
        for _ in 0..10 {
            if let Some(letter) = BASE62.get((bits & 63) as usize)
                && letters.len() < count
            {
                letters.push(char::from(*letter));
            }
            bits >>= 6;
        }
    }
    letters
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use qc_model::Seeded;

    use super::*;

    #[test]
    fn what_is_minted_is_read_back() {
        let entropy = Seeded::new(7);
        for environment in [None, Some("production".parse().unwrap())] {
            let minted = mint(environment.as_ref(), &entropy);
            let read = PresentedToken::parse(minted.text.expose()).unwrap();
            assert_eq!((read.id, read.digest), (minted.id, minted.digest));
        }
        let text = mint(None, &entropy).text;
        assert!(text.expose().starts_with("qc_any_") && text.expose().len() == 7 + 44);
    }

    proptest! {
        #[test]
        fn any_one_changed_letter_is_noticed(seed in any::<u64>(), at in 0usize..38, to in 0usize..62) {
            let minted = mint(None, &Seeded::new(seed));
            let mut bytes = minted.text.expose().as_bytes().to_vec();
            let old = std::mem::replace(&mut bytes[7 + at], BASE62[to]);
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(PresentedToken::parse(&text).is_ok(), old == BASE62[to]);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = PresentedToken::parse(&text);
        }
    }
}
