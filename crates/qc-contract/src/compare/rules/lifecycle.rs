//! Rules about stability, deprecation and the end of life, the same for everything that can end.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::{Area, Level, Rule};

/// What can be deprecated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Subject {
    Operation,
    Parameter,
    Header,
    Property,
}

/// What happened to its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Life {
    Deprecated,
    Reinstated,
    SunsetAnnounced,
    SunsetTooSoon,
    SunsetEarlier,
    SunsetLater,
    SunsetWithdrawn,
    SunsetUnreadable,
    StabilityLowered,
    StabilityRaised,
    StabilityUnreadable,
    RemovedBeforeSunset,
    RemovedAfterSunset,
    RemovedDeprecated,
}

const SUBJECTS: [(Subject, &str, &str); 4] = [
    (Subject::Operation, "operation", "operation"),
    (Subject::Parameter, "parameter", "parameter"),
    (Subject::Header, "header", "header"),
    (Subject::Property, "property", "property"),
];

const LIVES: [(Life, &str, Level, &str, &str); 14] = [
    (
        Life::Deprecated,
        "deprecated",
        Level::Additive,
        "is deprecated now: it works as before and will end.",
        "Plan to do without it.",
    ),
    (
        Life::Reinstated,
        "reinstated",
        Level::Additive,
        "is no longer deprecated.",
        "Nothing; a migration that was planned may be dropped.",
    ),
    (
        Life::SunsetAnnounced,
        "sunset-announced",
        Level::Additive,
        "has a date now from which it may be gone.",
        "Do without it before that date.",
    ),
    (
        Life::SunsetTooSoon,
        "sunset-too-soon",
        Level::Breaking,
        "ends sooner than the notice period allows.",
        "Ask the provider for the notice that was agreed.",
    ),
    (
        Life::SunsetEarlier,
        "sunset-earlier",
        Level::Breaking,
        "ends earlier than was promised.",
        "Do without it before the new date, or ask for the old one.",
    ),
    (
        Life::SunsetLater,
        "sunset-later",
        Level::Additive,
        "ends later than was announced.",
        "Nothing; there is more time.",
    ),
    (
        Life::SunsetWithdrawn,
        "sunset-withdrawn",
        Level::Breaking,
        "is still deprecated, but the date until which it is kept is gone: it may end any day.",
        "Ask the provider until when it is kept.",
    ),
    (
        Life::SunsetUnreadable,
        "sunset-unreadable",
        Level::Breaking,
        "has a sunset that is no date, so nobody knows until when it is kept.",
        "Ask the provider to write the date as RFC 3339 or YYYY-MM-DD.",
    ),
    (
        Life::StabilityLowered,
        "stability-lowered",
        Level::Breaking,
        "promises less stability than before.",
        "Expect changes without notice, or keep to the old version.",
    ),
    (
        Life::StabilityRaised,
        "stability-raised",
        Level::Additive,
        "promises more stability than before.",
        "Nothing; it may be relied on.",
    ),
    (
        Life::StabilityUnreadable,
        "stability-unreadable",
        Level::Breaking,
        "has a stability that is none of draft, alpha, beta and stable.",
        "Ask the provider to write one of the four.",
    ),
    (
        Life::RemovedBeforeSunset,
        "removed-before-sunset",
        Level::Breaking,
        "was removed before the date until which it was promised.",
        "Ask the provider for the time that was promised.",
    ),
    (
        Life::RemovedAfterSunset,
        "removed-after-sunset",
        Level::Additive,
        "was removed after the date that had been announced for it.",
        "Nothing, if the announcement was followed.",
    ),
    (
        Life::RemovedDeprecated,
        "removed-deprecated",
        Level::Risky,
        "was removed; it had been deprecated, without a date.",
        "Do without it; whoever still used it fails.",
    ),
];

impl Life {
    pub(crate) fn of(self, subject: Subject) -> &'static Rule {
        let subject = SUBJECTS.iter().position(|(one, ..)| *one == subject).unwrap_or_default();
        let life = LIVES.iter().position(|(one, ..)| *one == self).unwrap_or_default();
        &ALL[subject * LIVES.len() + life]
    }
}

pub(super) fn rows() -> impl Iterator<Item = &'static Rule> {
    ALL.iter()
}

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for (_, word, noun) in SUBJECTS {
        for (_, ending, level, says, action) in LIVES {
            rules.push(Rule {
                id: Cow::Owned(format!("{word}-{ending}")),
                direction: None,
                area: Area::Lifecycle,
                level,
                explanation: Cow::Owned(format!("The {noun} {says}")),
                action: Cow::Borrowed(action),
            });
        }
    }
    rules
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_finds_its_own_rule() {
        let rule = Life::SunsetEarlier.of(Subject::Property);
        assert_eq!(&*rule.id, "property-sunset-earlier");
        assert_eq!(
            &*Life::RemovedDeprecated.of(Subject::Operation).id,
            "operation-removed-deprecated"
        );
    }
}
