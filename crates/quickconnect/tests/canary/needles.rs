//! What must come out nowhere, and the forms in which it could.

use std::fmt::Write;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;
use url::form_urlencoded;

/// A planted value.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    /// Where it was planted.
    pub(crate) what: String,
    /// Whether it may be where payloads are shown or stored.
    payload: bool,
    spellings: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    pub(crate) fn new(what: &str, value: &str) -> Self {
        let json = Value::from(value).to_string();
        let json = &json[1..json.len() - 1];
        let twice = Value::from(json).to_string();
        let debug = format!("{value:?}");
        let percent = percent_encode(value.as_bytes(), NON_ALPHANUMERIC).to_string();
        let hex = value.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let mut spellings = vec![
            ("plain", value.as_bytes().to_vec()),
            ("in JSON", json.as_bytes().to_vec()),
            ("in JSON in JSON", twice.as_bytes()[1..twice.len() - 1].to_vec()),
            ("in Rust's debug form", debug.as_bytes()[1..debug.len() - 1].to_vec()),
            ("percent-encoded", percent.to_ascii_lowercase().into_bytes()),
            ("percent-encoded", percent.into_bytes()),
            (
                "in a form",
                form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().into(),
            ),
            ("in hexadecimal", hex.into_bytes()),
        ];
        // At each of the three places of a group at which it may begin; without what its neighbours change.
        for skip in 0..3 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let rest = &value.as_bytes()[skip..];
                let whole = rest.len() / 3 * 3;
                spellings.push(("in base64", engine.encode(&rest[..whole]).into_bytes()));
            }
        }
        spellings.push(("in base64", STANDARD.encode(value).into_bytes()));
        spellings.sort_by(|a, b| a.1.cmp(&b.1));
        spellings.dedup_by(|a, b| a.1 == b.1);
        Self { what: what.to_owned(), payload: false, spellings }
    }

    /// How it stands in these bytes, and what stands around it.
    pub(crate) fn found(&self, hay: &[u8]) -> Option<String> {
        self.spellings.iter().find_map(|(how, needle)| {
            let at = memmem::find(hay, needle)?;
            let around = &hay[at.saturating_sub(160)..(at + needle.len() + 80).min(hay.len())];
            Some(format!("{how}: …{}…", String::from_utf8_lossy(around)))
        })
    }
}

/// Everything that was looked through, and what was found.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) canaries: Vec<Canary>,
    looked: usize,
    hits: Vec<String>,
}

impl Search {
    pub(crate) fn plant(&mut self, what: &str, value: &str) {
        self.canaries.push(Canary::new(what, value));
    }

    /// Plants something personal: it may be where payloads are.
    pub(crate) fn plant_personal(&mut self, what: &str, value: &str) {
        self.canaries.push(Canary { payload: true, ..Canary::new(what, value) });
    }

    /// Looks for all of them.
    pub(crate) fn look(&mut self, place: &str, hay: impl AsRef<[u8]>) {
        self.look_for(place, hay.as_ref(), |_| true);
    }

    /// Looks through what shows or stores payloads.
    pub(crate) fn look_at_payload(&mut self, place: &str, hay: impl AsRef<[u8]>) {
        self.look_for(place, hay.as_ref(), |canary| !canary.payload);
    }

    fn look_for(&mut self, place: &str, hay: &[u8], which: impl Fn(&Canary) -> bool) {
        self.looked += 1;
        for canary in self.canaries.iter().filter(|canary| which(canary)) {
            if let Some(how) = canary.found(hay) {
                self.hits.push(format!("{} is in {place}, {how}", canary.what));
            }
        }
    }

    /// Nothing may have been found, in at least so many places.
    pub(crate) fn ends(self, least: usize) {
        assert!(self.looked >= least, "only {} places were looked through", self.looked);
        assert!(self.hits.is_empty(), "{} hits:\n{}", self.hits.len(), self.hits.join("\n"));
    }
}
