//! What an answer's header fields say of its sender's limits: one reader for all spellings. The vendors' are a table.
//!
//! Malformed fields are ignored, as the IETF's draft wants it, and absurd values bounded: nothing that another system says
//! stops calls for longer than a day.

mod fields;
mod moment;
mod table;

use std::time::Duration;

use http::HeaderMap;
use qc_model::Timestamp;

use fields::{Bare, Item};
pub use moment::LONGEST_PAUSE;
use table::{ROWS, Row};

/// The most windows that are taken from one answer.
pub const WINDOWS_MAX: usize = 8;
/// A limit beyond this says nothing.
const LIMIT_MAX: u64 = 1_000_000_000;
/// The longest window that counts: 31 days.
const PER_MAX: Duration = Duration::from_secs(31 * 86_400);

/// What an answer says of limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// How long nothing is to be sent.
    pub retry_after: Option<Duration>,
    /// When more is there of a limit of which nothing is left, or of which only that is said.
    pub reset: Option<Duration>,
    /// The limits that it names, each once.
    pub windows: Vec<Window>,
}

/// In which unit a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Calls, or points that calls cost.
    Calls,
    /// Calls at the same time.
    Concurrent,
}

/// One limit, as far as the answer tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its name, if it has one.
    pub policy: String,
    /// What it counts.
    pub unit: Unit,
    /// How much is allowed in the window.
    pub limit: Option<u64>,
    /// How much is left of it.
    pub remaining: Option<u64>,
    /// When more is there.
    pub reset: Option<Duration>,
    /// How long the window is.
    pub per: Option<Duration>,
}

impl Window {
    fn named(policy: &str) -> Self {
        let policy = policy.chars().take(64).collect();
        Self { policy, unit: Unit::Calls, limit: None, remaining: None, reset: None, per: None }
    }

    /// Whether it says anything that a pace follows from, and nothing that cannot be.
    fn is_sound(&self) -> bool {
        let bounded = self.limit.is_none_or(|limit| limit > 0 && limit <= LIMIT_MAX)
            && self.per.is_none_or(|per| !per.is_zero() && per <= PER_MAX);
        bounded && (self.remaining.is_some() || (self.limit.is_some() && self.per.is_some()))
    }
}

impl Said {
    /// How long the other side asks to wait: `Retry-After` first, then the reset of a limit of which nothing is left.
    pub fn pause(&self) -> Option<Duration> {
        self.retry_after.or(self.reset)
    }

    /// Whether a limit has nothing left.
    pub fn exhausted(&self) -> bool {
        self.windows.iter().any(|one| one.remaining == Some(0))
    }
}

/// What header fields say of limits.
pub fn said(headers: &HeaderMap, now: Timestamp) -> Said {
    let mut windows = standard(headers, now);
    if windows.is_empty() {
        for row in ROWS {
            let found = row_of(row, headers, now);
            let new = found.filter(|one| windows.iter().all(|there| there.policy != one.policy));
            windows.extend(new);
        }
    }
    let used_up = windows.iter().filter(|one| one.remaining.is_none_or(|left| left == 0));
    let reset = used_up.filter_map(|one| one.reset).max();
    windows.retain(Window::is_sound);
    windows.truncate(WINDOWS_MAX);
    Said { retry_after: retry_after(headers, now), reset, windows }
}

/// `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), or in milliseconds as some vendors have it.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"].iter();
    let millis = millis.filter_map(|name| text(headers, name)).find_map(moment::number);
    if let Some(millis) = millis {
        return moment::seconds(millis / 1_000.0);
    }
    // Seconds since 1970 are no delay, and long ones are cut, not read as such.
    let text = text(headers, "retry-after")?;
    moment::number(text).map_or_else(|| moment::date(text, now), moment::seconds)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// All fields of a name as one, as lists may be split over several.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let all: Option<Vec<&str>> =
        headers.get_all(name).iter().take(16).map(|one| one.to_str().ok()).collect();
    all.filter(|all| !all.is_empty()).map(|all| all.join(", "))
}

/// The fields of the IETF's draft, in its present form and its earlier ones.
fn standard(headers: &HeaderMap, now: Timestamp) -> Vec<Window> {
    let mut windows = policies(headers);
    let Some(field) = joined(headers, "ratelimit") else { return three(headers, now, windows) };
    if let Some(limits) = fields::list(&field) {
        for item in limits {
            let Bare::Text(name) = &item.bare else { continue };
            let Some(remaining) = item.parameter("r").and_then(Bare::number) else { continue };
            let window = entry(&mut windows, name);
            window.remaining = Some(remaining);
            window.reset = item.parameter("t").and_then(Bare::number).map(whole);
        }
        if windows.iter().any(|one| one.remaining.is_some()) {
            return windows;
        }
    }
    // `limit=100, remaining=50, reset=5`.
    if let Some(members) = fields::dictionary(&field) {
        let of = |name: &str| members.iter().rev().find(|(key, _)| key == name)?.1.bare.number();
        if let Some(remaining) = of("remaining") {
            let limit = of("limit");
            let per = limit.and_then(|limit| per_of(&windows, limit));
            windows.retain(|one| limit.is_none() || one.limit != limit);
            let window = entry(&mut windows, "");
            (window.remaining, window.reset) = (Some(remaining), of("reset").map(whole));
            (window.limit, window.per) = (limit, window.per.or(per));
        }
    }
    windows
}

fn entry<'a>(windows: &'a mut Vec<Window>, name: &str) -> &'a mut Window {
    let at = windows.iter().position(|one| one.policy == name).unwrap_or_else(|| {
        windows.push(Window::named(name));
        windows.len() - 1
    });
    &mut windows[at]
}

fn whole(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_PAUSE)
}

/// `RateLimit-Policy`: names with `q` and `w`, or quotas alone with `w` as it was before.
fn policies(headers: &HeaderMap) -> Vec<Window> {
    let Some(items) = joined(headers, "ratelimit-policy").and_then(|text| fields::list(&text))
    else {
        return Vec::new();
    };
    let mut windows = Vec::new();
    for item in items.iter().take(WINDOWS_MAX) {
        let (name, limit) = match &item.bare {
            Bare::Text(name) => (name.clone(), item.parameter("q").and_then(Bare::number)),
            Bare::Number(limit) => (format!("{limit}"), Some(*limit)),
            Bare::Other => continue,
        };
        let unit = match item.parameter("qu") {
            None => Unit::Calls,
            Some(Bare::Text(unit)) if unit == "requests" || unit == "request" => Unit::Calls,
            Some(Bare::Text(unit)) if unit == "concurrent-requests" => Unit::Concurrent,
            // Bytes pace no calls.
            Some(_) => continue,
        };
        let per = window_of(item);
        windows.push(Window { unit, limit, per, ..Window::named(&name) });
    }
    windows
}

fn window_of(item: &Item) -> Option<Duration> {
    item.parameter("w").and_then(Bare::number).map(Duration::from_secs)
}

fn per_of(windows: &[Window], limit: u64) -> Option<Duration> {
    windows.iter().find(|one| one.limit == Some(limit)).and_then(|one| one.per)
}

/// The three fields of the draft's first years: `RateLimit-Limit: 100, 100;w=60`, `-Remaining`, `-Reset`.
fn three(headers: &HeaderMap, now: Timestamp, mut windows: Vec<Window>) -> Vec<Window> {
    let limits = joined(headers, "ratelimit-limit").and_then(|text| fields::list(&text));
    let limits = limits.unwrap_or_default();
    let remaining = text(headers, "ratelimit-remaining").and_then(table::integer);
    let reset = text(headers, "ratelimit-reset").and_then(|text| moment::until(text, now));
    if remaining.is_none() && limits.is_empty() {
        // Some send the reset with fields of their own: their row reads it.
        return windows;
    }
    let limit = limits.first().and_then(|item| item.bare.number());
    let same = limits.iter().skip(1).find(|item| item.bare.number() == limit);
    let per = same.and_then(window_of).or_else(|| per_of(&windows, limit?));
    windows.retain(|one| limit.is_none() || one.limit != limit);
    windows.insert(0, Window { limit, remaining, reset, per, ..Window::named("") });
    windows
}

/// What a vendor's fields say.
fn row_of(row: &Row, headers: &HeaderMap, now: Timestamp) -> Option<Window> {
    let first = |names: &[&str]| names.iter().find_map(|name| text(headers, name));
    let (mut limit, mut remaining) = (first(row.limit).and_then(table::integer), None);
    if let Some(used) = row.used_of {
        let (taken, of) = table::used(text(headers, used)?, row.key)?;
        (limit, remaining) = (Some(of), Some(of.saturating_sub(taken)));
    }
    let remaining = remaining.or_else(|| first(row.remaining).and_then(table::integer));
    let reset = first(row.reset).and_then(|text| moment::until(text, now));
    if limit.is_none() && remaining.is_none() && reset.is_none() {
        return None;
    }
    let per = match row.per {
        table::Per::Unknown => None,
        table::Per::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        table::Per::Millis(name) => {
            text(headers, name).and_then(table::integer).map(Duration::from_millis)
        }
        table::Per::Field(name) => {
            text(headers, name).and_then(table::integer).map(Duration::from_secs)
        }
    };
    let name = first(row.name).unwrap_or(row.policy);
    Some(Window { limit, remaining, reset, per, ..Window::named(name) })
}

#[cfg(test)]
mod tests;
