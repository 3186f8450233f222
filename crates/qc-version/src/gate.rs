//! The gate: whether a release may take the place of another one, for those who rely on what it offers.

use std::{cmp::Ordering, collections::BTreeMap, fmt, time::Duration};

use qc_contract::{Change, Comparison, Direction, Level, ReportFormat, pact::Pact};
use qc_model::{EnvironmentName, Timestamp};
use serde_json::{Value, json};

use crate::{
    Date, Semver,
    expectation::Unmet,
    usage::{Field, Hit, Usage},
};

/// How much a version number rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// It stays as it is.
    None,
    /// Something is mended.
    Patch,
    /// Something is added.
    Minor,
    /// Those who rely on it have something to do.
    Major,
}

impl Bump {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// What two version numbers declare. None: the newer one is lower. Below 1.0.0 the second number counts as the
    /// first, and the third as the second (semver.org, item 4, as the field practises it).
    pub fn declared(old: &Semver, new: &Semver) -> Option<Self> {
        match new.precedence(old) {
            Ordering::Equal => return Some(Self::None),
            Ordering::Less => return None,
            Ordering::Greater => {}
        }
        let ([old_major, old_minor, _], [major, minor, _]) = (old.numbers, new.numbers);
        let is_early = old_major == 0 && major == 0;
        Some(if major > old_major || old.pre.is_some() && new.numbers == old.numbers {
            // Before its release a version promises nothing.
            Self::Major
        } else if minor > old_minor {
            if is_early { Self::Major } else { Self::Minor }
        } else if is_early {
            Self::Minor
        } else {
            Self::Patch
        })
    }

    /// What the heaviest of the changes asks for.
    pub fn computed(comparison: &Comparison) -> Self {
        match comparison.changes.iter().map(|change| change.level).max() {
            Some(Level::Breaking) => Self::Major,
            Some(Level::Risky | Level::Additive) => Self::Minor,
            Some(Level::Cosmetic) | None => Self::None,
        }
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is written about a breaking change, in the release that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The change's id, as [`change_id`] makes it.
    pub change: String,
    /// The day on which others were told.
    pub announced: Date,
    /// Where the changelog tells of it: a file of the integration, with `#` and a heading.
    pub changelog: String,
    /// Where it says how to move on, the same way.
    pub migration: String,
}

/// How long before it a break is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// How long.
    pub before: Duration,
    /// The day of the release.
    pub today: Date,
}

/// The number of the release, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// Of what runs.
    pub old: Semver,
    /// Of what is to run.
    pub new: Semver,
}

/// What an unmet expectation is called, as a rule is.
const UNMET: &str = "expectation-unmet";

/// What holds a release.
#[derive(Debug, Clone)]
pub enum Cause {
    /// A breaking change.
    Change(Box<Change>),
    /// What a consumer has published that it expects.
    Expectation(Unmet),
}

impl Cause {
    /// The kind of it.
    pub fn rule(&self) -> &str {
        match self {
            Self::Change(change) => &change.rule.id,
            Self::Expectation(_) => UNMET,
        }
    }

    /// What happened, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Change(change) => change.message.clone(),
            Self::Expectation(unmet) => {
                format!(
                    "{} expects \u{201c}{}\u{201d}: {}",
                    unmet.consumer, unmet.interaction, unmet.why
                )
            }
        }
    }

    /// Where it is seen.
    pub fn operations(&self) -> Vec<String> {
        match self {
            Self::Change(change) => change.uses.named.clone(),
            Self::Expectation(unmet) => {
                vec![format!("{} {}", unmet.trigger, unmet.version).trim_end().to_owned()]
            }
        }
    }

    fn action(&self) -> &str {
        match self {
            Self::Change(change) => &change.rule.action,
            Self::Expectation(_) => "Move to what is offered, and publish the expectations again.",
        }
    }
}

/// What holds a release, and what is written and known about it.
#[derive(Debug, Clone)]
pub struct Break {
    /// Its id: the same as long as the change is the same.
    pub id: String,
    /// What it is.
    pub cause: Cause,
    /// What is written about it.
    pub record: Option<ChangeRecord>,
    /// From which day on it may go out by what was announced.
    pub from: Option<Date>,
    /// Who is known to rely on what goes, where that was looked at.
    pub hit: Vec<Hit>,
    /// What shows that nobody does: it holds nothing.
    pub unused: Option<String>,
}

/// A way in which somebody may speak, as an operation of what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The trigger.
    pub trigger: String,
    /// The version that it means before the change; empty where there is one only.
    pub version: String,
    /// Whose way it is, where it is one consumer's.
    pub consumer: Option<String>,
}

/// Where and when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where the release is to run; the gate may only tell there.
    pub environment: Option<&'a EnvironmentName>,
    /// When.
    pub now: Timestamp,
    /// Who uses what there, where that is known.
    pub usage: Option<&'a Usage>,
    /// What consumers have published there that they expect.
    pub expectations: &'a [Pact],
}

/// What is known of those who rely on it.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Who uses what.
    pub usage: &'a Usage,
    /// The ways by which the compared operations stand for versions, by operation.
    pub ways: &'a BTreeMap<String, Way>,
    /// Who has not been seen since then does not rely on it any more.
    pub since: Timestamp,
}

impl Evidence<'_> {
    /// Who relies on what a change takes away. None: that is not known.
    fn hit(&self, change: &Change) -> Option<(Vec<Hit>, String)> {
        if change.uses.further > 0 || change.uses.named.is_empty() {
            return None;
        }
        let field =
            if speaks_of_what_is_sent(change) { Field::at(&change.old.pointer) } else { None };
        let mut hit: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut of = Vec::new();
        for operation in &change.uses.named {
            let way = self.ways.get(operation)?;
            if !self.usage.covers(&way.trigger, self.since) {
                return None;
            }
            let version = (way.trigger.as_str(), way.version.as_str());
            for Hit { consumer, last } in
                self.usage.hit(version, way.consumer.as_deref(), field.as_ref(), self.since)
            {
                let known = hit.entry(consumer).or_insert(last);
                *known = last.max(*known);
            }
            let shown = if way.version.is_empty() {
                way.trigger.clone()
            } else {
                format!("{} {}", way.trigger, way.version)
            };
            if !of.contains(&shown) {
                of.push(shown);
            }
        }
        let what =
            field.map_or_else(|| "used".to_owned(), |it| format!("sent `{}` to", it.shown()));
        let shown = format!("nobody {what} {} since {}", of.join(", "), Date::of(self.since));
        Some((hit.into_iter().map(|(consumer, last)| Hit { consumer, last }).collect(), shown))
    }
}

/// Whether a change concerns only those who send the field at which it stands: something there is refused, or does
/// nothing any more. What has to be sent concerns those who do not.
fn speaks_of_what_is_sent(change: &Change) -> bool {
    let id = &*change.rule.id;
    let is_of_a_value = id.ends_with("-narrowed")
        || matches!(
            id,
            "request-property-removed"
                | "request-property-refused"
                | "request-type-changed"
                | "request-format-changed"
                | "request-content-encoding-changed"
                | "request-one-of-ambiguous"
        );
    change.rule.direction == Some(Direction::Request) && is_of_a_value
}

/// What the gate says of a release.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// All that changes for others.
    pub comparison: Comparison,
    /// The numbers.
    pub numbers: Numbers,
    /// What the numbers declare. None: the newer one is lower.
    pub declared: Option<Bump>,
    /// What the changes ask for.
    pub computed: Bump,
    /// What breaks.
    pub breaks: Vec<Break>,
    /// The day on which it is judged.
    pub today: Date,
    /// Whether it is told and holds nothing.
    pub tells_only: bool,
}

impl Judgement {
    /// Judges what changed.
    pub fn new(
        comparison: Comparison,
        unmet: Vec<Unmet>,
        numbers: Numbers,
        records: &[ChangeRecord],
        notice: Notice,
    ) -> Self {
        let breaking = comparison.changes.iter().filter(|change| change.level == Level::Breaking);
        let changes = breaking.map(|it| (change_id(it), Cause::Change(Box::new(it.clone()))));
        let computed = if unmet.is_empty() { Bump::computed(&comparison) } else { Bump::Major };
        let unmet = unmet.into_iter().map(|it| (unmet_id(&it), Cause::Expectation(it)));
        let breaks = changes.chain(unmet).map(|(id, cause)| {
            let record = records.iter().find(|record| record.change == id).cloned();
            let from = record
                .as_ref()
                .map(|it: &ChangeRecord| Date::of(it.announced.begins() + notice.before));
            Break { id, cause, record, from, hit: Vec::new(), unused: None }
        });
        let breaks = breaks.collect();
        let declared = Bump::declared(&numbers.old, &numbers.new);
        Self {
            comparison,
            numbers,
            declared,
            computed,
            breaks,
            today: notice.today,
            tells_only: false,
        }
    }

    /// The same, with what is known of those who rely on it: what nobody uses holds nothing.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence<'_>) -> Self {
        for it in &mut self.breaks {
            let Cause::Change(change) = &it.cause else { continue };
            let Some((hit, unused)) = evidence.hit(change) else { continue };
            it.unused = hit.is_empty().then_some(unused);
            it.hit = hit;
        }
        self
    }

    /// The breaks that hold it.
    fn holding(&self) -> impl Iterator<Item = &Break> {
        self.breaks.iter().filter(|it| it.unused.is_none())
    }

    /// Whether the number says less than what changes.
    pub fn is_understated(&self) -> bool {
        self.computed > Bump::None && self.declared.is_some_and(|declared| declared < self.computed)
    }

    /// Whether it may go out as it is. A comparison that was cut short may hide a break.
    pub fn passes(&self) -> bool {
        self.holding().next().is_none() && !self.is_understated() && !self.comparison.is_cut_short
    }

    /// The same, where it is told and holds nothing.
    #[must_use]
    pub fn telling(self) -> Self {
        Self { tells_only: true, ..self }
    }

    /// Whether it must not go out as it is.
    pub fn holds(&self) -> bool {
        !self.tells_only && !self.passes()
    }

    /// Whether people may let it go out all the same: the number says that it breaks, and each break is written
    /// about and was announced in time.
    pub fn may_be_overridden(&self) -> bool {
        !self.is_understated()
            && !self.comparison.is_cut_short
            && self.holding().all(|it| it.from.is_some_and(|from| from <= self.today))
    }

    /// What holds it, a line each. Empty when it passes.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for Break { id, cause, record, from, hit, .. } in self.holding() {
            let operations = cause.operations().join(", ");
            let written = match record {
                Some(record) => format!(
                    "told in {}, how to move on in {}{}",
                    record.changelog,
                    record.migration,
                    from.filter(|from| *from > self.today)
                        .map(|from| format!(", and announced too late to go out before {from}"))
                        .unwrap_or_default(),
                ),
                None => "`breaking_changes` says nothing about it".to_owned(),
            };
            reasons.push(format!(
                "{id} {}: {} ({operations}); {}{written}",
                cause.rule(),
                cause.message(),
                told_of(hit)
            ));
        }
        if self.is_understated() {
            let declared = self.declared.map_or("none", Bump::as_str);
            reasons.push(format!(
                "the version goes from {} to {}, which declares {declared}; what changes asks for {}",
                self.numbers.old, self.numbers.new, self.computed
            ));
        }
        if self.comparison.is_cut_short {
            reasons.push("the comparison was cut short: there may be further breaks".to_owned());
        }
        reasons
    }

    /// For people.
    pub fn report(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Json => format!("{:#}", self.to_json()),
            ReportFormat::Human | ReportFormat::Markdown => {
                let mut text = self.comparison.report(format);
                for reason in self.reasons() {
                    text.push_str("held: ");
                    text.push_str(&reason);
                    text.push('\n');
                }
                for it in &self.breaks {
                    let Some(unused) = &it.unused else { continue };
                    text.push_str("not held: ");
                    for part in [&it.id, " ", it.cause.rule(), ": ", unused, "\n"] {
                        text.push_str(part);
                    }
                }
                text
            }
            ReportFormat::Sarif | ReportFormat::Junit | ReportFormat::Github => {
                self.comparison.report(format)
            }
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let mut json = self.comparison.to_json();
        let breaks = self.breaks.iter().map(|it| {
            json!({
                "id": it.id,
                "rule": it.cause.rule(),
                "message": it.cause.message(),
                "operations": it.cause.operations(),
                "consumer_action": it.cause.action(),
                "from": it.from.map(|from| from.to_string()),
                "changelog": it.record.as_ref().map(|record| &record.changelog),
                "migration": it.record.as_ref().map(|record| &record.migration),
                "consumers": it.hit.iter().map(Hit::to_json).collect::<Vec<_>>(),
                "unused": it.unused,
            })
        });
        json["gate"] = json!({
            "passes": self.passes(),
            "holds": self.holds(),
            "may_be_overridden": !self.passes() && self.may_be_overridden(),
            "version": { "old": self.numbers.old.to_string(), "new": self.numbers.new.to_string() },
            "bump": { "declared": self.declared.map(Bump::as_str), "computed": self.computed.as_str() },
            "breaks": breaks.collect::<Vec<_>>(),
            "reasons": self.reasons(),
        });
        json
    }
}

/// Those who are hit, for a line.
fn told_of(hit: &[Hit]) -> String {
    const SHOWN: usize = 5;
    if hit.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = hit
        .iter()
        .take(SHOWN)
        .map(|it| format!("{} (last {})", it.consumer, Date::of(it.last)))
        .collect();
    if hit.len() > SHOWN {
        names.push(format!("{} more", hit.len() - SHOWN));
    }
    format!("hits {}; ", names.join(", "))
}

/// The id of a change: the same in each comparison in which the same changes at the same place (FNV-1a, 64 bits).
pub fn change_id(change: &Change) -> String {
    let text = |side: &qc_contract::ChangeSide| side.text.clone().unwrap_or_default();
    let mut operations = change.uses.named.clone();
    operations.sort();
    let (operations, old, new) = (operations.join(","), text(&change.old), text(&change.new));
    id_of(&[&change.rule.id, &operations, &change.part, &change.message, &old, &new])
}

fn unmet_id(unmet: &Unmet) -> String {
    let Unmet { consumer, trigger, version, interaction, why } = unmet;
    id_of(&[UNMET, consumer, trigger, version, interaction, why])
}

fn id_of(parts: &[&str]) -> String {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("chg-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use qc_contract::{OpenApi, Options, Profile, compare};

    use super::*;

    fn api(properties: &Value, required: &[&str]) -> OpenApi {
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        let text = json!({
            "openapi": "3.1.0",
            "info": { "title": "t", "version": "1" },
            "paths": { "/in": { "post": {
                "requestBody": { "content": { "application/json": { "schema": schema } } },
                "responses": { "202": { "description": "taken" } },
            } } },
        });
        let files = BTreeMap::from([("api.json".to_owned(), text.to_string())]);
        OpenApi::load(&files, "api.json").0.unwrap()
    }

    fn compared(new: (&Value, &[&str])) -> Comparison {
        let profile = Profile::default();
        let old = api(&json!({ "id": { "type": "string" } }), &[]);
        compare(&old, &api(new.0, new.1), Options { profile: &profile, today: None })
    }

    fn notice(days: u64) -> Notice {
        Notice { before: Duration::from_secs(days * 86_400), today: date("2026-11-27") }
    }

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn numbers(old: &str, new: &str) -> Numbers {
        Numbers { old: Semver::parse(old).unwrap(), new: Semver::parse(new).unwrap() }
    }

    #[test]
    fn numbers_declare_how_much_changes() {
        let declared = |old, new| {
            let numbers = numbers(old, new);
            Bump::declared(&numbers.old, &numbers.new)
        };
        assert_eq!(declared("1.2.3", "1.2.3"), Some(Bump::None));
        assert_eq!(declared("1.2.3", "1.2.4"), Some(Bump::Patch));
        assert_eq!(declared("1.2.3", "1.3.0"), Some(Bump::Minor));
        assert_eq!(declared("1.2.3", "2.0.0"), Some(Bump::Major));
        assert_eq!(declared("1.2.3", "1.2.2"), None);
        assert_eq!(declared("0.2.3", "0.3.0"), Some(Bump::Major));
        assert_eq!(declared("0.2.3", "0.2.4"), Some(Bump::Minor));
        assert_eq!(declared("2.0.0-rc.1", "2.0.0-rc.2"), Some(Bump::Major));
        assert_eq!(declared("2.0.0-rc.1", "2.0.1"), Some(Bump::Patch));
        assert_eq!(declared("1.9.0", "2.0.0-rc.1"), Some(Bump::Major));
    }

    #[test]
    fn what_is_added_needs_a_minor_number_and_then_passes() {
        let added = json!({ "id": { "type": "string" }, "note": { "type": "string" } });
        let judged = |new| {
            Judgement::new(
                compared((&added, &[])),
                Vec::new(),
                numbers("1.0.0", new),
                &[],
                notice(0),
            )
        };
        assert!(judged("1.1.0").passes(), "{:?}", judged("1.1.0").reasons());
        for new in ["1.0.0", "1.0.1"] {
            let judgement = judged(new);
            assert!(judgement.is_understated() && !judgement.passes());
            assert!(!judgement.may_be_overridden(), "a number is mended, not overridden");
            assert!(judgement.reasons()[0].contains("asks for minor"), "{:?}", judgement.reasons());
        }
    }

    #[test]
    fn what_breaks_is_held_until_people_may_say_otherwise() {
        let same = json!({ "id": { "type": "string" } });
        let judged = |records: &[ChangeRecord]| {
            let numbers = numbers("1.0.0", "2.0.0");
            Judgement::new(compared((&same, &["id"])), Vec::new(), numbers, records, notice(30))
        };
        let bare = judged(&[]);
        assert_eq!((bare.passes(), bare.may_be_overridden(), bare.breaks.len()), (false, false, 1));
        assert!(bare.reasons()[0].contains("says nothing about it"), "{:?}", bare.reasons());
        let record = ChangeRecord {
            change: bare.breaks[0].id.clone(),
            announced: date("2026-10-28"),
            changelog: "CHANGELOG.md#2.0.0".to_owned(),
            migration: "migrations/1-to-2.md".to_owned(),
        };
        let told = judged(std::slice::from_ref(&record));
        assert_eq!((told.passes(), told.may_be_overridden()), (false, true));
        assert!(told.reasons()[0].contains("CHANGELOG.md#2.0.0"));
        let late = ChangeRecord { announced: date("2026-10-29"), ..record.clone() };
        let late = judged(&[late]);
        assert!(!late.may_be_overridden());
        assert!(late.reasons()[0].contains("before 2026-11-28"), "{:?}", late.reasons());
        let other = ChangeRecord { change: "chg-0000000000000000".to_owned(), ..record };
        assert!(!judged(&[other]).may_be_overridden());
        assert_eq!(told.to_json()["gate"]["breaks"][0]["migration"], "migrations/1-to-2.md");
    }

    #[test]
    fn a_break_whose_places_are_not_all_known_holds_whoever_uses_it() {
        let closed = json!({ "id": { "type": "integer" } });
        let mut comparison = compared((&closed, &[]));
        let since = date("2026-10-28").begins();
        let mut usage = Usage::default();
        usage.since.insert("in".to_owned(), since);
        let way = Way { trigger: "in".to_owned(), version: String::new(), consumer: None };
        let ways = BTreeMap::from([("POST /in".to_owned(), way)]);
        let judged = |comparison: Comparison| {
            let judgement =
                Judgement::new(comparison, Vec::new(), numbers("1.0.0", "2.0.0"), &[], notice(0));
            judgement.with_evidence(Evidence { usage: &usage, ways: &ways, since }).passes()
        };
        assert!(judged(comparison.clone()), "nobody sends");
        comparison.changes[0].uses.further = 1;
        assert!(!judged(comparison.clone()));
        comparison.changes[0].uses.further = 0;
        comparison.changes[0].uses.named.push("POST /other".to_owned());
        assert!(!judged(comparison.clone()));
        comparison.changes[0].uses.named.clear();
        assert!(!judged(comparison));
    }

    #[test]
    fn what_a_consumer_expects_holds_though_nothing_else_changes() {
        let same = json!({ "id": { "type": "string" } });
        let unmet = Unmet {
            consumer: "shop".to_owned(),
            trigger: "in".to_owned(),
            version: "1.0.0".to_owned(),
            interaction: "orders".to_owned(),
            why: "the event is refused".to_owned(),
        };
        let judged = |new, records: &[ChangeRecord]| {
            let (changes, unmet) = (compared((&same, &[])), vec![unmet.clone()]);
            Judgement::new(changes, unmet, numbers("1.0.0", new), records, notice(0))
        };
        let judgement = judged("1.0.1", &[]);
        assert!(!judgement.passes() && judgement.is_understated());
        assert!(judgement.reasons()[0].contains("(in 1.0.0)"), "{:?}", judgement.reasons());
        let record = ChangeRecord {
            change: judgement.breaks[0].id.clone(),
            announced: date("2026-10-28"),
            changelog: "CHANGELOG.md#2.0.0".to_owned(),
            migration: "migrations/1-to-2.md".to_owned(),
        };
        assert!(judged("2.0.0", &[record]).may_be_overridden());
    }

    #[test]
    fn a_rollback_of_the_number_declares_nothing_and_what_broke_is_held() {
        let same = json!({ "id": { "type": "string" } });
        let judged = |new| {
            Judgement::new(
                compared((&same, &[])),
                Vec::new(),
                numbers("2.0.0", new),
                &[],
                notice(0),
            )
        };
        assert!(judged("1.0.0").passes(), "nothing changes for others");
        assert_eq!(judged("1.0.0").declared, None);
    }
}
