//! A server of the test's own, with the integration deployed and its systems simulated.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use qc_connect::webhook::SignatureScheme;
use qc_engine::{Trigger, TriggerAuth};
use qc_model::{Clock, EnvironmentName, Finding};
use qc_project::{
    IntegrationFolder, Project,
    acceptance::{StandIns, stand_ins},
    compile::Compiled,
};
use qc_vault::{Secret, Secrets};

use crate::{
    cli::{Exit, Trouble, client::Client, dev, session::Session},
    codes,
    config::{Config, Said},
    context,
    lifecycle::Running,
    signals::Signals,
    telemetry,
    wiring::{Credentials, StandIn, SystemClock},
};

/// With which all events are signed: base64, because that is what schemes for signatures ask for.
const SIGNING: &str = "bG9hZHRlc3Q=";
/// Where servers of load tests keep their data, each in a folder of its own, in the project's.
const PLACE: &str = ".qc/loadtest";

/// Everything that a test needs.
pub(super) struct Stage {
    pub(super) running: Running,
    pub(super) client: Client,
    pub(super) compiled: Compiled,
    pub(super) environment: EnvironmentName,
    release: String,
    place: Place,
}

impl Stage {
    /// Sets it.
    pub(super) async fn set(
        session: &Session,
        (folder, project): (&Path, &Project),
        integration: &IntegrationFolder,
        (environment, store): (&EnvironmentName, &str),
        signals: &Signals,
    ) -> Result<Self, Trouble> {
        let bundle =
            qc_project::compile::build(project, integration.name()).map_err(Trouble::findings)?;
        let compiled =
            qc_project::compile::release(&bundle.effective()).map_err(Trouble::findings)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stand_ins = stand_ins(project, integration, &compiled, environment, &clock)
            .map_err(Trouble::findings)?;
        let place = Place::below(folder)?;
        let config = settings(session, &place, store)?;
        telemetry::begin(&config)?;
        let others = stand_ins.others.clone();
        let credentials = credentials(&compiled, stand_ins, environment);
        // Its own, so that the user's stays as it is.
        let context = Some(config.data_dir.join("context.json"));
        let running =
            Running::start(signals, &config, credentials, context, session.output.hushed()).await?;
        let stage = match client_of(session, &running) {
            Err(trouble) => Err(trouble),
            Ok(client) => deployed(&running, project, environment, &others, integration.name())
                .await
                .map(|release| (client, release)),
        };
        match stage {
            Ok((client, release)) => {
                let environment = environment.clone();
                Ok(Self { running, client, compiled, environment, release, place })
            }
            Err(trouble) => {
                running.end().await;
                Err(trouble)
            }
        }
    }

    /// The release's hash.
    pub(super) fn release(&self) -> &str {
        &self.release
    }

    /// What signs for a trigger.
    pub(super) fn signing(trigger: &Trigger) -> Option<(&SignatureScheme, Secret)> {
        match &trigger.auth {
            TriggerAuth::Signature { scheme, .. } => Some((scheme, Secret::new(SIGNING))),
            TriggerAuth::Token | TriggerAuth::Open | TriggerAuth::Fetched => None,
        }
    }

    /// Ends everything.
    pub(super) async fn end(self) {
        self.running.end().await;
        drop(self.place);
    }
}

/// The settings of a server that is nobody else's: what is said elsewhere of the user's own does not hold.
fn settings(session: &Session, place: &Place, store: &str) -> Result<Config, Trouble> {
    let data = place.0.display().to_string();
    let flags = [
        ("listen", "127.0.0.1:0"),
        ("store", store),
        ("data_dir", &data),
        ("log_format", "text"),
        ("log_level", "error"),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let said = session.said(flags.into());
    Config::new(&Said { variables: BTreeMap::new(), ..said })
}

/// A folder of this process's own, which goes with this value.
struct Place(PathBuf);

impl Place {
    fn below(folder: &Path) -> Result<Self, Trouble> {
        let place = folder.join(PLACE).join(std::process::id().to_string());
        // Of one that had the same number and was killed.
        if place.exists() {
            fs::remove_dir_all(&place).map_err(|error| Trouble::file(&place, &error))?;
        }
        fs::create_dir_all(&place).map_err(|error| Trouble::file(&place, &error))?;
        Ok(Self(place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn credentials(
    compiled: &Compiled,
    stand_ins: StandIns,
    environment: &EnvironmentName,
) -> Credentials {
    let mut secrets = Secrets::none();
    for (name, value) in &stand_ins.secrets {
        secrets = secrets.with_value(environment.as_str(), name, value);
    }
    for trigger in compiled.release.triggers.values() {
        if let TriggerAuth::Signature { secret, .. } = &trigger.auth {
            secrets = secrets.with_value(environment.as_str(), secret.name(), SIGNING);
        }
    }
    let stand_in = StandIn {
        caller: Arc::new(stand_ins.caller),
        connection: Secret::new(stand_ins.connection),
    };
    Credentials { stand_in: Some(stand_in), ..Credentials::only(secrets) }
}

fn client_of(session: &Session, running: &Running) -> Result<Client, Trouble> {
    let file = running.context_file.as_deref();
    let context = file.map(context::read).transpose()?.flatten().ok_or_else(|| {
        let message = "the store belongs to a server already: it has its tokens";
        let help = "name an empty database with `--store`, or leave it out";
        Trouble::new(Exit::Conflict, Finding::error(codes::LOAD_TEST, message).help(help))
    })?;
    Ok(session.client_of(context)?.of_events())
}

/// Deploys the integration and those whose workflows it runs; its release.
async fn deployed(
    running: &Running,
    project: &Project,
    environment: &EnvironmentName,
    others: &[String],
    integration: &str,
) -> Result<String, Trouble> {
    for other in others {
        dev::deploy(running, project, other, environment).await.map_err(Trouble::findings)?;
    }
    let deployed = dev::deploy(running, project, integration, environment).await;
    Ok(deployed.map_err(Trouble::findings)?.hash)
}
