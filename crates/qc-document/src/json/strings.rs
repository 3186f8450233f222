//! Strings: the part between the quotes.

use std::borrow::Cow;

use crate::codes;
use crate::fault::Fault;
use crate::source::Span;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The offset of the first byte at or after `at` that ends a plain stretch: quote, backslash or control.
/// Eight bytes at a time; bytes of multi-byte characters have the high bit set and are never special.
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let mut eight = [0_u8; 8];
        eight.copy_from_slice(chunk);
        let word = u64::from_le_bytes(eight);
        let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word;
        let quote = zero_bytes(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_bytes(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        if (quote | backslash | control) & HIGHS != 0 {
            break;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Reads the string whose opening quote is at `open`; answers its text and the offset after its closing quote.
pub(super) fn string(text: &str, open: usize) -> Result<(Cow<'_, str>, usize), Fault> {
    let bytes = text.as_bytes();
    let start = open + 1;
    let mut at = plain_end(bytes, start);
    if bytes.get(at) == Some(&b'"') {
        return Ok((Cow::Borrowed(&text[start..at]), at + 1));
    }
    let mut read = String::with_capacity(at - start + 16);
    let mut from = start;
    loop {
        read.push_str(&text[from..at]);
        match bytes.get(at) {
            Some(b'"') => return Ok((Cow::Owned(read), at + 1)),
            Some(b'\\') => at = escape(text, at, &mut read)?,
            Some(_) => {
                let fault = Fault::new(
                    codes::SYNTAX,
                    Span::new(at, at + 1),
                    "a control character stands bare in a string",
                );
                return Err(fault.help("write it as an escape, such as \\n or \\t"));
            }
            None => {
                let span = Span::new(open, open + 1);
                return Err(Fault::new(codes::SYNTAX, span, "this string is never closed"));
            }
        }
        from = at;
        at = plain_end(bytes, at);
    }
}

/// Reads the escape whose backslash is at `at`; answers the offset after it.
fn escape(text: &str, at: usize, read: &mut String) -> Result<usize, Fault> {
    let plain = match text.as_bytes().get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(text, at, read),
        _ => {
            let span = Span::new(at, at + 1);
            return Err(Fault::new(codes::SYNTAX, span, "JSON has no such escape in a string"));
        }
    };
    read.push(plain);
    Ok(at + 2)
}

fn unicode_escape(text: &str, at: usize, read: &mut String) -> Result<usize, Fault> {
    let first = four_digits(text, at)?;
    let lone = || {
        let message = "this escape is half of a surrogate pair, which is no character";
        Fault::new(codes::ENCODING, Span::new(at, at + 6), message)
    };
    let (point, end) = match first {
        0xD800..=0xDBFF => {
            if !text[at + 6..].starts_with("\\u") {
                return Err(lone());
            }
            let second = four_digits(text, at + 6)?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                return Err(lone());
            }
            (0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), at + 12)
        }
        _ => (first, at + 6),
    };
    read.push(char::from_u32(point).ok_or_else(lone)?);
    Ok(end)
}

fn four_digits(text: &str, at: usize) -> Result<u32, Fault> {
    let digits = text.as_bytes().get(at + 2..at + 6).unwrap_or_default();
    let mut value = 0;
    for digit in digits {
        let Some(digit) = char::from(*digit).to_digit(16) else {
            value = u32::MAX;
            break;
        };
        value = value * 16 + digit;
    }
    if digits.len() < 4 || value == u32::MAX {
        let span = Span::new(at, at + 2);
        return Err(Fault::new(codes::SYNTAX, span, "`\\u` needs four hexadecimal digits"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_at_a_time_finds_what_one_at_a_time_finds(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let slow = bytes.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20);
            prop_assert_eq!(plain_end(&bytes, 0), slow.unwrap_or(bytes.len()));
        }
    }
}
