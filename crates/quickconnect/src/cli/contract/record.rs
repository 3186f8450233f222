use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_project::ProjectFiles;
use qc_server::wire::{RecordEvents, Recording};
use serde_json::json;

use crate::{
    cli::{
        Exit, Trouble,
        files::{encoded, project, root},
        new_files::{Present, write},
        session::Session,
    },
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment in which the events came in
    environment: String,
    /// The trigger that took them, whose contract the examples are of
    #[arg(value_name = "INTEGRATION/TRIGGER")]
    trigger: String,
    /// At most so many examples, each of another form, 1 to 50
    #[arg(long, value_name = "N", default_value_t = 5)]
    sample: usize,
    /// Only of events accepted at or after this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Which of many are drawn: the same seed draws the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where the files go [default: where `qc check` looks for them in the project here]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Where examples go, and with what their names begin.
struct Target {
    folder: PathBuf,
    stem: String,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { environment, trigger, sample, since, seed, out } = arguments;
    let (integration, name) = trigger.split_once('/').ok_or_else(|| {
        let message = format!("`{trigger}` is no trigger of an integration");
        let help = "write INTEGRATION/TRIGGER; `qc triggers list` shows those there are";
        Trouble::usage(codes::BAD_SETTING, message, help)
    })?;
    let target = target(integration, name, out)?;
    let path = [&*environment, integration, name].map(encoded).join("/");
    let asked = RecordEvents { sample: Some(sample), since, seed: Some(seed) };
    let client = session.client()?;
    let recording: Recording = client.post(&format!("/api/v1/recordings/{path}"), &asked).await?;
    let mut files = ProjectFiles::new([]);
    let mut written = Vec::new();
    for fixture in &recording.fixtures {
        let local = format!("{}.{}.json", target.stem, fixture.name);
        let mut text = serde_json::to_string_pretty(&fixture.document).unwrap_or_default();
        text.push('\n');
        files.insert(local.clone(), text.into_bytes());
        written.push((target.folder.join(local), fixture.stands_for));
    }
    write(&target.folder, &files, Present::Refuse)?;
    let told = json!({
        "schema_version": 1,
        "files": written.iter().map(|(file, stands_for)| json!({"file": file, "stands_for": stands_for})).collect::<Vec<_>>(),
        "looked_at": recording.looked_at, "more_forms": recording.more_forms, "misfits": recording.misfits,
        "unusable": recording.unusable, "unmaskable": recording.unmaskable, "places": recording.places,
    });
    session.output.result(&told, || shown(&recording, &written));
    Ok(if written.is_empty() { Exit::Findings } else { Exit::Ok })
}

/// Where `qc check` looks for the examples, or where the user says.
fn target(integration: &str, trigger: &str, out: Option<PathBuf>) -> Result<Target, Trouble> {
    let here = Path::new(".");
    let known = match &out {
        Some(_) if root(here).is_err() => None,
        _ => project(here)?.examples_of(integration, trigger),
    };
    match (out, known) {
        (Some(folder), Some((_, stem))) => Ok(Target { folder, stem: last(&stem) }),
        (Some(folder), None) => Ok(Target { folder, stem: trigger.to_owned() }),
        (None, Some((inside, stem))) => Ok(Target { folder: root(here)?.join(inside), stem }),
        (None, None) => {
            let message = format!("the project here has no contract of `{integration}/{trigger}`");
            let help =
                "go to the project of the integration, or say with --out where the files are to go";
            Err(Trouble::new(
                Exit::NotFound,
                Finding::error(codes::BAD_SETTING, message).help(help),
            ))
        }
    }
}

fn last(stem: &str) -> String {
    stem.rsplit('/').next().unwrap_or(stem).to_owned()
}

fn shown(recording: &Recording, written: &[(PathBuf, usize)]) -> String {
    let mut text = String::new();
    for (file, stands_for) in written {
        add(&mut text, format_args!("{} (as {stands_for} of the events)", file.display()));
    }
    let Recording { looked_at, more_forms, misfits, unusable, unmaskable, places, .. } = recording;
    add(
        &mut text,
        format_args!("{} examples of {looked_at} events that were looked at", written.len()),
    );
    if *more_forms > 0 {
        add(&mut text, format_args!("{more_forms} more forms: ask for more with --sample"));
    }
    if *misfits > 0 {
        add(
            &mut text,
            format_args!("{misfits} events do not keep the contract that is deployed now"),
        );
    }
    if *unusable > 0 {
        add(
            &mut text,
            format_args!("{unusable} events are too large for an example, or have no JSON"),
        );
    }
    if *unmaskable > 0 {
        let places = if places.is_empty() {
            "something of the original would have been left".to_owned()
        } else {
            format!("no other value keeps the contract at {}", places.join(", "))
        };
        add(
            &mut text,
            format_args!("{unmaskable} forms were left out, as they cannot be masked: {places}"),
        );
        add(
            &mut text,
            format_args!(
                "label in the brief what may be seen (`objects`), or write these examples by hand"
            ),
        );
    }
    if *looked_at == 0 {
        add(&mut text, format_args!("no event of it came in; `qc runs list` shows what did"));
    }
    text
}

fn add(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text takes everything");
}
