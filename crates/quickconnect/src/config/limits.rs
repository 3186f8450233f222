//! The server's own limits: `NAME SCOPE RATE [burst N] [in ENVIRONMENT]`, by commas.

use std::time::Duration;

use qc_limit::{Excess, Measure, Quota, RULES_EACH, Rule, Scope};
use qc_model::Name;
use qc_server::ServerLimit;

/// All of them, or what is wrong with the first that cannot be kept.
pub(super) fn parse(text: &str) -> Result<Vec<ServerLimit>, String> {
    let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    let limits = texts.map(one).collect::<Result<Vec<_>, _>>()?;
    if limits.len() > RULES_EACH {
        return Err(format!("there are {} limits; at most {RULES_EACH} are kept", limits.len()));
    }
    for (at, limit) in limits.iter().enumerate() {
        if limits[..at].iter().any(|other| other.rule.name == limit.rule.name) {
            return Err(format!("the limit `{}` is there twice", limit.rule.name));
        }
    }
    Ok(limits)
}

fn one(text: &str) -> Result<ServerLimit, String> {
    let form = || {
        format!(
            "`{text}` is not `NAME SCOPE RATE [burst N] [in ENVIRONMENT]`, such as `each tenant 50/s burst 100 in production`; a scope is `gateway`, `tenant` or `token`"
        )
    };
    let mut words = text.split_whitespace();
    let mut word = || words.next();
    let name = word().and_then(|word| Name::new(word).ok()).ok_or_else(form)?;
    let (scope, protects) = match word().ok_or_else(form)? {
        "gateway" => (Scope::Gateway, "the server from all senders together"),
        "tenant" => (Scope::Tenant, "the other tenants from one of them"),
        "token" => (Scope::Token, "the other senders from one of them"),
        _ => return Err(form()),
    };
    let (count, per) = word().and_then(rate).ok_or_else(form)?;
    let (mut burst, mut environment) = (None, None);
    while let Some(key) = word() {
        match (key, word()) {
            ("burst", Some(number)) if burst.is_none() => {
                burst = Some(number.parse().map_err(|_| form())?);
            }
            ("in", Some(name)) if environment.is_none() => {
                environment = Some(Name::new(name).map_err(|_| form())?);
            }
            _ => return Err(form()),
        }
    }
    let quota = Quota::new(count, per, burst).map_err(|error| format!("`{text}`: {error}"))?;
    let rule = Rule {
        name: name.to_string(),
        scope,
        measure: Measure::Rate(quota),
        protects: protects.to_owned(),
        owner: None,
        excess: Excess::Reject,
    };
    Ok(ServerLimit { rule, environment })
}

fn rate(text: &str) -> Option<(u64, Duration)> {
    let (count, unit) = text.split_once('/')?;
    let per = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some((count.parse().ok()?, Duration::from_secs(per)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_what_is_wrong_is_said() {
        let limits =
            parse("whole gateway 2000/s, each tenant 50/s burst 100 in production").unwrap();
        assert_eq!(limits.len(), 2);
        assert_eq!(limits[0].rule.scope, Scope::Gateway);
        assert_eq!(
            limits[1].environment.as_ref().map(qc_model::EnvironmentName::as_str),
            Some("production")
        );
        let burst = limits[1].rule.measure.quota().map(Quota::burst);
        assert_eq!(burst, Some(100));
        assert!(parse("").unwrap().is_empty());
        for wrong in [
            "tenant 50/s",
            "each tenant",
            "each tenant 50",
            "each trigger 50/s",
            "each tenant 50/y",
            "each tenant 50/s burst",
            "each tenant 50/s burst x",
            "each tenant 50/s burst 1 burst 2",
            "each tenant 50/s at once",
            "each tenant 0/s",
            "each tenant 9000000/s",
            "Each tenant 50/s",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let twice = parse("a tenant 1/s, a token 1/s").unwrap_err();
        assert!(twice.contains("`a` is there twice"), "{twice}");
    }
}
