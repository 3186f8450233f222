//! The vendors' own spellings. A row is a limit; a vendor with several limits has several rows.

/// How long a row's window is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Per {
    /// It is not said; it can be seen when it begins anew.
    Unknown,
    /// Always so many seconds.
    Seconds(u64),
    /// This field has it, in milliseconds.
    Millis(&'static str),
    /// This field has it, in seconds.
    Field(&'static str),
}

/// One limit in a vendor's spelling. Of several names the first one counts that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) policy: &'static str,
    /// The field that names the limit, where one vendor has several under the same fields.
    pub(super) name: &'static [&'static str],
    pub(super) limit: &'static [&'static str],
    pub(super) remaining: &'static [&'static str],
    pub(super) reset: &'static [&'static str],
    pub(super) per: Per,
    /// The field with `used/limit`, after this key if it has one.
    pub(super) used_of: Option<&'static str>,
    pub(super) key: &'static str,
}

const NONE: Row = Row {
    policy: "",
    name: &[],
    limit: &[],
    remaining: &[],
    reset: &[],
    per: Per::Unknown,
    used_of: None,
    key: "",
};

pub(super) const ROWS: &[Row] = &[
    // The spelling of most: GitHub (with a resource), Discord (with a bucket), GitLab, Atlassian, Intercom, Okta, X.
    Row {
        name: &["x-ratelimit-resource", "x-ratelimit-bucket"],
        limit: &["x-ratelimit-limit", "x-rate-limit-limit", "x-rate-limit"],
        remaining: &["x-ratelimit-remaining", "x-rate-limit-remaining"],
        reset: &[
            "x-ratelimit-reset-after",
            "x-ratelimit-reset",
            "x-rate-limit-reset",
            "x-ratelimit-reset-in",
            "ratelimit-reset",
        ],
        per: Per::Field("x-ratelimit-interval-seconds"),
        ..NONE
    },
    // Kong's, and those of the gateways that took it over.
    Row {
        policy: "second",
        limit: &["x-ratelimit-limit-second"],
        remaining: &["x-ratelimit-remaining-second"],
        per: Per::Seconds(1),
        ..NONE
    },
    Row {
        policy: "minute",
        limit: &["x-ratelimit-limit-minute"],
        remaining: &["x-ratelimit-remaining-minute"],
        per: Per::Seconds(60),
        ..NONE
    },
    Row {
        policy: "hour",
        limit: &["x-ratelimit-limit-hour"],
        remaining: &["x-ratelimit-remaining-hour"],
        per: Per::Seconds(3_600),
        ..NONE
    },
    Row {
        policy: "day",
        limit: &["x-ratelimit-limit-day"],
        remaining: &["x-ratelimit-remaining-day"],
        per: Per::Seconds(86_400),
        ..NONE
    },
    // OpenAI's: calls only, tokens are another unit.
    Row {
        policy: "requests",
        limit: &["x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"],
        remaining: &["x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining"],
        reset: &["x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset"],
        ..NONE
    },
    // Linear's.
    Row {
        policy: "requests",
        limit: &["x-ratelimit-requests-limit"],
        remaining: &["x-ratelimit-requests-remaining"],
        reset: &["x-ratelimit-requests-reset"],
        ..NONE
    },
    // HubSpot's: a short window and a day.
    Row {
        policy: "hubspot",
        limit: &["x-hubspot-ratelimit-max"],
        remaining: &["x-hubspot-ratelimit-remaining"],
        per: Per::Millis("x-hubspot-ratelimit-interval-milliseconds"),
        ..NONE
    },
    Row {
        policy: "hubspot-daily",
        limit: &["x-hubspot-ratelimit-daily"],
        remaining: &["x-hubspot-ratelimit-daily-remaining"],
        per: Per::Seconds(86_400),
        ..NONE
    },
    // Shopify's: a bucket that leaks.
    Row { policy: "shopify", used_of: Some("x-shopify-shop-api-call-limit"), ..NONE },
    // Salesforce's: so many calls in any 24 hours.
    Row {
        policy: "salesforce",
        used_of: Some("sforce-limit-info"),
        key: "api-usage=",
        per: Per::Seconds(86_400),
        ..NONE
    },
    // Xero's.
    Row {
        policy: "xero-minute",
        remaining: &["x-minlimit-remaining"],
        per: Per::Seconds(60),
        ..NONE
    },
    Row {
        policy: "xero-day",
        remaining: &["x-daylimit-remaining"],
        per: Per::Seconds(86_400),
        ..NONE
    },
    // Azure Resource Manager's.
    Row {
        policy: "azure-reads",
        remaining: &["x-ms-ratelimit-remaining-subscription-reads"],
        ..NONE
    },
    Row {
        policy: "azure-writes",
        remaining: &["x-ms-ratelimit-remaining-subscription-writes"],
        ..NONE
    },
];

/// A whole number; a fraction is cut off, as what is left of a call is none.
pub(super) fn integer(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(part) && whole.len() <= 18).then(|| whole.parse().ok()).flatten()
}

/// `32/40`, after a key if it has one.
pub(super) fn used(text: &str, key: &str) -> Option<(u64, u64)> {
    let pair = text.split([';', ',']).find_map(|one| one.trim().strip_prefix(key))?;
    let (used, of) = pair.split_once('/')?;
    Some((integer(used)?, integer(of)?))
}
