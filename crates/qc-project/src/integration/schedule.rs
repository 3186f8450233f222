//! Triggers that time itself pulls.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_workflow::{CatchUp, Cron, MISSED_LIMIT, Overlap, TimeOfDay, Zone};
use serde_json::{Value, json};

use crate::codes;
use crate::shape::{Definitions, Fields, Integer, Shape, Spanned, parse, read_word, word_schema};

/// When the runs of a trigger begin.
#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    /// Its times; None when they cannot be read.
    pub rhythm: Option<Rhythm>,
    /// The zone whose clocks a cron pattern speaks of; UTC when left out.
    pub time_zone: Option<Spanned<Zone>>,
    /// What happens when the last run is not over.
    pub overlap: Overlap,
    /// What happens with occurrences that were missed.
    pub catch_up: CatchUp,
    /// By how much an occurrence is put off at most, by chance.
    pub jitter: Option<Duration>,
}

/// The times of a trigger.
#[derive(Debug, Clone)]
pub enum Rhythm {
    /// Again and again.
    Every(Spanned<Duration>),
    /// As a pattern says.
    Cron(Spanned<Cron>),
    /// As the workflow's own `schedule` says.
    OfWorkflow,
}

/// The keys that only a schedule has.
pub(super) const SCHEDULE_KEYS: [&str; 6] =
    ["cron", "every", "time_zone", "overlap", "catch_up", "jitter"];

/// Shortest interval.
const SHORTEST: Duration = Duration::from_secs(1);

const OVERLAPS: &[(&str, Overlap)] =
    &[("skip", Overlap::Skip), ("queue", Overlap::Queue), ("allow", Overlap::Allow)];

impl ScheduleSpec {
    /// Reads the keys of a schedule; they are asked for whatever the trigger's kind is.
    pub(super) fn of_fields(f: &mut Fields<'_, '_>) -> Self {
        let cron: Option<Spanned<Cron>> = f.optional(
            "cron",
            "For `schedule`: five fields (minute, hour, day of the month, month, day of the week), or six with the second first.",
        );
        let every: Option<Spanned<Duration>> =
            f.optional("every", "For `schedule`: the interval, from one second on.");
        let time_zone =
            f.optional("time_zone", "For `schedule`: the IANA zone of `cron`; UTC when left out.");
        let overlap = f.optional(
            "overlap",
            "For `schedule`: what happens when the last run is not over; `skip` when left out.",
        );
        let catch_up = f.optional(
            "catch_up",
            "For `schedule`: which missed occurrences are run: `none`, `last`, `all`, or `{all: <at most>}`; `last` when left out.",
        );
        let jitter = f.optional(
            "jitter",
            "For `schedule`: by how much an occurrence is put off at most, by chance.",
        );
        if let (Some(cron), Some(_)) = (&cron, &every) {
            let message = "the trigger has both `cron` and `every`";
            f.report(codes::CONTRADICTION, cron.span, message, "write one trigger for each");
        }
        if let Some(every) = every.as_ref().filter(|every| every.value < SHORTEST) {
            let message = "`every` is shorter than a second";
            f.report(qc_workflow::codes::SCHEDULE, every.span, message, "write `1s` or more");
        }
        let of_workflow = || (!f.has("cron") && !f.has("every")).then_some(Rhythm::OfWorkflow);
        let rhythm = cron.map(Rhythm::Cron).or(every.map(Rhythm::Every)).or_else(of_workflow);
        Self {
            rhythm,
            time_zone,
            overlap: overlap.unwrap_or_default(),
            catch_up: catch_up.unwrap_or_default(),
            jitter,
        }
    }
}

/// Text that qc-workflow reads; what is wrong with it has the schedule's code.
fn read_schedule<T, E: std::fmt::Display>(
    node: &Node,
    what: &str,
    reader: &Reader<'_>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    match read(reader.text(node, what)?) {
        Ok(value) => Some(value),
        Err(error) => {
            reader.report(qc_workflow::codes::SCHEDULE, node.span, format!("{what}: {error}"));
            None
        }
    }
}

impl Shape for Cron {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_schedule(node, what, reader, str::parse)
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["0 6 * * MON-FRI"] })
    }
}

impl Shape for Zone {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_schedule(node, what, reader, Self::named)
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["Europe/Berlin"] })
    }
}

impl Shape for TimeOfDay {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, str::parse)
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["22:00"] })
    }
}

impl Shape for Overlap {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(OVERLAPS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(OVERLAPS)
    }
}

/// How many missed occurrences are run.
type Most = Integer<1, { MISSED_LIMIT as i64 }>;

impl Shape for CatchUp {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_none() {
            return parse(node, what, reader, |word| match word {
                "none" => Ok(Self::None),
                "last" => Ok(Self::Last),
                "all" => Ok(Self::All { limit: MISSED_LIMIT }),
                _ => Err("must be `none`, `last`, `all` or `{all: <at most>}`"),
            });
        }
        let mut object = reader.object(node, what)?;
        let all = object.required("all").and_then(|all| Most::read(all, "`all`", reader));
        object.finish();
        Some(Self::All { limit: u32::try_from(all?.0).unwrap_or(MISSED_LIMIT) })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [
            { "type": "string", "enum": ["none", "last", "all"] },
            {
                "type": "object",
                "additionalProperties": false,
                "required": ["all"],
                "properties": { "all": Most::schema(definitions) },
            },
        ]})
    }
}
