//! Which of many are taken: by chance, and with the same seed the same.

use aws_lc_rs::digest::{SHA256, digest};

/// So many of these, chosen by a seed, in the order in which they stand.
pub(crate) fn sampled<T>(
    all: Vec<T>,
    most: usize,
    seed: u64,
    name: impl Fn(&T) -> String,
) -> Vec<T> {
    if all.len() <= most {
        return all;
    }
    let lot = |one: &T| {
        let text = format!("{seed}:{}", name(one));
        digest(&SHA256, text.as_bytes()).as_ref().to_vec()
    };
    let mut drawn: Vec<(Vec<u8>, usize)> =
        all.iter().enumerate().map(|(index, one)| (lot(one), index)).collect();
    drawn.sort();
    let mut chosen: Vec<usize> = drawn.into_iter().take(most).map(|(_, index)| index).collect();
    chosen.sort_unstable();
    let mut all: Vec<Option<T>> = all.into_iter().map(Some).collect();
    chosen.into_iter().filter_map(|index| all[index].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_others() {
        let draw = |seed| sampled((0..1_000).collect(), 20, seed, |one: &u32| one.to_string());
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).windows(2).all(|pair| pair[0] < pair[1]), "in their order");
        assert_eq!(draw(1).len(), 20);
        assert_eq!(sampled(vec![1, 2], 5, 1, ToString::to_string), [1, 2]);
    }
}
