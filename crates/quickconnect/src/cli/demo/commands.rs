use std::collections::BTreeMap;

use crate::cli::output::append;
use qc_model::RunId;

use super::stage::Stage;

/// The commands to go on with, runnable as they stand in another terminal.
pub(super) fn shown(stage: &Stage, accepted: &BTreeMap<String, RunId>) -> String {
    let program = program();
    let before = match (&stage.running.context_file, &stage.usual_context) {
        (Some(file), usual) if usual.as_ref() != Some(file) => {
            let file = file.canonicalize().unwrap_or_else(|_| file.clone());
            format!("QC_CONTEXT={} {program}", file.display())
        }
        _ => program,
    };
    let run = accepted.values().next().map_or_else(String::new, ToString::to_string);
    let mut text = String::from("\ngo on, in another terminal:\n");
    let verbs = [
        "runs list".to_owned(),
        format!("runs show {run}"),
        format!("runs replay {run}"),
        "ask failures --last 1h".to_owned(),
        "deployments".to_owned(),
        "doctor".to_owned(),
        "tail".to_owned(),
    ];
    for verb in verbs {
        append(&mut text, format_args!("  {before} {verb}\n"));
    }
    for system in &stage.systems {
        append(&mut text, format_args!("  curl -s {}/_sim/state\n", system.base_url()));
    }
    text.push_str("\nit stays up until Ctrl-C");
    text
}

/// How this program was called, so that the commands can be copied.
fn program() -> String {
    let called = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let text = called.display().to_string();
    match text.as_str() {
        "" => "qc".to_owned(),
        path if path.contains('/') && !path.starts_with(['/', '.']) => format!("./{path}"),
        path => path.to_owned(),
    }
}
