//! Dates and times in the patterns that Pact files use (those of Java's `SimpleDateFormat`).

/// A pattern, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Format {
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Field {
    Literal(String),
    /// A letter of the pattern, and how often it is repeated.
    Letter(char, usize),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Format {
    /// The error names the letter that is not known.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let mut fields = Vec::new();
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\'' {
                let mut literal = String::new();
                loop {
                    match letters.next() {
                        Some('\'') if letters.peek() == Some(&'\'') => {
                            letters.next();
                            literal.push('\'');
                        }
                        Some('\'') => break,
                        Some(other) => literal.push(other),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
                // Two quotes are one.
                let literal = if literal.is_empty() { "'".to_owned() } else { literal };
                fields.push(Field::Literal(literal));
            } else if letter.is_ascii_alphabetic() {
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if !"yYuMLdDEeaHkKhmsSnNAzZXxVOGwWFQq".contains(letter) {
                    return Err(format!("`{letter}` is no letter of a date pattern"));
                }
                fields.push(Field::Letter(letter, count));
            } else {
                fields.push(Field::Literal(letter.to_string()));
            }
        }
        Ok(Self { fields })
    }

    /// Whether a text is such a date.
    pub(super) fn fits(&self, text: &str) -> bool {
        let mut reading = Reading { rest: text, year: None, month: None, day: None };
        self.fields.iter().enumerate().all(|(at, field)| {
            let is_joined = matches!(self.fields.get(at + 1), Some(Field::Letter(..)));
            reading.field(field, is_joined).is_some()
        }) && reading.rest.is_empty()
            && reading.is_a_day()
    }
}

struct Reading<'t> {
    rest: &'t str,
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
}

impl Reading<'_> {
    fn field(&mut self, field: &Field, is_joined: bool) -> Option<()> {
        let (letter, count) = match field {
            Field::Literal(literal) => {
                self.rest = self.rest.strip_prefix(literal.as_str())?;
                return Some(());
            }
            Field::Letter(letter, count) => (*letter, *count),
        };
        match letter {
            'y' | 'Y' | 'u' => {
                let most = if count == 2 || is_joined { count } else { 9 };
                self.year = Some(self.number(count, most, 0..=999_999_999)?);
            }
            'M' | 'L' if count >= 3 => self.month = Some(self.name(&MONTHS, count)? + 1),
            'M' | 'L' => self.month = Some(self.number(count, 2, 1..=12)?),
            'd' => self.day = Some(self.number(count, 2, 1..=31)?),
            'E' | 'e' if count >= 3 || letter == 'E' => {
                self.name(&DAYS, count)?;
            }
            'a' => {
                let half = self.rest.get(..2)?.to_ascii_lowercase();
                if half != "am" && half != "pm" {
                    return None;
                }
                self.rest = &self.rest[2..];
            }
            'H' | 'k' => {
                let range = if letter == 'H' { 0..=23 } else { 1..=24 };
                self.number(count, 2, range)?;
            }
            'h' | 'K' => {
                let range = if letter == 'h' { 1..=12 } else { 0..=11 };
                self.number(count, 2, range)?;
            }
            'm' => {
                self.number(count, 2, 0..=59)?;
            }
            's' => {
                self.number(count, 2, 0..=60)?;
            }
            'S' | 'n' | 'N' | 'A' => {
                let most =
                    if letter == 'S' { count.max(if is_joined { 0 } else { 9 }) } else { 18 };
                self.digits(count.min(most), most)?;
            }
            'D' => {
                self.number(count, 3, 1..=366)?;
            }
            'z' | 'Z' | 'X' | 'x' | 'V' | 'O' => self.zone(letter)?,
            'G' => {
                let era = ["BC", "AD", "BCE", "CE"].into_iter().rev();
                let era = era.into_iter().find(|era| self.rest.starts_with(era))?;
                self.rest = &self.rest[era.len()..];
            }
            _ => {
                self.digits(1, 4)?;
            }
        }
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<&str> {
        let found = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if found < least || found == 0 {
            return None;
        }
        let (digits, rest) = self.rest.split_at(found);
        self.rest = rest;
        Some(digits)
    }

    fn number(
        &mut self,
        least: usize,
        most: usize,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = self.digits(least.min(most), most.max(least))?.parse().ok()?;
        range.contains(&number).then_some(number)
    }

    /// A name in full, or its first three letters; which one it is.
    fn name(&mut self, names: &[&str], count: usize) -> Option<u32> {
        let length = |name: &str| if count >= 4 { name.len() } else { 3 };
        let at = names.iter().position(|name| {
            let wanted = &name[..length(name)];
            self.rest.get(..wanted.len()).is_some_and(|text| text.eq_ignore_ascii_case(wanted))
        })?;
        self.rest = &self.rest[length(names[at])..];
        u32::try_from(at).ok()
    }

    fn zone(&mut self, letter: char) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix('Z').filter(|_| letter != 'x') {
            self.rest = rest;
            return Some(());
        }
        let rest = self.rest.strip_prefix("GMT").or(self.rest.strip_prefix("UTC"));
        let is_named = rest.is_some();
        let offset = rest.unwrap_or(self.rest);
        if let Some(rest) = offset.strip_prefix(['+', '-']) {
            self.rest = rest;
            self.number(1, 2, 0..=18)?;
            let is_split = self.rest.strip_prefix(':');
            self.rest = is_split.unwrap_or(self.rest);
            if is_split.is_some() || self.rest.starts_with(|next: char| next.is_ascii_digit()) {
                self.number(2, 2, 0..=59)?;
            }
            return Some(());
        }
        if is_named {
            self.rest = offset;
            return Some(());
        }
        if !matches!(letter, 'z' | 'V') {
            return None;
        }
        // A name such as `CET` or `Europe/Paris`.
        let is_part = |next: char| next.is_ascii_alphanumeric() || "/_+-".contains(next);
        let end = self.rest.find(|next| !is_part(next)).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).filter(|_| end >= 2)?;
        Some(())
    }

    fn is_a_day(&self) -> bool {
        let (Some(month), Some(day)) = (self.month, self.day) else { return true };
        let is_leap = self.year.is_none_or(|year| {
            year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
        });
        let last = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        day <= last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_their_patterns() {
        let cases = [
            ("yyyy-MM-dd", "2024-02-29", true),
            ("yyyy-MM-dd", "2023-02-29", false),
            ("yyyy-MM-dd", "2023-2-1", false),
            ("dd/MM/yyyy", "31/04/2020", false),
            ("HH:mm:ss", "23:59:60", true),
            ("HH:mm:ss", "24:00:00", false),
            ("hh:mm a", "12:30 PM", true),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2020-01-01T10:00:00.123+01:00", true),
            ("yyyy-MM-dd'T'HH:mm:ssX", "2020-01-01T10:00:00Z", true),
            ("yyyyMMdd", "20200131", true),
            ("yyyyMMddHHmmssSSS", "20200131120000999", true),
            ("EEE, d MMM yyyy HH:mm:ss Z", "Wed, 4 Jul 2001 12:08:56 -0700", true),
            ("EEE, d MMM yyyy", "Foo, 4 Jul 2001", false),
            ("hh 'o''clock' a, zzzz", "12 o'clock pm, GMT-08:00", true),
            ("yyyy-MM-dd", "2020-01-01T", false),
        ];
        for (pattern, text, expected) in cases {
            let format = Format::parse(pattern).expect(pattern);
            assert_eq!(format.fits(text), expected, "{pattern} on {text}");
        }
        assert!(Format::parse("yyyy-bb").is_err());
        assert!(Format::parse("yyyy 'T").is_err());
    }
}
