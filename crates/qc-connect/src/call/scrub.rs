//! Takes secrets that were sent out of what came back: whole bodies, and bodies that pass by in chunks.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use memchr::memmem::Finder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qc_model::BodyStream;
use qc_vault::Secret;
use serde_json::Value;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::substitute::MASK;

/// Shorter values are not looked for in what comes back.
const SHORTEST_SCRUBBED: usize = 6;

/// Takes the secrets that were sent out of a body that came back: some systems echo what they get, and nothing that
/// is stored may hold a secret. None when there is nothing to take out.
pub(super) fn scrub(body: &[u8], exposed: &[Secret]) -> Option<Vec<u8>> {
    without(body, needles(exposed))
}

/// The same, however short the secrets are and whatever of the body that breaks: for what only people look at.
pub(super) fn scrub_wholly(body: &[u8], exposed: &[Secret]) -> Option<Vec<u8>> {
    let there = exposed.iter().filter(|secret| !secret.expose().is_empty());
    without(body, there.flat_map(|secret| spellings(secret.expose())))
}

fn without(body: &[u8], needles: impl Iterator<Item = Zeroizing<String>>) -> Option<Vec<u8>> {
    let mut scrubbed: Option<Vec<u8>> = None;
    for needle in needles {
        let hay = scrubbed.as_deref().unwrap_or(body);
        if let Some(clean) = replace_all(hay, needle.as_bytes()) {
            scrubbed = Some(clean);
        }
    }
    scrubbed
}

/// The same for a body that passes by: what comes out is what [`scrub`] makes of the whole.
pub(super) fn scrubbed(body: BodyStream, exposed: &[Secret]) -> BodyStream {
    let scrubber = Scrubber::new(exposed);
    if scrubber.stages.is_empty() {
        return body;
    }
    Box::pin(stream::unfold(Some((body, scrubber)), |state| async move {
        let (mut body, mut scrubber) = state?;
        loop {
            let clean = match body.next().await {
                Some(Ok(chunk)) => scrubber.take(&chunk),
                Some(Err(error)) => return Some((Err(error), None)),
                None => {
                    let rest = scrubber.finish();
                    return (!rest.is_empty()).then(|| (Ok(rest.into()), None));
                }
            };
            if !clean.is_empty() {
                return Some((Ok(Bytes::from(clean)), Some((body, scrubber))));
            }
        }
    }))
}

/// All that is looked for.
fn needles(exposed: &[Secret]) -> impl Iterator<Item = Zeroizing<String>> {
    // Very short values would hit by chance and break the body.
    let long = exposed.iter().filter(|secret| secret.expose().len() >= SHORTEST_SCRUBBED);
    long.flat_map(|secret| spellings(secret.expose()))
}

/// A value as it is, and as it comes back in JSON, in a text of JSON within JSON, in a URL, in a form, and in base64.
fn spellings(value: &str) -> Vec<Zeroizing<String>> {
    let json = |text: &str| {
        let json = Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    };
    let once = json(value);
    let mut all = vec![
        value.to_owned(),
        json(&once),
        once,
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        form_urlencoded::byte_serialize(value.as_bytes()).collect(),
        STANDARD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

fn replace_all(hay: &[u8], needle: &[u8]) -> Option<Vec<u8>> {
    let finder = Finder::new(needle);
    let mut found = finder.find_iter(hay).peekable();
    found.peek()?;
    let mut clean = Vec::with_capacity(hay.len());
    let mut from = 0;
    for at in found {
        clean.extend_from_slice(&hay[from..at]);
        clean.extend_from_slice(MASK.as_bytes());
        from = at + needle.len();
    }
    clean.extend_from_slice(&hay[from..]);
    Some(clean)
}

/// One pass for each thing that is looked for, in the order of [`scrub`].
struct Scrubber {
    stages: Vec<Stage>,
}

impl Scrubber {
    fn new(exposed: &[Secret]) -> Self {
        let stages = needles(exposed).map(|needle| Stage { needle, held: Zeroizing::default() });
        Self { stages: stages.collect() }
    }

    fn take(&mut self, chunk: &[u8]) -> Vec<u8> {
        let chunk = chunk.to_vec();
        self.stages.iter_mut().fold(chunk, |chunk, stage| stage.pass(chunk, false))
    }

    fn finish(&mut self) -> Vec<u8> {
        self.stages.iter_mut().fold(Vec::new(), |rest, stage| stage.pass(rest, true))
    }
}

struct Stage {
    needle: Zeroizing<String>,
    /// The end of what came so far, in which the needle may begin: shorter than the needle.
    held: Zeroizing<Vec<u8>>,
}

impl Stage {
    /// What is certain after a further chunk; all of it after the last one.
    fn pass(&mut self, chunk: Vec<u8>, last: bool) -> Vec<u8> {
        let mut hay = std::mem::take(&mut *self.held);
        if hay.is_empty() {
            hay = chunk;
        } else {
            hay.extend_from_slice(&chunk);
        }
        let finder = Finder::new(self.needle.as_bytes());
        let mut clean = Vec::with_capacity(hay.len());
        let mut from = 0;
        for at in finder.find_iter(&hay) {
            clean.extend_from_slice(&hay[from..at]);
            clean.extend_from_slice(MASK.as_bytes());
            from = at + self.needle.len();
        }
        let open = if last { 0 } else { self.needle.len() - 1 };
        let certain = hay.len().saturating_sub(open).max(from);
        clean.extend_from_slice(&hay[from..certain]);
        self.held = Zeroizing::new(hay.split_off(certain));
        clean
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, TryStreamExt};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_found_in_all_their_spellings() {
        let exposed = [Secret::new("p\"ss w/rd"), Secret::new("tiny")];
        let body = br#"{"a":"p\"ss w/rd","b":"p%22ss%20w%2Frd","c":"p%22ss+w%2Frd","d":"cCJzcyB3L3Jk","e":"tiny","f":"{\"a\":\"p\\\"ss w/rd\"}"}"#;
        let clean = scrub(body, &exposed).unwrap();
        let expected =
            br#"{"a":"***","b":"***","c":"***","d":"***","e":"tiny","f":"{\"a\":\"***\"}"}"#;
        assert_eq!(String::from_utf8_lossy(&clean), String::from_utf8_lossy(expected));
        assert_eq!(scrub(b"nothing here", &exposed), None);
    }

    /// What comes out of a body that passes by in chunks of these lengths.
    fn passed_by(body: &[u8], lengths: &[usize], exposed: &[Secret]) -> Vec<u8> {
        let mut rest = body;
        let mut chunks = Vec::new();
        for length in lengths.iter().cycle().take(body.len() + lengths.len()) {
            let (chunk, after) = rest.split_at((*length).min(rest.len()));
            chunks.push(Ok(Bytes::copy_from_slice(chunk)));
            rest = after;
        }
        chunks.push(Ok(Bytes::copy_from_slice(rest)));
        let clean = scrubbed(Box::pin(stream::iter(chunks)), exposed);
        clean.try_collect::<Vec<_>>().now_or_never().unwrap().unwrap().concat()
    }

    proptest! {
        #[test]
        fn no_secret_survives_wherever_it_stands(
            before in "[a-c]{0,12}", secret in "[a-c]{6,9}", between in "[a-c]{0,3}", after in "[a-c]{0,12}",
        ) {
            let body = format!("{before}{secret}{between}{secret}{after}");
            let clean = scrub(body.as_bytes(), &[Secret::new(secret.clone())]).unwrap();
            let clean = String::from_utf8(clean).unwrap();
            prop_assert!(!clean.contains(&secret), "{clean}");
            prop_assert!(clean.contains(MASK));
        }

        /// Few letters, so that secrets overlap themselves, each other, and what is put in their places.
        #[test]
        fn chunks_are_scrubbed_like_the_whole(
            parts in proptest::collection::vec("[ab*]{0,9}", 0..8),
            secrets in proptest::collection::vec("[ab*\"]{6,9}", 0..3),
            order in proptest::collection::vec(0usize..5, 0..8),
            lengths in proptest::collection::vec(0usize..12, 1..5),
        ) {
            let exposed: Vec<Secret> = secrets.iter().map(|text| Secret::new(text.clone())).collect();
            let mut body = parts.concat();
            for which in order {
                let told: Vec<_> = secrets.iter().flat_map(|secret| spellings(secret)).collect();
                if let Some(needle) = told.get(which) {
                    body.push_str(needle);
                    body.push_str(parts.first().map_or("a", String::as_str));
                }
            }
            let body = body.into_bytes();
            let whole = scrub(&body, &exposed).unwrap_or_else(|| body.clone());
            let chunked = passed_by(&body, &lengths, &exposed);
            prop_assert_eq!(String::from_utf8_lossy(&chunked), String::from_utf8_lossy(&whole));
        }
    }
}
