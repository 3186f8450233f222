//! Secrets where none should be: texts that have the form of a credential.
//!
//! The forms are those that their issuers publish, most of them so that scanners find them. What has such a form is
//! [`Sureness::Sure`]; what only stands where a credential would is [`Sureness::Likely`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::LazyLock,
};

use aws_lc_rs::digest;
use regex::{Regex, RegexSet};

use crate::checksum;

/// A line that is longer is looked at in pieces of this many bytes: bundled and minified files have such lines.
const PIECE: usize = 64 << 10;
/// Pieces overlap by so many bytes, so that no credential is cut in two.
const OVERLAP: usize = 512;

/// A text that looks like a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What it looks like, such as `an access token of GitHub`.
    pub what: &'static str,
    /// Where the credential stands, in bytes.
    pub at: Range<usize>,
    /// How sure that is.
    pub sureness: Sureness,
    /// Tells it apart without telling it: the first 12 hexadecimal digits of its SHA-256.
    pub fingerprint: String,
}

/// How sure it is that something is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// It stands where a credential would, and looks random.
    Likely,
    /// It has a form that only credentials have.
    Sure,
}

/// A form. The credential is the group `s`, or else the whole match.
struct Form {
    what: &'static str,
    sureness: Sureness,
    pattern: &'static str,
    /// What the pattern cannot say.
    is: fn(&str) -> bool,
}

const fn sure(what: &'static str, pattern: &'static str) -> Form {
    Form { what, sureness: Sureness::Sure, pattern, is: is_no_example }
}

const FORMS: &[Form] = &[
    Form {
        what: "a token of QuickConnect",
        sureness: Sureness::Sure,
        pattern: r"\bqc_[a-z][a-z0-9-]*_[0-9A-Za-z]{44}\b",
        is: has_our_checksum,
    },
    sure("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    sure("an access key of AWS", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    sure("an access token of GitHub", r"\bgh[pousr]_[0-9A-Za-z]{36}\b"),
    sure("an access token of GitHub", r"\bgithub_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}\b"),
    sure("an access token of GitLab", r"\bglpat-[0-9A-Za-z_-]{20,}"),
    sure("a token of Slack", r"\bxox[abeprs]-[0-9A-Za-z-]{24,}"),
    sure("a token of Slack", r"\bxapp-[0-9]-[0-9A-Za-z-]{30,}"),
    sure(
        "an incoming webhook of Slack",
        r"https://hooks\.slack\.com/services/T[0-9A-Z]{6,}/B[0-9A-Z]{6,}/[0-9A-Za-z]{20,}",
    ),
    sure("a secret key of Stripe", r"\b[rs]k_live_[0-9A-Za-z]{20,}\b"),
    sure("a webhook secret", r"\bwhsec_[0-9A-Za-z+/]{24,}={0,2}"),
    sure("an API key of Google", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    sure("a client secret of Google", r"\bGOCSPX-[0-9A-Za-z_-]{28}\b"),
    sure("an API key of SendGrid", r"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}\b"),
    sure("an access token of npm", r"\bnpm_[0-9A-Za-z]{36}\b"),
    sure("an API token of PyPI", r"\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}"),
    sure("an API key of a language model", r"\bsk-(?:ant|proj)-[0-9A-Za-z_-]{40,}"),
    sure("a token of Vault", r"\bhv[sb]\.[0-9A-Za-z_-]{24,}"),
    sure("a key of Azure storage", r"AccountKey=(?<s>[0-9A-Za-z+/]{86}==)"),
    Form {
        what: "a signed token (JWT)",
        sureness: Sureness::Likely,
        pattern: r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{20,}",
        is: is_no_example,
    },
    Form {
        what: "a password in an address",
        sureness: Sureness::Likely,
        pattern: r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>{}$]{1,64}:(?<s>[^\s/:@"'<>{}$]{6,128})@"#,
        is: looks_random,
    },
    Form {
        what: "a value that stands where a secret would",
        sureness: Sureness::Likely,
        pattern: r#"(?i)\b(?:[a-z0-9]+[_.-])*(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token|private[_-]?key)["']?\s*[:=]\s*["']?(?<s>[0-9A-Za-z+/=_.~-]{16,200})["']?\s*(?:$|[,}#])"#,
        is: looks_random,
    },
];

struct Compiled {
    any: RegexSet,
    each: Vec<Regex>,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let patterns = FORMS.iter().map(|form| form.pattern);
    Compiled {
        any: RegexSet::new(patterns.clone()).expect("a test compiles them"),
        each: patterns.map(|pattern| Regex::new(pattern).expect("a test compiles them")).collect(),
    }
});

/// Everything in a text that looks like a credential, in its order; where several forms fit the same place, the surest.
pub fn leaks(text: &str) -> Vec<Leak> {
    let mut found: BTreeMap<usize, Leak> = BTreeMap::new();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        for (offset, piece) in pieces(line) {
            for index in &COMPILED.any.matches(piece) {
                for hit in COMPILED.each[index].captures_iter(piece) {
                    let Some(it) = hit.name("s").or_else(|| hit.get(0)) else { continue };
                    let form = &FORMS[index];
                    if !(form.is)(it.as_str()) {
                        continue;
                    }
                    let at = begin + offset + it.start()..begin + offset + it.end();
                    let (what, sureness) = (form.what, form.sureness);
                    let leak = Leak { what, at, sureness, fingerprint: fingerprint(it.as_str()) };
                    let known = found.range(..leak.at.end).next_back();
                    match known.filter(|(_, known)| known.at.end > leak.at.start) {
                        Some((_, known)) if known.sureness >= sureness => {}
                        Some((start, _)) => {
                            let start = *start;
                            found.remove(&start);
                            found.insert(leak.at.start, leak);
                        }
                        None => drop(found.insert(leak.at.start, leak)),
                    }
                }
            }
        }
        begin += line.len();
    }
    found.into_values().collect()
}

/// A line in pieces that a pattern is looked for in, each with where it begins.
fn pieces(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let from = next?;
        let to = boundary(line, from + PIECE);
        next = (to < line.len()).then(|| boundary(line, to - OVERLAP));
        Some((from, &line[from..to]))
    })
}

/// The last place at or before `at` where a letter begins.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn fingerprint(credential: &str) -> String {
    let hash = digest::digest(&digest::SHA256, credential.as_bytes());
    let first = hash.as_ref()[..6].iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    format!("{first:012x}")
}

fn has_our_checksum(text: &str) -> bool {
    let (signed, letters) = text.split_at(text.len() - 6);
    letters.as_bytes() == checksum(signed)
}

/// Documentation has examples of credentials, which say so or repeat one letter.
fn is_no_example(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let says_so = ["example", "xxxx", "placeholder", "redacted", "your", "dummy", "sample"];
    !says_so.iter().any(|word| lower.contains(word))
        && !lower.as_bytes().windows(6).any(|six| six.iter().all(|byte| *byte == six[0]))
}

/// Has letters of both cases or several digits, and is no word, number or path that people wrote.
fn looks_random(text: &str) -> bool {
    let count = |of: fn(&u8) -> bool| text.bytes().filter(of).count();
    let (digits, upper) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let lower = count(u8::is_ascii_lowercase);
    let mixed = digits > 1 || digits == 1 && upper > 0 && lower > 0;
    let few_repeat = distinct(text) * 8 >= text.len().min(40) * 5;
    is_no_example(text)
        && upper + lower > 0
        && mixed
        && few_repeat
        && text.matches(['.', '/', '-', '_']).count() * 6 <= text.len()
}

/// How many different letters a text has.
fn distinct(text: &str) -> usize {
    text.bytes().collect::<BTreeSet<u8>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made here, so that no file of the project holds what looks like a credential.
    fn random(letters: usize) -> String {
        let mut state = 0x1234_5678_9abc_def0u64;
        (0..letters)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                char::from(checksum::BASE62[(state % 62) as usize])
            })
            .collect()
    }

    fn found(text: &str) -> Vec<(&'static str, Sureness, String)> {
        let leaks = leaks(text).into_iter();
        leaks.map(|leak| (leak.what, leak.sureness, text[leak.at].to_owned())).collect()
    }

    #[test]
    fn each_form_is_found_where_it_stands() {
        let token = format!("qc_sandbox_{}", random(38));
        let ours = format!("{token}{}", String::from_utf8_lossy(&checksum(&token)));
        let upper: String = random(80).to_ascii_uppercase().replace(['0', '1', '8', '9'], "Q");
        for (what, credential) in [
            ("a token of QuickConnect", ours),
            ("an access key of AWS", format!("AKIA{}", &upper[..16])),
            ("an access token of GitHub", format!("ghp_{}", random(36))),
            ("an access token of GitHub", format!("github_pat_{}_{}", random(22), random(59))),
            ("an access token of GitLab", format!("glpat-{}", random(20))),
            ("a token of Slack", format!("xoxb-{}", random(30))),
            ("a secret key of Stripe", format!("sk_live_{}", random(24))),
            ("a webhook secret", format!("whsec_{}", random(32))),
            ("an API key of Google", format!("AIza{}", random(35))),
            ("an API key of SendGrid", format!("SG.{}.{}", random(22), random(43))),
            ("an access token of npm", format!("npm_{}", random(36))),
            ("a token of Vault", format!("hvs.{}", random(24))),
        ] {
            let text = format!("a: 1\nbß: {{\"key\": \"{credential}\"}} # here\n");
            assert_eq!(found(&text), [(what, Sureness::Sure, credential)]);
        }
        let key = format!("key: |\n  -----BEGIN {} KEY-----\n  {}\n", "EC PRIVATE", random(64));
        assert_eq!(found(&key)[0].0, "a private key");
        let secret = random(24);
        let text = format!("amqp://qc:{secret}@broker:5672\nCLIENT_SECRET={secret}\n");
        assert_eq!(found(&text).len(), 2);
        assert!(
            found(&text).iter().all(|(_, sure, text)| *sure == Sureness::Likely && *text == secret)
        );
    }

    #[test]
    fn what_is_none_is_left_alone() {
        for text in [
            "secret: secret://crm/webhook",
            "password: ${vars.password_of_the_day_1}",
            "postgres://qc:password@localhost/qc",
            "api_key: your-api-key-goes-here-123",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_000000000000000000000000000000000000",
            "access_token: application/vnd.github.v3+json",
            "private_key: contracts/keys/2024-01-01/id.pem",
            "qc_sandbox_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_credential_in_a_very_long_line_is_found_once() {
        let credential = format!("ghp_{}", random(36));
        for before in [PIECE - 20, PIECE - OVERLAP, PIECE, 3 * PIECE - 30] {
            let text = format!("{}{credential} {}", "ä ".repeat(before / 3), " ".repeat(PIECE));
            assert_eq!(found(&text).len(), 1, "{before}");
        }
    }
}
