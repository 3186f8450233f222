//! The command line: one verb a file. Results go to standard output, all else to standard error; every verb takes
//! `--json`; how the program ends is in [`Exit`].

mod access;
mod actions;
mod approvals;
mod ask;
mod audit;
mod backup;
mod bulk;
mod check;
mod client;
mod completions;
mod config;
mod conn;
mod contract;
mod crossref;
mod debug;
mod demo;
mod deploy;
mod deployments;
mod dev;
mod dlq;
mod doctor;
mod drift;
mod drill;
mod events;
mod exit;
mod export;
mod failures;
mod files;
mod gate;
mod grants;
mod init;
mod limits;
mod lines;
mod loadtest;
mod login;
mod migrate;
mod new;
mod new_files;
mod output;
mod reconcile;
mod release;
mod restore;
mod rollback;
mod runs;
mod schedules;
mod schema;
mod secrets;
mod serve;
mod session;
mod simulate;
mod state;
mod subject;
mod support;
mod tail;
mod tasks;
mod test;
mod tokens;
mod trigger;
mod triggers;
mod trouble;
mod vault;

use std::{collections::BTreeMap, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};

pub(crate) use exit::Exit;
pub(crate) use output::Output;
pub(crate) use trouble::Trouble;

use crate::{allocator, codes, signals::Signals};
use output::{Color, ColorWishes};
use session::Session;

/// QuickConnect: enterprise API integrations that keep working when reality gets messy.
#[derive(Debug, Parser)]
#[command(name = "qc", version, propagate_version = true, infer_subcommands = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 internal, 2 usage, 3 not found, 4 authentication or permission, \
    5 conflict, 6 server unreachable, 7 rate-limited, 100 findings, 130 interrupted."
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Globals {
    /// Print results as JSON with a `schema_version`
    #[arg(long, global = true)]
    json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Colour: auto, always or never
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Color,
    /// The server's address [env: QC_URL; else the context file]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The context file with address and token [env: QC_CONTEXT; a token alone: QC_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    context: Option<PathBuf>,
    /// How long to wait for the server's answer
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s")]
    timeout: String,
    /// The settings file [env: QC_CONFIG; default: qc.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Begin a project
    Init(init::Arguments),
    /// Make a part of a project
    #[command(subcommand)]
    New(new::Verb),
    /// Check a project's files, offline: all findings at once
    Check(check::Arguments),
    /// Run a project's acceptance scenarios on simulators, offline
    Test(test::Arguments),
    /// Send the traffic that a brief declares to its integration, on simulated systems, and grade what comes of it
    Loadtest(loadtest::Arguments),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Arguments),
    /// Compare contracts, test what runs against them, see the versions that are served side by side, and convert between them
    #[command(subcommand)]
    Contract(contract::Verb),
    /// Run a project's connectors as simulated systems
    Simulate(simulate::Arguments),
    /// Build releases and list them
    #[command(subcommand)]
    Release(release::Verb),
    /// Say whether a change may go out: what it breaks for others, and what is missing
    Gate(gate::Arguments),
    /// Rewrite your own payloads to another version of a contract, or verify them
    Migrate(migrate::Arguments),
    /// Deploy a release in an environment
    Deploy(deploy::Arguments),
    /// Go back to the release before
    Rollback(rollback::Arguments),
    /// List what is deployed and where events are sent
    Deployments(deployments::Arguments),
    /// Take the files of what is deployed, or of a release, out
    Export(export::Arguments),
    /// Show the whole of it in a minute: three simulated systems that misbehave, and a story
    Demo(demo::Arguments),
    /// Run the server with what is deployed
    Serve(serve::Arguments),
    /// Run a project's working tree, and follow its changes
    Dev(dev::Arguments),
    /// Send an event to a trigger
    Trigger(trigger::Arguments),
    /// See how triggers stand, pause them and have them go on
    #[command(subcommand)]
    Triggers(triggers::Verb),
    /// Look at runs and work on them
    #[command(subcommand)]
    Runs(runs::Verb),
    /// Follow what happens, live
    Tail(tail::Arguments),
    /// See how much may come in, and who comes near that
    #[command(subcommand)]
    Limits(limits::Verb),
    /// Look at runs that go one after the other, and have them go on
    #[command(subcommand)]
    Lines(lines::Verb),
    /// Look at the values that an integration keeps, and mend them
    #[command(subcommand)]
    State(state::Verb),
    /// Look at which id in one system is which in another, and mend it
    #[command(subcommand)]
    Crossref(crossref::Verb),
    /// See when runs begin by themselves, and pause that
    #[command(subcommand)]
    Schedules(schedules::Verb),
    /// See which events there are and who uses them
    #[command(subcommand)]
    Events(events::Verb),
    /// Work on dead letters
    #[command(subcommand)]
    Dlq(dlq::Verb),
    /// See how answers of others drift from their contracts, and let parked runs go on with what is put right
    #[command(subcommand)]
    Drift(drift::Verb),
    /// Look at dead letters grouped by what they died of, and say what is known of a group
    #[command(subcommand)]
    Failures(failures::Verb),
    /// Replay, retry, discard or cancel many runs: plan it, then start it
    #[command(subcommand)]
    Bulk(bulk::Verb),
    /// See what people are asked, and answer
    #[command(subcommand)]
    Tasks(tasks::Verb),
    /// Ask questions over what happened
    #[command(subcommand)]
    Ask(ask::Verb),
    /// Take out or erase everything that is stored of a person
    #[command(subcommand)]
    Subject(subject::Verb),
    /// See whether everything received is accounted for
    Reconcile(reconcile::Arguments),
    /// Write the database and the large bodies into one file, while the server runs
    Backup(backup::Arguments),
    /// Put a backup into a database, of either kind; or only check it
    Restore(restore::Arguments),
    /// See who did what, in a log that nobody can rewrite unseen
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Make and end API tokens
    #[command(subcommand)]
    Tokens(tokens::Verb),
    /// Sign in as a person, in a browser; the other verbs then act by that session
    Login(login::Arguments),
    /// End the session that `qc login` got
    Logout,
    /// Show who one is at the server
    Whoami,
    /// See what each role may do, and why
    #[command(subcommand)]
    Access(access::Verb),
    /// Ask for rights for a time, and give them
    #[command(subcommand)]
    Grants(grants::Verb),
    /// Approvals of changes: n of m persons, never the author
    #[command(subcommand)]
    Approvals(approvals::Verb),
    /// Record what an integration sends and gets, to find out what goes wrong
    #[command(subcommand)]
    Debug(debug::Verb),
    /// Connect accounts at other systems, and see how their connections stand
    #[command(subcommand)]
    Conn(conn::Verb),
    /// Store secrets in the vault, and see which there are; never their values
    #[command(subcommand)]
    Secrets(secrets::Verb),
    /// See how the vault stands, and change its keys
    #[command(subcommand)]
    Vault(vault::Verb),
    /// Look for what is wrong with this machine and the server, with a fix for each
    Doctor(doctor::Arguments),
    /// Gather how the server does, for whoever helps
    #[command(subcommand)]
    Support(support::Verb),
    /// Explain the settings
    #[command(subcommand)]
    Config(config::Verb),
    /// Print a script that completes commands in a shell
    Completions(completions::Arguments),
}

/// Runs the program; the variables are the process environment.
pub(crate) fn run(variables: BTreeMap<String, String>) -> Exit {
    let set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    let wishes = ColorWishes {
        none: set("NO_COLOR"),
        force: variables
            .get("CLICOLOR_FORCE")
            .is_some_and(|value| !value.is_empty() && value != "0"),
        dumb: variables.get("TERM").is_some_and(|term| term == "dumb"),
    };
    let read = actions::told(Cli::command(), "").try_get_matches().and_then(|matches| {
        Cli::from_arg_matches(&matches).map(|cli| (actions::verb(&matches), cli))
    });
    let (typed, cli) = match read {
        Ok(read) => read,
        Err(error) => {
            if !error.use_stderr() {
                // Help and version, which clap prints to standard output.
                drop(error.print());
                return Exit::Ok;
            }
            let json = std::env::args_os().any(|word| word == "--json");
            not_understood(&error, Output::new(json, false, Color::Auto, wishes));
            return Exit::Usage;
        }
    };
    let Cli { globals, verb } = cli;
    let output = Output::new(globals.json, globals.quiet, globals.color, wishes);
    let session = Session::new(output, globals, variables, actions::of(&typed));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().on_thread_park(allocator::give_back);
    runtime.thread_keep_alive(allocator::REST);
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.say(&format!("the program cannot start its threads: {error}"));
            return Exit::Internal;
        }
    };
    let result = runtime.block_on(dispatch(verb, &session));
    // What still runs in the background is not waited for: whatever mattered was ended by its verb.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit,
        Err(trouble) => {
            output.trouble(&trouble);
            trouble.exit
        }
    }
}

/// Tells that the command line cannot be read. What is wrong stands in the first lines of clap's text; the rest is the
/// usage.
fn not_understood(error: &clap::Error, output: Output) {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !output.json {
        // A group of verbs alone: which there are is what was asked.
        drop(error.print());
        return;
    }
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ").trim();
    let (wrong, usage) = text.split_once("\n\n").unwrap_or((text, ""));
    let (wrong, usage) =
        (wrong.trim(), usage.lines().map(|line| line.trim().trim_start_matches("tip: ")));
    let usage = usage.filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let usage = usage.join(if output.json { "; " } else { "\n  " });
    output.trouble(&Trouble::usage(codes::COMMAND_LINE, wrong, usage));
}

/// A verb that stays up listens to signals before it does anything; the others end by them, as programs do.
async fn dispatch(verb: Verb, session: &Session) -> Result<Exit, Trouble> {
    match verb {
        Verb::Init(arguments) => init::run(session, &arguments),
        Verb::New(verb) => new::run(session, verb),
        Verb::Check(arguments) => check::run(session, &arguments),
        Verb::Test(arguments) => test::run(session, &arguments),
        Verb::Schema(arguments) => Ok(schema::run(session, &arguments)),
        Verb::Contract(verb) => contract::run(session, verb).await,
        Verb::Loadtest(arguments) => loadtest::run(session, &arguments, Signals::listen()).await,
        Verb::Simulate(arguments) => simulate::run(session, arguments, Signals::listen()).await,
        Verb::Release(verb) => release::run(session, verb).await,
        Verb::Gate(arguments) => gate::run(session, &arguments).await,
        Verb::Migrate(arguments) => migrate::run(session, &arguments),
        Verb::Deploy(arguments) => deploy::run(session, &arguments).await,
        Verb::Rollback(arguments) => rollback::run(session, &arguments).await,
        Verb::Deployments(arguments) => deployments::run(session, &arguments).await,
        Verb::Export(arguments) => export::run(session, &arguments).await,
        Verb::Demo(arguments) => demo::run(session, &arguments, Signals::listen()).await,
        Verb::Serve(arguments) => serve::run(session, arguments, Signals::listen()).await,
        Verb::Dev(arguments) => dev::run(session, arguments, Signals::listen()).await,
        Verb::Trigger(arguments) => trigger::run(session, &arguments).await,
        Verb::Triggers(verb) => triggers::run(session, verb).await,
        Verb::Runs(verb) => runs::run(session, verb).await,
        Verb::Tail(arguments) => tail::run(session, &arguments, Signals::listen()).await,
        Verb::Limits(verb) => limits::run(session, verb).await,
        Verb::Lines(verb) => lines::run(session, verb).await,
        Verb::State(verb) => state::run(session, verb).await,
        Verb::Subject(verb) => subject::run(session, verb).await,
        Verb::Crossref(verb) => crossref::run(session, verb).await,
        Verb::Tasks(verb) => tasks::run(session, verb).await,
        Verb::Schedules(verb) => schedules::run(session, verb).await,
        Verb::Events(verb) => events::run(session, verb).await,
        Verb::Dlq(verb) => dlq::run(session, verb).await,
        Verb::Drift(verb) => drift::run(session, verb).await,
        Verb::Failures(verb) => failures::run(session, verb).await,
        Verb::Bulk(verb) => bulk::run(session, verb).await,
        Verb::Ask(verb) => ask::run(session, verb).await,
        Verb::Reconcile(arguments) => reconcile::run(session, &arguments).await,
        Verb::Backup(arguments) => backup::run(session, arguments).await,
        Verb::Restore(arguments) => restore::run(session, arguments).await,
        Verb::Audit(verb) => audit::run(session, verb).await,
        Verb::Tokens(verb) => tokens::run(session, verb).await,
        Verb::Login(arguments) => login::login(session, &arguments).await,
        Verb::Logout => login::logout(session).await,
        Verb::Whoami => login::whoami(session).await,
        Verb::Access(verb) => access::run(session, verb).await,
        Verb::Grants(verb) => grants::run(session, verb).await,
        Verb::Approvals(verb) => approvals::run(session, verb).await,
        Verb::Debug(verb) => debug::run(session, verb).await,
        Verb::Conn(verb) => conn::run(session, verb).await,
        Verb::Secrets(verb) => secrets::run(session, verb).await,
        Verb::Vault(verb) => vault::run(session, verb).await,
        Verb::Doctor(arguments) => doctor::run(session, arguments).await,
        Verb::Support(verb) => support::run(session, verb).await,
        Verb::Config(verb) => config::run(session, verb),
        Verb::Completions(arguments) => completions::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
