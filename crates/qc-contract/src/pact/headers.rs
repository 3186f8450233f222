//! Headers: names without case, values with it, lists with any white space, media types by their parameters.

use super::Difference;
use super::rules::{Part, Rules, escaped};
use super::values::check_all_text;

/// Headers whose value has parameters.
const WITH_PARAMETERS: [&str; 2] = ["content-type", "accept"];
/// Headers whose one value may hold commas.
const SINGLE: [&str; 11] = [
    "date",
    "expires",
    "last-modified",
    "if-modified-since",
    "if-unmodified-since",
    "retry-after",
    "location",
    "set-cookie",
    "user-agent",
    "sunset",
    "authorization",
];

pub(super) fn compare_headers(
    expected: &[(String, Vec<String>)],
    actual: &[(String, Vec<String>)],
    rules: &Rules,
    found: &mut Vec<Difference>,
) {
    for (name, wanted) in expected {
        let pointer = format!("/header/{}", escaped(name));
        let mut given =
            actual.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).peekable();
        if given.peek().is_none() {
            found.push(Difference::new(pointer, "is missing"));
            continue;
        }
        let given: Vec<String> = given.flat_map(|(_, values)| values).cloned().collect();
        if let Some(matchers) = rules.for_name(Part::Header, name) {
            let example = wanted.first().map_or("", String::as_str);
            let whole = given.join(", ");
            let mut why = check_all_text(matchers, example, &whole);
            // A rule may be for each of several values.
            if !why.is_empty() && given.len() > 1 {
                why = given.iter().flat_map(|one| check_all_text(matchers, example, one)).collect();
            }
            found.extend(why.into_iter().map(|why| Difference::new(pointer.clone(), why)));
            continue;
        }
        let (wanted, given) = (listed(name, wanted), listed(name, &given));
        let is_same = if WITH_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            wanted.len() == given.len()
                && wanted.iter().zip(&given).all(|(wanted, given)| has_parameters(wanted, given))
        } else {
            wanted == given
        };
        if !is_same {
            found.push(Difference::new(pointer, format!("must be `{}`", wanted.join(", "))));
        }
    }
}

fn listed(name: &str, values: &[String]) -> Vec<String> {
    let trimmed = |text: &str| text.trim().to_owned();
    if SINGLE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return values.iter().map(|value| trimmed(value)).collect();
    }
    values.iter().flat_map(|value| split(value, ',')).map(|part| trimmed(&part)).collect()
}

/// Splits where the separator is not in quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        if letter == '"' {
            is_quoted = !is_quoted;
        }
        match parts.last_mut() {
            Some(part) if letter != separator || is_quoted => part.push(letter),
            _ => parts.push(String::new()),
        }
    }
    parts
}

/// Whether the same value is given, with at least the wanted parameters in whatever order.
fn has_parameters(wanted: &str, given: &str) -> bool {
    let parts = |text: &str| -> (String, Vec<(String, String)>) {
        let mut parts = split(text, ';').into_iter();
        let value = parts.next().unwrap_or_default().trim().to_owned();
        let parameters = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
            let name = name.trim().to_ascii_lowercase();
            let value = value.trim().trim_matches('"');
            let value =
                if name == "charset" { value.to_ascii_lowercase() } else { value.to_owned() };
            (name, value)
        });
        (value, parameters.collect())
    };
    let ((wanted, wanted_parameters), (given, given_parameters)) = (parts(wanted), parts(given));
    wanted == given
        && wanted_parameters.iter().all(|parameter| given_parameters.contains(parameter))
}
