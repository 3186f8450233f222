//! What versions are called, and which of two is the newer one.

use std::{cmp::Ordering, fmt};

use qc_model::Timestamp;

/// How the versions of a contract are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `2.1.0`, by Semantic Versioning.
    Semver,
    /// `2026-05-01`, the day from which it is there.
    Date,
    /// `2.1.0`, and the day from which it is there beside it; senders may say either.
    Both,
}

impl Naming {
    /// The words of files.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("semver", Self::Semver), ("date", Self::Date), ("both", Self::Both)];

    /// Reads a version's name.
    ///
    /// Errors: what is wrong with it, in one sentence.
    pub fn name(self, text: &str) -> Result<VersionName, String> {
        let rank = match self {
            Self::Semver | Self::Both => Rank::Semver(Semver::parse(text)?),
            Self::Date => Rank::Date(Date::parse(text)?),
        };
        Ok(VersionName { text: text.to_owned(), rank })
    }
}

/// The name of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionName {
    text: String,
    rank: Rank,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rank {
    Semver(Semver),
    Date(Date),
}

impl VersionName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this version comes after another one; never between a number and a date.
    pub fn is_after(&self, other: &Self) -> bool {
        match (&self.rank, &other.rank) {
            (Rank::Semver(own), Rank::Semver(other)) => own.precedence(other).is_gt(),
            (Rank::Date(own), Rank::Date(other)) => own > other,
            _ => false,
        }
    }

    /// What is counted as one major version: the first number, or the day itself.
    pub fn major(&self) -> String {
        match &self.rank {
            Rank::Semver(version) => version.numbers[0].to_string(),
            Rank::Date(date) => date.to_string(),
        }
    }

    /// The day that the name is, when it is one.
    pub fn date(&self) -> Option<Date> {
        match &self.rank {
            Rank::Semver(_) => None,
            Rank::Date(date) => Some(*date),
        }
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// When it begins.
    begins: Timestamp,
}

impl Date {
    /// Reads `2026-05-01`.
    ///
    /// Errors: what is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let begins = shaped.then(|| format!("{text}T00:00:00Z").parse::<Timestamp>().ok());
        match begins.flatten() {
            Some(begins) => Ok(Self { begins }),
            None => Err(format!("`{text}` is not a day; write `2026-05-01`")),
        }
    }

    /// When the day begins.
    pub fn begins(self) -> Timestamp {
        self.begins
    }

    /// The day of a moment.
    pub fn of(at: Timestamp) -> Self {
        const DAY: i64 = 86_400_000;
        Self { begins: Timestamp::from_millis(at.as_millis().div_euclid(DAY) * DAY) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.begins.to_string();
        f.write_str(text.split('T').next().unwrap_or(&text))
    }
}

/// A version by Semantic Versioning 2.0.0, without build metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    /// The pre-release part after `-`.
    pub pre: Option<String>,
}

impl Semver {
    /// Reads `1.2.3` or `1.2.3-rc.1`.
    ///
    /// Errors: what is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not a version; write `1.0.0` (semver.org)");
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let padded = part.len() > 1 && part.starts_with('0');
            if plain && !padded { part.parse::<u64>().ok() } else { None }
        };
        let numbers: Option<Vec<u64>> = core.split('.').map(number).collect();
        let numbers: [u64; 3] = numbers.and_then(|parts| parts.try_into().ok()).ok_or_else(form)?;
        let legal = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if pre.is_some_and(|pre| !pre.split('.').all(legal)) {
            return Err(form());
        }
        Ok(Self { numbers, pre: pre.map(str::to_owned) })
    }

    /// The order of releases: a pre-release comes before its release.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => pre_order(left, right),
        })
    }
}

fn pre_order(left: &str, right: &str) -> Ordering {
    let mut left = left.split('.');
    let mut right = right.split('.');
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.pre.as_ref().map_or(Ok(()), |pre| write!(f, "-{pre}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_as_semver_says() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "2.0.0",
        ];
        for pair in order.windows(2) {
            let [low, high] = [pair[0], pair[1]].map(|text| Semver::parse(text).unwrap());
            assert_eq!(low.precedence(&high), Ordering::Less, "{low} < {high}");
            assert_eq!(low.to_string(), pair[0]);
            let [low, high] = [pair[0], pair[1]].map(|text| Naming::Semver.name(text).unwrap());
            assert!(high.is_after(&low) && !low.is_after(&high) && !low.is_after(&low));
        }
        for bad in ["", "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "v1.0.0", "1.0.0.0"] {
            assert!(Semver::parse(bad).is_err(), "{bad}");
            assert!(Naming::Both.name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_read_strictly_and_ordered() {
        let (may, june) = (Date::parse("2026-05-01").unwrap(), Date::parse("2026-06-01").unwrap());
        assert!(may < june);
        assert_eq!(may.to_string(), "2026-05-01");
        assert_eq!(Date::of(may.begins() + std::time::Duration::from_secs(86_399)), may);
        for bad in [
            "",
            "2026-5-1",
            "2026-13-01",
            "2026-02-30",
            "26-05-01",
            "2026/05/01",
            "2026-05-01T00",
            "+026-05-01",
            "2026-05-0é",
        ] {
            assert!(Date::parse(bad).is_err(), "{bad}");
            assert!(Naming::Date.name(bad).is_err(), "{bad}");
        }
        assert_eq!(Naming::Date.name("2026-05-01").unwrap().major(), "2026-05-01");
        assert!(Naming::Date.name("1.0.0").is_err());
    }
}
