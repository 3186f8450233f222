//! Takes out of a text what has a credential's name or form. What was sent as a credential is taken out by its value
//! before; this is for those that nobody here knows, such as a token within an answer.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What stands for a credential.
pub(crate) const MASK: &str = "***";

/// Words in a name that say that its value is a credential.
const WORDS: &str = r"password|passwd|passphrase|secret|token|authorization|credential|cookie|assertion|signature|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|session[_-]?(?:id|key)";

static NAME: LazyLock<Regex> = LazyLock::new(|| compiled(&format!(r"(?i)(?:{WORDS}|^x-.*key$)")));

/// A name and its value: in JSON, in JSON within a JSON text, in a form or a query, in a header's line.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let string = r#""(?:[^"\\]|\\.)*"?"#;
    let within = r#"\\+"(?:[^"\\]|\\\\\\["\\]|\\\\[^\\"])*"#;
    let bare = r#"[^\s"'\\&;,<>{}\[\]]+"#;
    compiled(&format!(
        r#"(?i)(?P<name>[\w.$%-]*(?:{WORDS})[\w.$%-]*\\*["']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?(?P<value>{string}|{within}|'[^']*'?|{bare})"#
    ))
});

/// An element of XML and its text.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(r"(?i)(?P<name><(?:[\w-]+:)?[\w.-]*(?:{WORDS})[\w.-]*(?:\s[^<>]*)?>)[^<]+"))
});

/// Name and password in an address.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| compiled(r#"://[^/@\s"'<>]+@"#));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles it")
}

/// Whether what has this name is a credential.
pub(crate) fn is_credential(name: &str) -> bool {
    NAME.is_match(name)
}

/// The text without what has a credential's name or form.
pub(crate) fn masked(text: &str) -> String {
    let text = USERINFO.replace_all(text, format!("://{MASK}@"));
    let text = ELEMENT.replace_all(&text, format!("${{name}}{MASK}"));
    let text = NAMED.replace_all(&text, |found: &regex::Captures<'_>| {
        let (name, value) = (&found["name"], &found["value"]);
        let quotes = value.trim_end_matches(|c| c != '"' && c != '\'');
        // As it was quoted before, so that the text stays readable.
        let open: String = value.chars().take_while(|c| "\\\"'".contains(*c)).collect();
        let closed = quotes.len() > open.len() && value.ends_with(['"', '\'']);
        let close = if closed { open.as_str() } else { "" };
        format!("{name}{open}{MASK}{close}")
    });
    without_leaks(&text)
}

fn without_leaks(text: &str) -> String {
    let mut clean = Cow::Borrowed(text);
    // From behind, so that places stay right.
    for leak in qc_vault::leaks(text).into_iter().rev() {
        clean.to_mut().replace_range(leak.at, MASK);
    }
    clean.into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_has_a_credentials_name_is_masked_and_nothing_else() {
        for (text, clean) in [
            (r#"{"access_token":"abc","n":1}"#, r#"{"access_token":"***","n":1}"#),
            (r#"{"password": "a\"b", "x": "y"}"#, r#"{"password": "***", "x": "y"}"#),
            (r#"{"clientSecret":17,"x":2}"#, r#"{"clientSecret":***,"x":2}"#),
            (
                r#"{"said":"{\"api_key\":\"abc\",\"n\":1}"}"#,
                r#"{"said":"{\"api_key\":\"***\",\"n\":1}"}"#,
            ),
            ("grant_type=x&client_secret=abc%20d&y=1", "grant_type=x&client_secret=***&y=1"),
            ("https://u:p@host/a?token=abc&b=c", "https://***@host/a?token=***&b=c"),
            (
                "<a><wsse:Password Type=\"t\">abc</wsse:Password><b>c</b></a>",
                "<a><wsse:Password Type=\"t\">***</wsse:Password><b>c</b></a>",
            ),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            (r#"{"password":"not at its en"#, r#"{"password":"***"#),
            (
                r#"{"name":"Ada","email":"ada@example.com"}"#,
                r#"{"name":"Ada","email":"ada@example.com"}"#,
            ),
        ] {
            assert_eq!(masked(text), clean);
        }
        let key = format!("AKIA{}", "QWERTYUIOPASDFGH");
        assert_eq!(masked(&format!("it is {key} there")), "it is *** there");
        for name in [
            "Authorization",
            "cookie",
            "Set-Cookie",
            "X-Api-Key",
            "x-shop-key",
            "x-amz-security-token",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["content-type", "idempotency-key", "accept", "x-request-id"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_credential_survives_in_json(secret in "[ -~]{1,20}", other in "[a-p \"]{0,8}") {
            let needle = format!("zq{secret}qz");
            let inner = json!({"refresh_token": needle, "other": other}).to_string();
            for text in [inner.clone(), json!({"password": needle, "said": other}).to_string(), json!({"said": inner}).to_string()] {
                let clean = masked(&text);
                let left = Value::from(needle.clone()).to_string();
                prop_assert!(!clean.contains("qz"), "{} leaves {} of {}", clean, left, text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = masked(&text);
        }
    }
}
