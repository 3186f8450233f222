//! `schedule`: when runs begin by themselves.

use qc_document::ObjectReader;

use super::{
    Schedule,
    duration::fixed_ms,
    event::{At, strategy},
    listen::READ,
};
use crate::{Cron, codes};

/// Shortest interval of a schedule, in milliseconds.
const SHORTEST_MS: u64 = 1_000;

/// Reads `schedule`: one of `every`, `cron`, `after` and `on`.
pub(super) fn schedule(fields: &mut ObjectReader<'_, '_>) -> Option<Schedule> {
    let reader = fields.reader();
    let mut inner = fields.optional_object("schedule")?;
    let found = inner.exactly_one(&["every", "cron", "after", "on"]);
    let read_at = inner.entry("read").map(|(key, _)| key.span);
    let read = inner.optional_choice("read", &READ).unwrap_or_default();
    inner.finish();
    let (word, node) = found?;
    if let Some(span) = read_at.filter(|_| word != "on") {
        let message = format!("`read` has no meaning beside `{word}`");
        let help = "it says how the events of `on` are read";
        reader.push(reader.error(codes::SCHEDULE, span, message).help(help));
        return None;
    }
    match word {
        "every" | "after" => {
            let ms = fixed_ms(reader, node, &format!("`{word}`"))?;
            if ms < SHORTEST_MS {
                let message = format!("`{word}` is shorter than a second");
                reader.report(codes::SCHEDULE, node.span, message);
                return None;
            }
            Some(if word == "every" { Schedule::Every(ms) } else { Schedule::After(ms) })
        }
        "cron" => {
            let written = reader.text(node, "`cron`")?;
            match written.parse::<Cron>() {
                Ok(cron) => Some(Schedule::Cron(cron)),
                Err(error) => {
                    let message = format!("`cron` is `{written}`: {error}");
                    let help = "five fields, such as `0 6 * * MON-FRI`: at six on working days";
                    reader.push(reader.error(codes::SCHEDULE, node.span, message).help(help));
                    None
                }
            }
        }
        _ => {
            let strategy = strategy(reader, node, "`on`", At::Schedule)?;
            Some(Schedule::On { strategy, read })
        }
    }
}
