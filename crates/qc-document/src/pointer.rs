//! JSON Pointers (RFC 6901): how a place inside a document is named.

use std::borrow::Cow;

/// The unescaped segments of a pointer. A leading `#` is tolerated; percent-encoding is the caller's matter.
pub fn pointer_segments(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let pointer = pointer.strip_prefix('#').unwrap_or(pointer);
    let mut segments = pointer.split('/');
    segments.next();
    segments.map(|segment| {
        if segment.contains('~') {
            Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(segment)
        }
    })
}

/// Appends one segment, escaped, to a pointer.
pub fn push_pointer(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for character in segment.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// An array index as RFC 6901 writes it: digits, no leading zero.
pub(crate) fn index_of(segment: &str) -> Option<usize> {
    let plain = segment.bytes().all(|byte| byte.is_ascii_digit())
        && (segment == "0" || !segment.starts_with('0'));
    if plain { segment.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_pushed_is_read_back(segments in proptest::collection::vec(".{0,8}", 0..6)) {
            let mut pointer = String::new();
            for segment in &segments {
                push_pointer(&mut pointer, segment);
            }
            let read: Vec<String> = pointer_segments(&pointer).map(Cow::into_owned).collect();
            prop_assert_eq!(read, segments);
        }
    }

    #[test]
    fn an_index_has_no_leading_zero() {
        assert_eq!(index_of("0"), Some(0));
        assert_eq!(index_of("10"), Some(10));
        assert_eq!(index_of("01"), None);
        assert_eq!(index_of("-1"), None);
        assert_eq!(index_of(""), None);
    }
}
