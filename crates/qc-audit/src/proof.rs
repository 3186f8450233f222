//! Proofs about trees, as RFC 9162 (sections 2.1.3 and 2.1.4) makes and verifies them; RFC 6962's are the same hashes.

use crate::Hash;

/// The root of a tree over these hashes of leaves.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Hash::node(&root_of(left), &root_of(right))
        }
    }
}

/// The largest power of two below a number above 1.
fn split(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

/// The hashes that show that a leaf is in the tree over these; None when there is no leaf with this number.
pub fn inclusion(leaves: &[Hash], leaf: usize) -> Option<Vec<Hash>> {
    if leaf >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut rest, mut at) = (leaves, leaf);
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        if at < left.len() {
            path.push(root_of(right));
            rest = left;
        } else {
            path.push(root_of(left));
            at -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The hashes that show that the tree over the first `from` of these leaves became the tree over all of them; None when
/// there are not so many. Of an empty tree, and of one that is the same, nothing has to be shown.
pub fn consistency(leaves: &[Hash], from: usize) -> Option<Vec<Hash>> {
    if from > leaves.len() {
        return None;
    }
    if from == 0 || from == leaves.len() {
        return Some(Vec::new());
    }
    let mut path = Vec::new();
    let (mut rest, mut at, mut whole) = (leaves, from, true);
    while at != rest.len() {
        let (left, right) = rest.split_at(split(rest.len()));
        if at <= left.len() {
            path.push(root_of(right));
            rest = left;
        } else {
            path.push(root_of(left));
            at -= left.len();
            rest = right;
            whole = false;
        }
    }
    // Whoever verifies has the old tree's root, unless a part of it was cut off on the way here.
    if !whole {
        path.push(root_of(rest));
    }
    path.reverse();
    Some(path)
}

/// Whether the hashes show that this leaf has this place in the tree of this size and root.
pub fn is_included(leaf: &Hash, at: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if at >= size {
        return false;
    }
    let (mut own, mut last, mut hash) = (at, size - 1, *leaf);
    for other in path {
        if last == 0 {
            return false;
        }
        if own & 1 == 1 || own == last {
            hash = Hash::node(other, &hash);
            while own & 1 == 0 && own != 0 {
                (own, last) = (own >> 1, last >> 1);
            }
        } else {
            hash = Hash::node(&hash, other);
        }
        (own, last) = (own >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the hashes show that the tree of the first size and root became that of the second.
pub fn is_consistent(first: (u64, &Hash), second: (u64, &Hash), path: &[Hash]) -> bool {
    let ((from, old), (to, new)) = (first, second);
    if from > to {
        return false;
    }
    if from == to {
        return path.is_empty() && old == new;
    }
    if from == 0 {
        return path.is_empty() && *old == Hash::empty();
    }
    // The old tree's root begins the way, unless it is the first of the hashes.
    let mut hashes = path.iter();
    let start = if from.is_power_of_two() { Some(old) } else { hashes.next() };
    let Some(start) = start else { return false };
    let (mut own, mut last) = (from - 1, to - 1);
    while own & 1 == 1 {
        (own, last) = (own >> 1, last >> 1);
    }
    let (mut of_old, mut of_new) = (*start, *start);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if own & 1 == 1 || own == last {
            of_old = Hash::node(other, &of_old);
            of_new = Hash::node(other, &of_new);
            while own & 1 == 0 && own != 0 {
                (own, last) = (own >> 1, last >> 1);
            }
        } else {
            of_new = Hash::node(&of_new, other);
        }
        (own, last) = (own >> 1, last >> 1);
    }
    last == 0 && of_old == *old && of_new == *new
}
