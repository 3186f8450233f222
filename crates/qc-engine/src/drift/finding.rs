use aws_lc_rs::digest::{SHA256, digest};
use qc_connect::call::{Deviation, DriftNote, EndNotice};
use qc_model::{EnvironmentName, Name, Timestamp};
use qc_workflow::CallOutput;
use serde::{Deserialize, Serialize};

use crate::record::hex;

/// The most differences that a finding names.
const DIFFERENCES_MAX: usize = 20;
/// How much of the hash names a finding, in hex digits.
const ID_DIGITS: usize = 16;

/// One way in which an operation's answers are no longer what an integration was told they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftFinding {
    /// The version of the stored form.
    pub(crate) v: u32,
    /// Its name: the same differences at the same operation have the same.
    pub id: String,
    /// What it is about.
    pub kind: FindingKind,
    /// Where.
    pub environment: EnvironmentName,
    /// Who calls the operation.
    pub integration: Name,
    /// The connector, or the document's address.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// Whose it is: the connector's owner, else that of the system, else the integration's.
    pub owner: Option<String>,
    /// The release whose contract it was held against, when it was seen last.
    pub release: String,
    /// What differs.
    pub diff: Vec<DriftDifference>,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When it was last seen.
    pub last_at: Timestamp,
    /// In how many answers.
    pub count: u64,
    /// How many of those canary calls got.
    #[serde(default)]
    pub canaries: u64,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A contract is broken.
    Breaking,
    /// The provider says that the operation ends.
    End,
}

impl FindingKind {
    /// Its word, as lists show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::End => "end",
        }
    }
}

/// One difference. Names fields and kinds, never values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DriftDifference {
    /// JSON Pointer in the answer, `*` for the items of a list.
    pub pointer: String,
    /// The violated keyword; `deprecation` or `sunset` for what the provider says.
    pub keyword: String,
    /// What differs.
    pub message: String,
}

/// An answer that its run cannot use as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unfit {
    /// The finding's id.
    pub(crate) finding: String,
    /// The answer, whole.
    pub(crate) answer: CallOutput,
}

/// An answer that breaks its contract, and the finding of that.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) finding: DriftFinding,
    pub(crate) answer: CallOutput,
    /// The finding is on disk already.
    pub(crate) known: bool,
}

/// What is called, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub(crate) environment: EnvironmentName,
    pub(crate) integration: Name,
    pub(crate) connector: String,
    pub(crate) operation: String,
}

impl Site {
    pub(super) fn text(&self) -> String {
        let Self { environment, integration, connector, operation } = self;
        format!("{environment}/{integration}/{connector}/{operation}")
    }
}

/// Whose a finding is, and by which release it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seer<'a> {
    pub(crate) owner: Option<&'a str>,
    pub(crate) release: &'a str,
    pub(crate) at: Timestamp,
    /// A canary call got the answer, no run's.
    pub(crate) canary: bool,
}

/// The finding of an answer that breaks its contract; None: it does not.
pub(crate) fn of_notes(site: &Site, seer: Seer<'_>, notes: &[DriftNote]) -> Option<DriftFinding> {
    let breaking = notes.iter().filter(|note| is_of_contract(note));
    let breaking = breaking.filter(|note| note.kind == Deviation::Breaking);
    let mut diff: Vec<DriftDifference> = breaking.map(difference).collect();
    diff.sort();
    diff.dedup();
    diff.truncate(DIFFERENCES_MAX);
    (!diff.is_empty()).then(|| finding(FindingKind::Breaking, site, seer, diff))
}

/// The finding of what a provider says of the end of an operation.
pub(super) fn of_notice(site: &Site, seer: Seer<'_>, notice: &EndNotice) -> DriftFinding {
    let of = |keyword: &str, message: String| DriftDifference {
        pointer: String::new(),
        keyword: keyword.to_owned(),
        message,
    };
    let mut diff = Vec::new();
    if notice.deprecated {
        let since = notice.deprecated_at.map(|at| format!(" from {at} on"));
        let more = notice.link.as_deref().map(|link| format!(": {link}"));
        let (since, more) = (since.unwrap_or_default(), more.unwrap_or_default());
        diff.push(of(
            "deprecation",
            format!("the provider says that it is deprecated{since}{more}"),
        ));
    }
    diff.extend(
        notice
            .sunset
            .map(|at| of("sunset", format!("the provider says that it stops answering at {at}"))),
    );
    finding(FindingKind::End, site, seer, diff)
}

/// A body that is cut off or is another page says nothing of the contract.
pub(super) fn is_of_contract(note: &DriftNote) -> bool {
    !matches!(&*note.keyword, "body" | "content-type")
}

fn difference(note: &DriftNote) -> DriftDifference {
    DriftDifference {
        pointer: of_items(&note.pointer),
        keyword: note.keyword.clone(),
        message: note.message.clone(),
    }
}

/// A pointer in which every item of a list is `*`.
pub(super) fn of_items(pointer: &str) -> String {
    let number = |step: &str| !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
    let steps = pointer.split('/').map(|step| if number(step) { "*" } else { step });
    steps.collect::<Vec<_>>().join("/")
}

fn finding(
    kind: FindingKind,
    site: &Site,
    seer: Seer<'_>,
    diff: Vec<DriftDifference>,
) -> DriftFinding {
    let mut text = format!("{}\n{}\n", kind.as_str(), site.text());
    for one in &diff {
        text.push_str(&serde_json::to_string(one).unwrap_or_default());
        text.push('\n');
    }
    let mut id = hex(digest(&SHA256, text.as_bytes()).as_ref());
    id.truncate(ID_DIGITS);
    let Site { environment, integration, connector, operation } = site.clone();
    DriftFinding {
        v: 1,
        id,
        kind,
        environment,
        integration,
        connector,
        operation,
        owner: seer.owner.map(str::to_owned),
        release: seer.release.to_owned(),
        diff,
        first_at: seer.at,
        last_at: seer.at,
        count: 1,
        canaries: u64::from(seer.canary),
    }
}

impl DriftFinding {
    /// The same finding, seen elsewhere or at another time, too.
    pub(super) fn join(&mut self, other: &Self) {
        if other.last_at >= self.last_at {
            self.last_at = other.last_at;
            self.owner.clone_from(&other.owner);
            self.release.clone_from(&other.release);
        }
        self.first_at = self.first_at.min(other.first_at);
        self.count = self.count.saturating_add(other.count);
        self.canaries = self.canaries.saturating_add(other.canaries);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::drift) fn site() -> Site {
        Site {
            environment: "production".parse().unwrap(),
            integration: "orders".parse().unwrap(),
            connector: "shop".to_owned(),
            operation: "readOrder".to_owned(),
        }
    }

    pub(in crate::drift) fn seer(millis: i64) -> Seer<'static> {
        let at = Timestamp::from_millis(millis);
        Seer { owner: Some("shop-team"), release: "r1", at, canary: false }
    }

    pub(in crate::drift) fn note(kind: Deviation, pointer: &str, message: &str) -> DriftNote {
        DriftNote {
            kind,
            connector: "shop".to_owned(),
            operation: "readOrder".to_owned(),
            status: 200,
            pointer: pointer.to_owned(),
            schema_pointer: String::new(),
            keyword: "type".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_same_difference_is_the_same_finding_wherever_it_stands_in_a_list() {
        let broken = |pointer: &str| note(Deviation::Breaking, pointer, "a text, not a number");
        let one =
            of_notes(&site(), seer(1), &[broken("/lines/0/sum"), broken("/lines/7/sum")]).unwrap();
        let other = of_notes(&site(), seer(9), &[broken("/lines/3/sum")]).unwrap();
        assert_eq!(one.id, other.id);
        assert_eq!((one.diff.len(), one.diff[0].pointer.as_str()), (1, "/lines/*/sum"));
        let elsewhere = Site { environment: "staging".parse().unwrap(), ..site() };
        assert_ne!(of_notes(&elsewhere, seer(1), &[broken("/lines/0/sum")]).unwrap().id, one.id);
        assert_ne!(of_notes(&site(), seer(1), &[broken("/lines/0/tax")]).unwrap().id, one.id);
        let mut joined = other.clone();
        joined.join(&one);
        assert_eq!(
            (joined.first_at, joined.last_at, joined.count),
            (one.first_at, other.last_at, 2)
        );
        let canary = Seer { canary: true, ..seer(3) };
        let asked = of_notes(&site(), canary, &[broken("/lines/0/sum")]).unwrap();
        joined.join(&asked);
        assert_eq!((joined.count, joined.canaries), (3, 1), "one of three came to a canary call");
    }

    #[test]
    fn what_is_only_more_or_cut_off_is_no_finding() {
        let more = note(Deviation::Additive, "/new", "more");
        let cut =
            DriftNote { keyword: "body".to_owned(), ..note(Deviation::Breaking, "", "cut off") };
        assert_eq!(of_notes(&site(), seer(1), &[more, cut]), None);
    }
}
