//! Systems that limit their callers, in virtual time: how they count, and what they tell.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderName, HeaderValue};
use qc_model::Timestamp;

/// 2026-11-22T14:40:00Z, in milliseconds.
pub(crate) const BEGIN: i64 = 1_795_358_400_000;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN + millis)
}

/// How a system counts. Times are milliseconds since the beginning.
#[derive(Debug, Clone)]
pub(crate) enum Counts {
    /// So many in each window.
    Fixed { limit: u64, per: i64, window: i64, used: u64 },
    /// So many in any span of this length.
    Sliding { limit: u64, per: i64, log: VecDeque<i64> },
    /// A bucket of this size that leaks so many per second; each call costs so much.
    Bucket { size: f64, leak: f64, cost: f64, level: f64, at: i64 },
    /// So many at the same time.
    Concurrent { limit: u64 },
}

impl Counts {
    pub(crate) fn fixed(limit: u64, per: i64) -> Self {
        Self::Fixed { limit, per, window: -1, used: 0 }
    }

    pub(crate) fn sliding(limit: u64, per: i64) -> Self {
        Self::Sliding { limit, per, log: VecDeque::new() }
    }

    pub(crate) fn bucket(size: f64, leak: f64, cost: f64) -> Self {
        Self::Bucket { size, leak, cost, level: 0.0, at: 0 }
    }

    /// How many calls per second it lets through at most.
    pub(crate) fn allowed(&self, latency: i64) -> f64 {
        let float = |one: i64| f64::from(i32::try_from(one).unwrap());
        let limit = |one: u64| f64::from(u32::try_from(one).unwrap());
        match self {
            Self::Fixed { limit: one, per, .. } | Self::Sliding { limit: one, per, .. } => {
                limit(*one) * 1_000.0 / float(*per)
            }
            Self::Bucket { leak, cost, .. } => leak / cost,
            Self::Concurrent { limit: one } => limit(*one) * 1_000.0 / float(latency),
        }
    }

    /// Takes a call, or refuses it. What others take of it besides costs `others` each time.
    pub(crate) fn take(&mut self, now: i64, in_flight: u64) -> bool {
        match self {
            Self::Fixed { limit, per, window, used } => {
                if *window != now / *per {
                    (*window, *used) = (now / *per, 0);
                }
                let fits = *used < *limit;
                *used += u64::from(fits);
                fits
            }
            Self::Sliding { limit, per, log } => {
                while log.front().is_some_and(|first| *first <= now - *per) {
                    log.pop_front();
                }
                let fits = (log.len() as u64) < *limit;
                if fits {
                    log.push_back(now);
                }
                fits
            }
            Self::Bucket { size, leak, cost, level, at } => {
                let passed = f64::from(i32::try_from(now - *at).unwrap());
                (*level, *at) = ((*level - passed * *leak / 1_000.0).max(0.0), now);
                let fits = *level + *cost <= *size;
                *level += if fits { *cost } else { 0.0 };
                fits
            }
            Self::Concurrent { limit } => in_flight < *limit,
        }
    }

    /// What is allowed, what is left, until more is there, and how long the window is, in milliseconds.
    fn facts(&self, now: i64, in_flight: u64) -> (u64, u64, i64, i64) {
        match self {
            Self::Fixed { limit, per, used, .. } => (*limit, limit - used, per - now % per, *per),
            Self::Sliding { limit, per, log } => (*limit, limit - log.len() as u64, *per, *per),
            Self::Bucket { size, leak, level, .. } => {
                let whole = |one: f64| one.max(0.0) as u64;
                (whole(*size), whole(size - level), (level / leak * 1_000.0) as i64, 0)
            }
            Self::Concurrent { limit } => (*limit, limit.saturating_sub(in_flight), 0, 0),
        }
    }
}

/// What a system tells of its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tells {
    Nothing,
    /// Only when it refuses: how long to wait.
    RetryAfter,
    /// The draft's present form.
    Standard,
    /// `RateLimit: limit=…, remaining=…, reset=…`.
    Dictionary,
    /// Three fields of the first drafts, with the window's length.
    Three,
    /// `X-RateLimit-*` with the reset in seconds since 1970.
    Epoch,
    /// `X-RateLimit-*` with the reset in seconds.
    Delay,
    /// `X-RateLimit-Limit-Minute` and its kin.
    Minute,
    /// `40/80` of a bucket.
    Shopify,
    /// Ten times as much as it allows.
    Lies,
    /// A wait of many years.
    Absurd,
}

impl Tells {
    pub(crate) fn headers(
        self,
        counts: &Counts,
        now: i64,
        in_flight: u64,
        refused: bool,
    ) -> HeaderMap {
        let (limit, left, reset, per) = counts.facts(now, in_flight);
        let seconds = (reset + 999) / 1_000;
        let (per_s, epoch) = (per / 1_000, (BEGIN + now + reset) / 1_000);
        let fields: Vec<(&str, String)> = match self {
            Self::RetryAfter if refused => vec![("retry-after", seconds.max(1).to_string())],
            Self::Nothing | Self::RetryAfter => vec![],
            Self::Standard => vec![
                ("ratelimit-policy", format!("\"p\";q={limit};w={per_s}")),
                ("ratelimit", format!("\"p\";r={left};t={seconds}")),
            ],
            Self::Dictionary => {
                vec![("ratelimit", format!("limit={limit}, remaining={left}, reset={seconds}"))]
            }
            Self::Three => vec![
                ("ratelimit-limit", format!("{limit}, {limit};w={per_s}")),
                ("ratelimit-remaining", left.to_string()),
                ("ratelimit-reset", seconds.to_string()),
            ],
            Self::Epoch | Self::Delay => vec![
                ("x-ratelimit-limit", limit.to_string()),
                ("x-ratelimit-remaining", left.to_string()),
                (
                    "x-ratelimit-reset",
                    if self == Self::Epoch { epoch.to_string() } else { seconds.to_string() },
                ),
            ],
            Self::Minute => vec![
                ("x-ratelimit-limit-minute", limit.to_string()),
                ("x-ratelimit-remaining-minute", left.to_string()),
            ],
            Self::Shopify => {
                vec![("x-shopify-shop-api-call-limit", format!("{}/{limit}", limit - left))]
            }
            Self::Lies => vec![
                ("x-ratelimit-limit", (limit * 10).to_string()),
                ("x-ratelimit-remaining", (limit * 9).to_string()),
                ("x-ratelimit-reset", seconds.to_string()),
            ],
            Self::Absurd if refused => vec![("retry-after", "999999999999999".to_owned())],
            Self::Absurd => vec![("x-ratelimit-remaining", "99999999999999999999".to_owned())],
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        headers
    }
}
