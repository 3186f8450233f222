use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{RecursiveMode, Watcher};
use qc_model::{Actor, EnvironmentName, Finding, Severity};
use qc_project::{
    Project,
    render::{Format, render},
};
use qc_release::Office;
use tokio::sync::mpsc;

use super::{
    Exit, Trouble,
    files::{project, root, short},
    output::Output,
    session::Session,
};
use crate::{
    codes, config::SettingFlags, lifecycle::Running, signals::Signals, telemetry,
    wiring::Credentials,
};

/// How long the files must rest before they are read: an editor saves in several steps.
const REST: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The environment whose variables and secrets are used
    #[arg(long, default_value = "sandbox")]
    environment: String,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(
    session: &Session,
    arguments: Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let environment: EnvironmentName = arguments.environment.parse().map_err(|error| {
        Trouble::usage(codes::BAD_SETTING, format!("`--environment`: {error}"), "write `sandbox`")
    })?;
    // Before anything is made: a folder that is no project stays as it is.
    let folder = root(&arguments.folder)?;
    // For people at work: a log to be read, a database beside the project.
    let data = folder.join(".qc").join("dev").display().to_string();
    let defaults =
        [("log_format", "text".to_owned()), ("log_level", "warn".to_owned()), ("data_dir", data)];
    let config = session.settings_or(arguments.settings.0, defaults.into())?;
    telemetry::begin(&config)?;
    let credentials = Credentials::of(&config, &session.variables)?;
    let output = session.output;
    let context = session.context_path();
    let running = Running::start(&signals, &config, credentials, context, output).await?;
    output.say(&format!("serving {} on {}", folder.display(), running.url));
    let (changed, mut changes) = mpsc::channel(1);
    let _watcher = watch(&folder, changed)?;
    let mut following = Following { running: &running, environment, output, troubled: false };
    let following = async {
        loop {
            following.update(&folder).await;
            if changes.recv().await.is_none() {
                return;
            }
            tokio::time::sleep(REST).await;
            while changes.try_recv().is_ok() {}
        }
    };
    signals.unless(following).await;
    running.end().await;
    Ok(Exit::Ok)
}

fn watch(folder: &Path, changed: mpsc::Sender<()>) -> Result<notify::RecommendedWatcher, Trouble> {
    let trouble = |error: notify::Error| {
        let message = format!("{} cannot be watched: {error}", folder.display());
        Trouble::new(Exit::Internal, Finding::error(codes::FILE, message))
    };
    let root = folder.canonicalize().map_err(|error| Trouble::file(folder, &error))?;
    let hidden = move |path: &PathBuf| {
        let inside = path.strip_prefix(&root).unwrap_or(path);
        inside.components().enumerate().any(|(depth, part)| {
            let is_hidden = |name: &str| name.starts_with('.') || (name == "target" && depth != 1);
            part.as_os_str().to_str().is_some_and(is_hidden)
        })
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let matters = match &event {
            Ok(event) => !event.kind.is_access() && !event.paths.iter().all(&hidden),
            Err(_) => true,
        };
        if matters {
            match changed.try_send(()) {
                // A full channel means that a look at the files is due anyway; a closed one that the program ends.
                Ok(()) | Err(_) => {}
            }
        }
    })
    .map_err(trouble)?;
    let root = folder.canonicalize().map_err(|error| Trouble::file(folder, &error))?;
    watcher.watch(&root, RecursiveMode::Recursive).map_err(trouble)?;
    Ok(watcher)
}

/// A working tree as it is followed.
struct Following<'a> {
    running: &'a Running,
    environment: EnvironmentName,
    output: Output,
    /// Whether the last look found something that could not run: then the next one says also what did not change.
    troubled: bool,
}

impl Following<'_> {
    /// Runs the working tree as it is now. What has errors stays as it was.
    async fn update(&mut self, folder: &Path) {
        let was_troubled = std::mem::replace(&mut self.troubled, true);
        let Some(project) = self.load(folder).await else { return };
        self.troubled = false;
        let names: BTreeSet<String> = project.integrations().keys().cloned().collect();
        for name in names {
            match deploy(self.running, &project, &name, &self.environment).await {
                Ok(Deployed { new: false, .. }) if !was_troubled => {}
                Ok(Deployed { hash, new }) => {
                    let note = if new { "" } else { ", as before" };
                    self.output.say(&format!("{name} runs as {}{note}", short(&hash)));
                }
                Err(findings) => {
                    self.troubled = true;
                    let first = findings.first().map_or_else(String::new, ToString::to_string);
                    self.output.say(&format!("{name} stays as it was: {first}"));
                }
            }
        }
    }

    /// Reads the project and says what is wrong with it; None when it cannot be read at all.
    async fn load(&self, folder: &Path) -> Option<Project> {
        let (folder, output) = (folder.to_owned(), self.output);
        let loading = tokio::task::spawn_blocking(move || {
            let project = project(&folder)?;
            let findings = project.check();
            Ok::<_, Trouble>((project, findings))
        });
        let (project, findings) = match loading.await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(trouble)) => {
                output.trouble(&trouble);
                return None;
            }
            Err(_) => {
                output.say("the project was not read: the reading itself failed");
                return None;
            }
        };
        let shown: Vec<Finding> =
            findings.into_iter().filter(|finding| finding.severity > Severity::Note).collect();
        if !shown.is_empty() {
            let format =
                if output.json { Format::Json } else { Format::Human { colour: output.color } };
            output.say(render(format, &shown, project.files()).trim_end());
        }
        Some(project)
    }
}

/// What runs now.
pub(super) struct Deployed {
    /// Its release.
    pub(super) hash: String,
    /// Whether something else ran before.
    pub(super) new: bool,
}

/// Builds and deploys a project's integration, unless it runs already.
pub(super) async fn deploy(
    running: &Running,
    project: &Project,
    name: &str,
    environment: &EnvironmentName,
) -> Result<Deployed, Vec<Finding>> {
    let platform = &running.platform;
    let bundle = qc_project::compile::build(project, name)?;
    let current = platform.engine.deployments();
    let current = current.lookup(environment.as_str(), name).map(|one| one.release.hash.clone());
    if current.as_deref() == Some(bundle.hash()) {
        return Ok(Deployed { hash: bundle.hash().to_owned(), new: false });
    }
    let office = Office {
        store: &*platform.store,
        committer: &platform.committer,
        clock: &*platform.clock,
        entropy: &*platform.entropy,
    };
    let actor = Actor::platform("dev");
    let said = |error: qc_release::ReleaseError| {
        vec![
            error
                .finding()
                .unwrap_or_else(|| Finding::error(codes::DATA_DIRECTORY, error.to_string())),
        ]
    };
    let built = qc_release::Built { from: Some("working tree"), by: &actor, units: &[] };
    qc_release::save(office, &bundle, built).await.map_err(said)?;
    let compiled = platform.catalogue.compiled(environment, bundle.hash()).await;
    compiled.map_err(qc_server::CompileError::findings)?;
    qc_release::deploy(office, environment, bundle.hash(), &actor, &serde_json::Value::Null)
        .await
        .map_err(said)?;
    platform.catalogue.reload(&platform.engine).await.map_err(said)?;
    Ok(Deployed { hash: bundle.hash().to_owned(), new: true })
}
