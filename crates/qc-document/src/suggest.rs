//! "Did you mean …?": the closest known name by edit distance.

/// Longest name that is compared; longer ones are never a typing slip of ours.
const LONGEST: usize = 64;

/// The known name closest to a mistyped one, when it is close enough to be a slip.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.is_empty() || typed.len() > LONGEST {
        return None;
    }
    let typed_folded = fold(typed);
    let mut best: Option<(usize, &'a str)> = None;
    for name in known {
        if name.is_empty() || name.len() > LONGEST {
            continue;
        }
        let distance = distance(&typed_folded, &fold(name));
        let shorter = name.chars().count().min(typed.chars().count());
        // One slip in a short name, up to a third of a long one.
        let allowed = if shorter <= 2 { 0 } else { (shorter / 3).max(1) };
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Case, `-` and `_` are not what people get wrong on purpose: `timeOut`, `time-out` and `time_out` are equal.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Edit distance where swapping two neighbours is one slip (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let substitute = previous[column] + usize::from(from != to);
            let mut cost = substitute.min(previous[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && left[row - 1] == *to && right[column - 1] == *from;
            if swapped {
                cost = cost.min(older[column - 1] + 1);
            }
            current.push(cost);
        }
        older = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let known = ["name", "timeout", "retries", "idempotency"];
        assert_eq!(closest("nmae", known), Some("name"));
        assert_eq!(closest("time_out", known), Some("timeout"));
        assert_eq!(closest("idempotancy", known), Some("idempotency"));
        assert_eq!(closest("retry", known), None);
        assert_eq!(closest("colour", known), None);
        assert_eq!(closest("do", ["if", "on"]), None);
    }

    #[test]
    fn the_distance_counts_single_edits() {
        let of = |a: &str, b: &str| distance(&fold(a), &fold(b));
        assert_eq!(of("abc", "abc"), 0);
        assert_eq!(of("abc", "acb"), 1);
        assert_eq!(of("abc", "ab"), 1);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("kitten", "sitting"), 3);
    }
}
