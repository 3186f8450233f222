//! The tree against a naive one, against published vectors, and its proofs against every change of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use proptest::prelude::*;
use qc_audit::{
    Checkpoint, Frontier, Hash, NoteError, Seed, SigningKey, VerifyingKey, open,
    proof::{consistency, inclusion, is_consistent, is_included, root_of},
};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}

/// RFC 6962, section 2.1, word for word, over the leaves themselves.
fn naive(leaves: &[Vec<u8>]) -> Hash {
    match leaves.len() {
        0 => Hash::empty(),
        1 => Hash::leaf(&leaves[0]),
        n => {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            Hash::node(&naive(&leaves[..k]), &naive(&leaves[k..]))
        }
    }
}

/// The leaves and roots of Certificate Transparency's reference implementation.
#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root().0.to_vec(), unhex(roots[0]));
    for (leaf, root) in leaves.iter().zip(&roots[1..]) {
        frontier.push(Hash::leaf(&unhex(leaf)));
        assert_eq!(frontier.root().0.to_vec(), unhex(root), "{}", frontier.size());
    }
}

/// The example of Go's `golang.org/x/mod/sumdb/note`, whose format C2SP took over.
#[test]
fn a_note_that_others_signed_is_opened() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let note = format!(
        "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    let keys = [VerifyingKey::parse(key).unwrap()];
    assert_eq!(open(&note, &keys).unwrap(), (text, &keys[0]));
    assert_eq!(keys[0].to_string(), key);
    let changed = note.replace("answer", "Answer");
    assert!(matches!(open(&changed, &keys), Err(NoteError::Wrong(_))));
    assert!(matches!(open(&note, &[]), Err(NoteError::Unknown { .. })));
    assert_eq!(VerifyingKey::parse(&key.replace("c74f", "c74e")), None, "its id is its checksum");
}

#[test]
fn a_checkpoint_is_signed_and_opened() {
    let signing = SigningKey::new("audit.example", &Seed::new([7; 32])).unwrap();
    let checkpoint = Checkpoint { origin: "a log".into(), size: 12, root: Hash::leaf(b"x") };
    let note = checkpoint.sign(&signing);
    let keys = [signing.verifying().clone()];
    assert_eq!(Checkpoint::open(&note, &keys).unwrap().0, checkpoint);
    assert_eq!(Checkpoint::unverified(&note).unwrap(), checkpoint);
    let other =
        [SigningKey::new("audit.example", &Seed::new([8; 32])).unwrap().verifying().clone()];
    assert!(matches!(Checkpoint::open(&note, &other), Err(NoteError::Unknown { .. })));
    for bad in ["", "\n", "a\n\n", "a\n012\nx\n\n", "\u{2014} a b\n"] {
        assert!(Checkpoint::unverified(bad).is_err(), "{bad:?}");
    }
    assert!(SigningKey::new("a b", &Seed::new([7; 32])).is_none());
}

fn hashes(count: usize) -> Vec<Hash> {
    (0..count).map(|n| Hash::leaf(&n.to_be_bytes())).collect()
}

#[test]
fn every_proof_of_small_trees_holds_and_no_other_does() {
    for size in 0..=33usize {
        let leaves = hashes(size);
        let root = root_of(&leaves);
        for at in 0..size {
            let path = inclusion(&leaves, at).unwrap();
            for other in 0..=size {
                let (place, all) = (other as u64, size as u64);
                let right = is_included(&leaves[at], place, all, &path, &root);
                assert_eq!(right, other == at, "{at} at {other} of {size}");
            }
        }
        assert_eq!(inclusion(&leaves, size), None);
        for from in 0..=size {
            let (path, old) = (consistency(&leaves, from).unwrap(), root_of(&leaves[..from]));
            let second = (size as u64, &root);
            assert!(is_consistent((from as u64, &old), second, &path), "{from} to {size}");
            if from > 0 && from < size {
                assert!(!is_consistent((from as u64, &root), second, &path), "{from} to {size}");
                let wrong = (size as u64, &old);
                assert!(!is_consistent((from as u64, &old), wrong, &path), "{from} to {size}");
            }
        }
        assert_eq!(consistency(&leaves, size + 1), None);
    }
}

proptest! {
    #[test]
    fn the_frontier_is_the_naive_tree(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..70)) {
        let mut frontier = Frontier::default();
        for leaf in &leaves {
            frontier.push(Hash::leaf(leaf));
        }
        prop_assert_eq!(frontier.root(), naive(&leaves));
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| Hash::leaf(leaf)).collect();
        prop_assert_eq!(frontier.root(), root_of(&hashes));
        let again = Frontier::new(frontier.size(), frontier.peaks().to_vec());
        prop_assert_eq!(again, Some(frontier));
    }

    #[test]
    fn a_changed_proof_shows_nothing(size in 2usize..200, at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let leaves = hashes(size);
        let (at, root) = (at.index(size), root_of(&leaves));
        let mut path = inclusion(&leaves, at).unwrap();
        let place = (at as u64, size as u64);
        prop_assert!(is_included(&leaves[at], place.0, place.1, &path, &root));
        let bit = bit.index(path.len() * 256);
        path[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(!is_included(&leaves[at], place.0, place.1, &path, &root));
        path.pop();
        prop_assert!(!is_included(&leaves[at], place.0, place.1, &path, &root));
    }

    #[test]
    fn a_log_that_was_rewritten_is_not_consistent(size in 2usize..120, from in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let leaves = hashes(size);
        let from = 1 + from.index(size - 1);
        let (old, new) = (root_of(&leaves[..from]), root_of(&leaves));
        let mut path = consistency(&leaves, from).unwrap();
        prop_assert!(is_consistent((from as u64, &old), (size as u64, &new), &path));
        if !path.is_empty() {
            let bit = bit.index(path.len() * 256);
            path[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            prop_assert!(!is_consistent((from as u64, &old), (size as u64, &new), &path));
        }
    }
}
