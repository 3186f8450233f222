//! Search keys: they compile, their tasks make calls, and they show nothing that is not to be seen.

use qc_document::Span;

use super::{Subject, closest_or_list};
use crate::{codes, compile::search_keys, integration::DataClass};

/// A run keeps no more keys, those included that the sender gives.
const KEYS_MAX: usize = 32;
/// Keys that every run may have: event, correlation and request.
const GIVEN: usize = 3;

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(search_keys(subject.folder, subject.out));
    let (file, folder) = (subject.file, subject.folder);
    let mut names = file.value.search_keys.iter();
    if let Some((name, _)) = names.nth(KEYS_MAX - GIVEN) {
        let message = format!("a run keeps {KEYS_MAX} keys, {GIVEN} of them the sender's own ids");
        let help = "keep those by which people ask";
        subject.error(codes::SEARCH_KEY, name.span, message, help);
    }
    for (name, key) in file.value.search_keys.iter() {
        if let (Some(task), Some(program)) = (&key.task, &folder.program) {
            let calls = || program.calls().map(|site| &*site.task_name);
            let there = calls().any(|call| call == task.value)
                || program.calls().any(|site| *site.pointer == *task.value);
            if !there {
                let message = format!("no task `{}` calls another system", task.value);
                let help = closest_or_list(&task.value, calls());
                subject.error(codes::SEARCH_KEY, task.span, message, help);
            }
        }
        for (field, class) in sensitive(subject) {
            if reads(&key.value.source, &field) {
                shown(subject, name.as_str(), key.value.span, &field, class);
            }
        }
    }
}

/// The fields of which the brief says that not everybody may see them.
fn sensitive(subject: &Subject<'_>) -> Vec<(String, DataClass)> {
    let objects = subject.file.value.objects.iter();
    let fields = objects.flat_map(|(_, object)| object.fields.iter());
    fields
        .filter(|(_, class)| matches!(class.value, DataClass::Personal | DataClass::Regulated))
        .map(|(field, class)| (field.value.clone(), class.value))
        .collect()
}

/// Whether an expression names a field, as far as its text tells: `customer.email` in `.data.customer.email`. A `*` of
/// the field's path stands for any item.
fn reads(source: &str, field: &str) -> bool {
    let text: String = source
        .replace("[\"", ".")
        .replace("['", ".")
        .chars()
        .filter(|c| !matches!(c, '[' | ']' | '"' | '\'' | '?' | ' '))
        .collect();
    let wanted: Vec<&str> = field.split('.').filter(|part| *part != "*").collect();
    let wanted = format!(".{}", wanted.join("."));
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&wanted)
        .any(|(at, _)| text[at + wanted.len()..].chars().next().is_none_or(|next| !word(next)))
}

fn shown(subject: &mut Subject<'_>, key: &str, span: Span, field: &str, class: DataClass) {
    let seen = "whoever may list runs sees keys, payload rights or not";
    if class == DataClass::Regulated {
        let message = format!("the search key `{key}` shows the regulated field `{field}`");
        let help = format!("{seen}: search by an id that says nothing by itself");
        subject.error(codes::SENSITIVE_KEY, span, message, help);
    } else {
        let message = format!("the search key `{key}` shows the personal field `{field}`");
        let help = format!("{seen}: search by an id where that does, such as a customer's number");
        subject.warning(codes::SENSITIVE_KEY, span, message, help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_when_its_path_stands_in_the_expression() {
        for source in [
            ".data.customer.email",
            ".data.customer.email | ascii_downcase",
            ".data | .customer.email",
            ".data[\"customer\"][\"email\"]",
            ".data.customer?.email",
        ] {
            assert!(reads(source, "customer.email"), "{source}");
        }
        for source in [".data.customer.email_hash", ".data.customer.id", ".data.email"] {
            assert!(!reads(source, "customer.email"), "{source}");
        }
        assert!(reads(".data.lines[].name", "lines.*.name"));
    }
}
