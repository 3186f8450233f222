//! Rules for all integrations of the organisation.

use std::time::Duration;

use qc_version::Naming;

use crate::shape::{Fields, Integer, Record, Spanned};

/// How versions live.
#[derive(Debug, Clone)]
pub struct Versioning {
    /// How versions of contracts are named, where their file does not say it.
    pub naming: Option<Naming>,
    /// How many major versions are served side by side.
    pub supported_majors: Option<Integer<1, 10>>,
    /// How long a deprecated version still answers at least.
    pub minimum_support: Option<Duration>,
    /// Who has not used a version or a field for so long does not use it any more.
    pub quiet: Option<Duration>,
    /// How changes are weighed.
    pub profile: Option<Spanned<String>>,
}

/// How long before a change it is announced.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Before a breaking change.
    pub breaking: Option<Duration>,
    /// Before a version is retired.
    pub retirement: Option<Duration>,
}

/// How often credentials are renewed.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// API keys and tokens.
    pub api_keys: Option<Duration>,
    /// OAuth client secrets.
    pub oauth_clients: Option<Duration>,
    /// Secrets of webhook signatures.
    pub webhook_secrets: Option<Duration>,
}

/// The event bus.
#[derive(Debug, Clone)]
pub struct Events {
    /// How long events are kept for those who listen or subscribe.
    pub retention: Option<Duration>,
}

impl Record for Events {
    const NAME: &'static str = "events";
    const DOC: &'static str = "The event bus of each tenant and environment.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let retention = f.optional(
            "retention",
            "How long events are kept for those who listen or subscribe; 7d when left out.",
        );
        Some(Self { retention })
    }
}

impl Record for Versioning {
    const NAME: &'static str = "versioning";
    const DOC: &'static str = "How versions live.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let naming = f.optional(
            "naming",
            "How versions of contracts are named: `semver` (when left out), `date` or `both`.",
        );
        let supported_majors = f.optional(
            "supported_majors",
            "How many major versions of a contract are served side by side without an end.",
        );
        let minimum_support =
            f.optional("minimum_support", "How long a deprecated version still answers at least.");
        let quiet = f.optional(
            "quiet",
            "Who has not spoken a version or sent a field for so long does not use it any more; 30d when left out.",
        );
        let profile = f.optional(
            "profile",
            "How the gate weighs changes: `default` (when left out), `strict`, `lenient`, or a file of the project.",
        );
        Some(Self { naming, supported_majors, minimum_support, quiet, profile })
    }
}

impl Record for Notice {
    const NAME: &'static str = "notice";
    const DOC: &'static str = "How long before a change it is announced.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let breaking = f.optional("breaking", "Notice before a breaking change.");
        let retirement = f.optional("retirement", "Notice before a version is retired.");
        Some(Self { breaking, retirement })
    }
}

impl Record for Rotation {
    const NAME: &'static str = "rotation";
    const DOC: &'static str = "How often credentials are renewed.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let api_keys = f.optional("api_keys", "API keys and tokens.");
        let oauth_clients = f.optional("oauth_clients", "OAuth client secrets.");
        let webhook_secrets = f.optional("webhook_secrets", "Secrets of webhook signatures.");
        Some(Self { api_keys, oauth_clients, webhook_secrets })
    }
}
