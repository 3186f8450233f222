//! Structured fields (RFC 9651), as far as rate limits use them: lists and dictionaries of items with parameters. Strict:
//! what is malformed in one place is malformed as a whole, as that standard wants it.

/// The most members of one field that are read; a field with more is malformed.
const MEMBERS_MAX: usize = 64;
/// The most parameters of one member.
const PARAMETERS_MAX: usize = 32;
/// The most bytes of a field.
const BYTES_MAX: usize = 8 * 1024;
/// The most digits of an integer (RFC 9651, section 3.3.1).
const DIGITS_MAX: usize = 15;

/// A bare item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bare {
    /// A non-negative integer: no limit is below zero.
    Number(u64),
    /// A string or a token.
    Text(String),
    /// Anything else that is well formed: bytes, booleans, decimals, negative numbers, dates.
    Other,
}

impl Bare {
    pub(super) fn number(&self) -> Option<u64> {
        if let Self::Number(value) = self { Some(*value) } else { None }
    }
}

/// An item with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) bare: Bare,
    pub(super) parameters: Vec<(String, Bare)>,
}

impl Item {
    /// The last parameter of this name: it overrides earlier ones.
    pub(super) fn parameter(&self, name: &str) -> Option<&Bare> {
        self.parameters.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

/// A list of items. None: it is malformed or empty.
pub(super) fn list(text: &str) -> Option<Vec<Item>> {
    let mut reader = Reader::new(text)?;
    reader.members(Reader::item)
}

/// A dictionary of items. None: it is malformed or empty.
pub(super) fn dictionary(text: &str) -> Option<Vec<(String, Item)>> {
    let mut reader = Reader::new(text)?;
    reader.members(|reader| {
        let key = reader.key()?;
        if reader.take(b'=') {
            return Some((key, reader.item()?));
        }
        let parameters = reader.parameters()?;
        Some((key, Item { bare: Bare::Other, parameters }))
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let text = text.trim_matches(' ');
        (!text.is_empty() && text.len() <= BYTES_MAX && text.is_ascii())
            .then_some(Self { rest: text.as_bytes() })
    }

    fn members<T>(&mut self, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut members = Vec::new();
        loop {
            members.push(one(self)?);
            if members.len() > MEMBERS_MAX {
                return None;
            }
            self.skip(b" \t");
            if self.rest.is_empty() {
                return Some(members);
            }
            if !self.take(b',') {
                return None;
            }
            self.skip(b" \t");
        }
    }

    fn skip(&mut self, which: &[u8]) {
        let count = self.rest.iter().take_while(|byte| which.contains(byte)).count();
        self.rest = &self.rest[count..];
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.rest.first() == Some(&byte);
        if there {
            self.rest = &self.rest[1..];
        }
        there
    }

    fn word(&mut self, may: impl Fn(u8) -> bool) -> &'a [u8] {
        let count = self.rest.iter().take_while(|byte| may(**byte)).count();
        let (word, rest) = self.rest.split_at(count);
        self.rest = rest;
        word
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.rest.first()?;
        if !(first.is_ascii_lowercase() || first == b'*') {
            return None;
        }
        let of_key = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        };
        Some(String::from_utf8_lossy(self.word(of_key)).into_owned())
    }

    fn item(&mut self) -> Option<Item> {
        let bare = self.bare()?;
        Some(Item { bare, parameters: self.parameters()? })
    }

    fn parameters(&mut self) -> Option<Vec<(String, Bare)>> {
        let mut parameters = Vec::new();
        while self.take(b';') {
            self.skip(b" ");
            let key = self.key()?;
            let value = if self.take(b'=') { self.bare()? } else { Bare::Other };
            parameters.push((key, value));
            if parameters.len() > PARAMETERS_MAX {
                return None;
            }
        }
        Some(parameters)
    }

    fn bare(&mut self) -> Option<Bare> {
        match *self.rest.first()? {
            b'"' => self.string(),
            b'0'..=b'9' | b'-' => self.digits(),
            b':' => {
                self.take(b':');
                self.word(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.take(b':').then_some(Bare::Other)
            }
            b'?' => {
                self.take(b'?');
                (self.take(b'0') || self.take(b'1')).then_some(Bare::Other)
            }
            b'@' => {
                self.take(b'@');
                self.digits().map(|_| Bare::Other)
            }
            first if first.is_ascii_alphabetic() || first == b'*' => {
                let of_token =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
                Some(Bare::Text(String::from_utf8_lossy(self.word(of_token)).into_owned()))
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Bare> {
        self.take(b'"');
        let mut text = String::new();
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            match first {
                b'"' => return Some(Bare::Text(text)),
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    if !b"\"\\".contains(escaped) {
                        return None;
                    }
                    self.rest = rest;
                    text.push(char::from(*escaped));
                }
                0x20..=0x7e => text.push(char::from(*first)),
                _ => return None,
            }
        }
    }

    fn digits(&mut self) -> Option<Bare> {
        let negative = self.take(b'-');
        let whole = self.word(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > DIGITS_MAX {
            return None;
        }
        if self.take(b'.') {
            let part = self.word(|byte| byte.is_ascii_digit());
            return (1..=3).contains(&part.len()).then_some(Bare::Other);
        }
        let value = whole.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Some(if negative { Bare::Other } else { Bare::Number(value) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_and_dictionaries_as_the_standard_has_them() {
        let read = list(r#""a, b";q=100;w=60 , "c\"d";pk=:cHdsRa894==:;x, 7"#).unwrap();
        assert_eq!(read[0].bare, Bare::Text("a, b".to_owned()));
        assert_eq!(read[0].parameter("w"), Some(&Bare::Number(60)));
        assert_eq!(read[1].bare, Bare::Text("c\"d".to_owned()));
        assert_eq!(read[2].bare.number(), Some(7));
        assert_eq!(list("\"a\";r=1;r=2").unwrap()[0].parameter("r"), Some(&Bare::Number(2)));
        let read = dictionary("limit=100, remaining=50;x=1, reset=5").unwrap();
        assert_eq!((read[1].0.as_str(), read[1].1.bare.number()), ("remaining", Some(50)));
    }

    #[test]
    fn what_is_malformed_anywhere_is_malformed_as_a_whole() {
        for bad in [
            "",
            ",",
            "\"a\";r=1,",
            "\"a",
            "\"a\";R=1",
            "\"a\";r=",
            "\"a\";r=1 b",
            "a=1;;",
            "\"\\x\"",
            "1234567890123456",
            "1.2345",
            ":a",
            "?2",
            "\"a\";r=1;t=ü",
        ] {
            assert_eq!(list(bad), None, "{bad}");
        }
        assert_eq!(list(&vec!["1"; MEMBERS_MAX + 1].join(",")), None);
        assert_eq!(list("\"a\";r=-1").unwrap()[0].parameter("r"), Some(&Bare::Other));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[ -~\t]{0,80}") {
            let _ = (list(&text), dictionary(&text));
        }

        #[test]
        fn numbers_come_back(name in "[a-z ]{1,9}", r in 0_u64..1_000_000, t in 0_u64..1_000_000) {
            let read = list(&format!("\"{name}\";r={r};t={t}")).unwrap();
            prop_assert_eq!(read[0].parameter("r"), Some(&Bare::Number(r)));
            prop_assert_eq!(read[0].parameter("t"), Some(&Bare::Number(t)));
        }
    }
}
