//! What a node is called among those that share a store.

use qc_model::Entropy;

/// The longest first part of a name.
const FIRST_PART: usize = 40;
/// So many characters by chance follow it: 30 bits.
const BY_CHANCE: usize = 6;
/// Crockford's base 32: read aloud without mistakes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A name that no other process has: what was said, or else what the machine is called, and a part
/// by chance. Two machines that are set up alike have two names, and so have a process and the one
/// that follows it.
pub(crate) fn node_name(said: &str, entropy: &dyn Entropy) -> String {
    let first = match first_part(said) {
        said if !said.is_empty() => said,
        _ => first_part(&machine()),
    };
    let first = if first.is_empty() { "node".to_owned() } else { first };
    let mut bits = entropy.next_u64();
    let by_chance: String = (0..BY_CHANCE)
        .map(|_| {
            let place = usize::try_from(bits & 31).unwrap_or(0);
            bits >>= 5;
            char::from(ALPHABET[place])
        })
        .collect();
    format!("{first}-{by_chance}")
}

/// Letters, digits and dashes only: names stand in logs, labels and documents.
fn first_part(text: &str) -> String {
    let first = text.split('.').next().unwrap_or_default();
    let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = first.chars().map(legal).take(FIRST_PART).collect();
    text.trim_matches('-').to_owned()
}

#[cfg(unix)]
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::OsEntropy;

    #[test]
    fn two_nodes_that_are_set_up_alike_have_two_names() {
        let entropy = OsEntropy::default();
        let names: std::collections::BTreeSet<_> =
            (0..100).map(|_| node_name("web-1", &entropy)).collect();
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|name| name.len() == 12 && name.starts_with("web-1-")));
    }

    #[test]
    fn a_name_has_a_first_part_whatever_was_said() {
        let entropy = OsEntropy::default();
        for (said, first) in [("Web 1.example.com", "web-1-"), (&"x".repeat(99), &"x".repeat(40))] {
            assert!(node_name(said, &entropy).starts_with(first));
        }
        for said in ["", "...", "\u{fe0f}"] {
            let name = node_name(said, &entropy);
            assert!(name.len() > 7 && !name.starts_with('-'), "{name}");
        }
    }
}
