//! The gate, from files: what an integration offers before and after, compared and judged.

mod offer;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use qc_contract::{Comparison, Day, Options, Profile, compare, pact::Pact};
use qc_model::{EnvironmentName, Finding, Timestamp};
use qc_version::{
    Date, Semver, Usage,
    gate::{ChangeRecord, Circumstances, Evidence, Judgement, Notice, Numbers, Way},
};

use crate::{
    Project, codes, consumers::Offered, organisation::GateMode, project::IntegrationFolder,
};

pub use offer::Sender;
pub(crate) use offer::{Audience, Offering};

const DAY: Duration = Duration::from_secs(86_400);

/// Judges whether the second project's integration may take the place of the first one's, by the rules of the first one:
/// what is judged does not make its own. None: the first one does not have it, so that nobody relies on it.
///
/// Errors: what cannot be read of either.
pub fn judge(
    old: &Project,
    new: &Project,
    integration: &str,
    circumstances: Circumstances<'_>,
) -> Result<Option<Judgement>, Vec<Finding>> {
    let Some(old_folder) = old.integrations().get(integration) else { return Ok(None) };
    let new_folder = new.integration(integration).map_err(|finding| vec![*finding])?;
    let promised = promised(old, old_folder);
    let consumers: BTreeSet<String> =
        [old_folder, new_folder].into_iter().flat_map(pinned).collect();
    let Circumstances { environment, now, usage, expectations } = circumstances;
    let sides = [(old, old_folder), (new, new_folder)];
    let Compared { comparison, ways } =
        compared(sides, integration, Audience::All(&consumers), (now, usage))?;
    let numbers = Numbers { old: number(old_folder)?, new: number(new_folder)? };
    let notice = Notice { before: promised.breaking, today: Date::of(now) };
    let expectations: Vec<&Pact> = expectations.iter().collect();
    let unmet = |project| {
        let offered = Offered::new(project, integration, now, usage);
        offered.map_err(|finding| vec![*finding])?.unmet(&expectations)
    };
    // What does not go today is nobody's loss tomorrow.
    let (known, mut lost) = (unmet(old)?, unmet(new)?);
    lost.retain(|it| !known.iter().any(|was| was.is_of(it)));
    let mut judgement = Judgement::new(comparison, lost, numbers, &records(new_folder), notice);
    if let Some(usage) = usage {
        let since = now - old.quiet();
        judgement = judgement.with_evidence(Evidence { usage, ways: &ways, since });
    }
    Ok(Some(if tells_only(old, environment) { judgement.telling() } else { judgement }))
}

/// How what two projects offer to somebody differs.
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    /// What the operations stood for before.
    ways: BTreeMap<String, Way>,
}

/// Compares what two projects offer to somebody, by the rules of the first one.
pub(crate) fn compared(
    [old, new]: [(&Project, &IntegrationFolder); 2],
    integration: &str,
    audience: Audience<'_>,
    (now, usage): (Timestamp, Option<&Usage>),
) -> Result<Compared, Vec<Finding>> {
    let profile = profile(old.0, promised(old.0, old.1).retirement)?;
    let offer = |(project, folder)| {
        Offering { project, folder, integration, audience, now, usage }.describe()
    };
    let (before, after) = (offer(old)?, offer(new)?);
    let options = Options { profile: &profile, today: Day::parse(&now.to_string()) };
    let comparison = compare(&before.api, &after.api, options);
    Ok(Compared { comparison, ways: before.ways })
}

fn tells_only(project: &Project, environment: Option<&EnvironmentName>) -> bool {
    let known = project.organisation().map(|file| &file.value.environments);
    let rules = known.zip(environment).and_then(|(all, name)| all.get(name.as_str()));
    rules.is_some_and(|rules| rules.gate == GateMode::Tell)
}

/// How changes are weighed, and how many days before an end it is told.
pub(crate) fn profile(project: &Project, retirement: Duration) -> Result<Profile, Vec<Finding>> {
    let organisation = project.organisation().map(|file| &file.value);
    let name = organisation
        .and_then(|it| it.versioning.as_ref()?.profile.as_ref())
        .map_or("default", |name| name.value.as_str());
    let profile = if let Some(profile) = Profile::named(name) {
        profile
    } else {
        let text = project.files().text(name).ok_or_else(|| {
            let message = format!("there is no profile `{name}`");
            let help = format!(
                "`versioning.profile` is {}, or a file of the project",
                Profile::NAMES.join(", ")
            );
            vec![Finding::error(codes::MISSING_FILE, message).help(help)]
        })?;
        Profile::load(name, text)?
    };
    let days = retirement.as_secs().div_ceil(DAY.as_secs());
    Ok(profile.with_notice_of(i64::try_from(days).unwrap_or(i64::MAX)))
}

/// How long before others are told.
struct Promised {
    breaking: Duration,
    retirement: Duration,
}

/// What the organisation and the integration promise: the longer one counts.
fn promised(project: &Project, folder: &IntegrationFolder) -> Promised {
    let notice = project.organisation().and_then(|file| file.value.notice.as_ref());
    let definition = folder.definition.as_ref();
    let own = definition.and_then(|file| file.value.communication.as_ref());
    let longest = |policy: Option<Duration>| {
        policy.into_iter().chain(own.map(|own| own.notice)).max().unwrap_or_default()
    };
    Promised {
        breaking: longest(notice.and_then(|notice| notice.breaking)),
        retirement: longest(notice.and_then(|notice| notice.retirement)),
    }
}

/// Consumers that have a pin.
pub(crate) fn pinned(folder: &IntegrationFolder) -> Vec<String> {
    let files = folder.versions.values();
    files.flat_map(|file| file.value.pins.iter().map(|(name, _)| name.value.clone())).collect()
}

pub(crate) fn number(folder: &IntegrationFolder) -> Result<Semver, Vec<Finding>> {
    let version =
        folder.definition.as_ref().and_then(|file| Some((file, file.value.version.as_ref()?)));
    let Some((file, version)) = version else {
        let message = format!("`{}/integration.yaml` has no version", folder.folder);
        return Err(vec![Finding::error(codes::UNKNOWN_INTEGRATION, message)]);
    };
    Semver::parse(&version.value.to_string()).map_err(|why| {
        let finding = Finding::error(qc_version::codes::NAME, why).at(file.place(version.span));
        vec![finding]
    })
}

pub(crate) fn records(folder: &IntegrationFolder) -> Vec<ChangeRecord> {
    let Some(file) = &folder.definition else { return Vec::new() };
    let changes = file.value.breaking_changes.iter();
    changes
        .map(|(id, change)| ChangeRecord {
            change: id.value.clone(),
            announced: change.announced.value,
            changelog: change.changelog.value.clone(),
            migration: change.migration.value.clone(),
        })
        .collect()
}
