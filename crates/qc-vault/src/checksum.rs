/// Letters that a double click selects as one word.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The last six letters of QuickConnect's tokens: the CRC-32 of everything before them, in base 62. It tells a mistyped
/// token from an unknown one without asking anybody, and lets scanners confirm a match; it proves nothing.
pub fn checksum(text: &str) -> [u8; 6] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; 6];
    for letter in letters.iter_mut().rev() {
        *letter = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc_32_in_base_62() {
        // CRC-32 of "123456789" is 0xCBF43926 = 3421780262.
        let by_hand: u64 =
            [3u64, 45, 35, 27, 22, 14].iter().fold(0, |value, digit| value * 62 + digit);
        assert_eq!(by_hand, 0xCBF4_3926);
        assert_eq!(&checksum("123456789"), b"3jZRME");
    }
}
