//! One token of jq at a time. Strings are read by the parser, because they hold expressions.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tok {
    End,
    /// A name or a keyword.
    Word,
    /// `.name`
    Field,
    /// `$name`
    Variable,
    /// `@name`
    Format,
    Number,
    /// The opening quote of a string.
    Quote,
    Sym(&'static str),
    /// A character that begins nothing.
    Stray,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) at: Range<usize>,
}

/// Longest first, so that the first that fits is the right one.
const SYMBOLS: [&str; 35] = [
    "//=", "|=", "+=", "-=", "*=", "/=", "%=", "//", "==", "!=", "<=", ">=", "..", ".", "[", "]",
    "(", ")", "{", "}", "|", ",", ":", ";", "=", "<", ">", "+", "-", "*", "/", "%", "?", "$", "@",
];

/// The token that begins at or after `from`, past blanks and comments.
pub(crate) fn token(source: &str, from: usize) -> Token {
    let start = skip_blank(source, from);
    let rest = &source[start..];
    let mut bytes = rest.bytes();
    let Some(first) = bytes.next() else {
        return Token { tok: Tok::End, at: start..start };
    };
    let second = bytes.next().unwrap_or(b' ');
    let (tok, length) = match first {
        b'"' => (Tok::Quote, 1),
        b'0'..=b'9' => (Tok::Number, number(rest)),
        b'.' if second.is_ascii_digit() => (Tok::Number, number(rest)),
        b'.' if begins_name(second) => (Tok::Field, 1 + name(&rest[1..])),
        b'$' if begins_name(second) => (Tok::Variable, 1 + name(&rest[1..])),
        b'@' if begins_name(second) => (Tok::Format, 1 + name(&rest[1..])),
        _ if begins_name(first) => (Tok::Word, word(rest)),
        _ => SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).map_or_else(
            || (Tok::Stray, rest.chars().next().map_or(1, char::len_utf8)),
            |symbol| (Tok::Sym(symbol), symbol.len()),
        ),
    };
    Token { tok, at: start..start + length }
}

fn skip_blank(source: &str, mut from: usize) -> usize {
    loop {
        let rest = &source[from..];
        let trimmed = rest.trim_start();
        from += rest.len() - trimmed.len();
        if !trimmed.starts_with('#') {
            return from;
        }
        from += trimmed.find('\n').unwrap_or(trimmed.len());
    }
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// A name, with `::` inside it so that a module's function is refused by its whole name.
fn word(text: &str) -> usize {
    let mut length = name(text);
    while text[length..].starts_with("::") {
        let more = name(&text[length + 2..]);
        if more == 0 {
            break;
        }
        length += 2 + more;
    }
    length
}

fn number(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') && !text[length..].starts_with("..") {
        length += 1;
        length += digits(length);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
