use std::fmt::Write;

use qc_server::wire::{EffectDifference, Rehearsal, RehearseRuns};

use crate::{
    cli::{
        Exit, Trouble,
        files::{encoded, short},
        session::Session,
    },
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment in which the runs were
    environment: String,
    /// The integration
    integration: String,
    /// The candidate: the hash of a release that is on the server (`qc release build`), or its beginning; it need not be
    /// deployed
    release: String,
    /// At most so many past runs, 1 to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    sample: usize,
    /// Only runs accepted at or after this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only this run
    #[arg(long, value_name = "RUN", conflicts_with = "since")]
    run: Option<String>,
    /// Which of many are drawn: the same seed draws the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How the result is written: human or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let json = match arguments.format.as_deref() {
        None => output.json,
        Some("json") => true,
        Some("human") => false,
        Some(other) => {
            let message = format!("there is no format `{other}`");
            return Err(Trouble::usage(codes::BAD_SETTING, message, "it is human or json"));
        }
    };
    let Arguments { environment, integration, release, sample, since, run, seed, format: _ } =
        arguments;
    let of = [&environment, &integration, &release].map(|part| encoded(part));
    let path = format!("/api/v1/rehearsals/{}", of.join("/"));
    let asked = RehearseRuns { sample: Some(sample), since, run, seed: Some(seed) };
    let played: Rehearsal = session.client()?.post(&path, &asked).await?;
    if json {
        output.line(&serde_json::to_string_pretty(&played).unwrap_or_default());
    } else {
        output.line(shown(&played).trim_end());
    }
    Ok(if played.differ > 0 || played.compared == 0 { Exit::Findings } else { Exit::Ok })
}

fn shown(played: &Rehearsal) -> String {
    let mut text = String::new();
    let short = short(&played.release);
    let Rehearsal { environment, integration, compared, differ, .. } = played;
    add(&mut text, format_args!("{integration} in {environment}, played on {short}"));
    if played.runs.is_empty() {
        add(
            &mut text,
            format_args!(
                "nothing to play: no run of it is over there; `qc runs list` shows those there are"
            ),
        );
        return text;
    }
    for one in &played.differences {
        text.push('\n');
        text.push_str(&difference(one, *compared));
    }
    if !played.differences.is_empty() {
        text.push('\n');
    }
    let verdict = match (*compared, *differ) {
        (0, _) => "no run could be compared, so nothing is shown to be the same".to_owned(),
        (all, 0) => format!("{all} runs compared: the same effects in all of them"),
        (all, differ) => format!("{all} runs compared: other effects in {differ} of them"),
    };
    add(&mut text, format_args!("{verdict}"));
    let mut reasons = std::collections::BTreeMap::<&str, (usize, &str)>::new();
    for run in &played.runs {
        if let Some(reason) = &run.reason {
            reasons.entry(reason).or_insert((0, &run.run)).0 += 1;
        }
    }
    for (reason, (count, run)) in reasons {
        add(&mut text, format_args!("{count} not compared, such as {run}: {reason}"));
    }
    if played.left > 0 {
        add(
            &mut text,
            format_args!(
                "{} not played: the time that one request has was over; ask for a smaller --sample",
                played.left
            ),
        );
    }
    if played.found > played.runs.len() + played.left {
        let more = if played.more { "the newest " } else { "" };
        add(
            &mut text,
            format_args!(
                "drawn with seed {} from {more}{} runs; another --seed draws others",
                played.seed, played.found
            ),
        );
    }
    text
}

fn difference(one: &EffectDifference, compared: usize) -> String {
    let mut text = String::new();
    let what = match (&*one.kind, &*one.effect) {
        ("event", _) => "the event".to_owned(),
        ("unfinished", _) => "does not come to its end".to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, effect) => format!("{kind}: {effect}"),
    };
    let task = if one.task.is_empty() { String::new() } else { format!(" at `{}`", one.task) };
    let detail = if one.detail.is_empty() { String::new() } else { format!(": {}", one.detail) };
    let first = one.runs.first().map_or("", String::as_str);
    add(
        &mut text,
        format_args!("{what}{task}{detail} ({} of {compared} runs, such as {first})", one.count),
    );
    for field in &one.fields {
        let place = if field.pointer.is_empty() { "all of it" } else { &field.pointer };
        add(&mut text, format_args!("  {place}"));
        add(&mut text, format_args!("    was {}", field.was));
        add(&mut text, format_args!("    is  {}", field.is));
    }
    text
}

fn add(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text takes everything");
}
