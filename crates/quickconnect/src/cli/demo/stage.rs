use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use include_dir::{Dir, include_dir};
use qc_model::{Clock, Entropy, EnvironmentName, Finding, Name};
use qc_simulator::{Credentials, ServeSpec, Serving};
use qc_vault::{Secret, Secrets};

use crate::{
    cli::{Exit, Trouble, dev, files::project, session::Session},
    codes,
    lifecycle::Running,
    signals::Signals,
    telemetry,
    wiring::{self, OsEntropy, SystemClock},
};

/// The example, part of the program so that the demonstration works anywhere.
static EXAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/customer-escalation");

pub(super) const INTEGRATION: &str = "customer-escalation";
pub(super) const TRIGGER: &str = "case-escalated";
pub(super) const ENVIRONMENT: &str = "sandbox";
/// The systems, each with the port that the example's sandbox has for it.
const SYSTEMS: [(&str, u16); 3] = [("tracker", 7101), ("crm", 7102), ("chat", 7103)];
/// The port of a server that nobody configured.
const USUAL_PORT: u16 = 7070;
/// Marks a folder as the demonstration's own, so that nothing else is ever emptied.
const MARK: &str = "made-by-qc-demo";

/// Everything that the story needs, at work.
pub(super) struct Stage {
    pub(super) running: Running,
    pub(super) systems: Vec<Serving>,
    pub(super) signing: Secret,
    pub(super) usual_context: Option<PathBuf>,
}

impl Stage {
    /// Sets the stage: the project's files, three simulated systems, a server, and the release deployed.
    pub(super) async fn set(
        session: &Session,
        folder: &Path,
        signals: &Signals,
    ) -> Result<Self, Trouble> {
        let output = session.output;
        empty(folder)?;
        let root = folder.join("project");
        EXAMPLE.extract(make(&root)?).map_err(|error| Trouble::file(&root, &error))?;
        let systems = simulate(&root).await?;
        point_to(&root.join("quickconnect.yaml"), &systems)?;
        for system in &systems {
            output.say(&format!(
                "{:<8} simulated at {}",
                system.provider().name(),
                system.base_url()
            ));
        }
        let entropy = OsEntropy::default();
        let key: Vec<u8> = (0..3).flat_map(|_| entropy.next_u64().to_le_bytes()).collect();
        let signing = Secret::new(format!("whsec_{}", STANDARD.encode(key)));
        let config = |port: u16| {
            let said = [
                ("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()),
                ("data_dir", folder.join("data").display().to_string()),
                ("log_format", "text".to_owned()),
                ("log_level", "error".to_owned()),
            ];
            session.settings(said.map(|(key, value)| (key.to_owned(), value)).into())
        };
        let usual = config(USUAL_PORT)?;
        telemetry::begin(&usual)?;
        let usual_context = session.context_path();
        let secrets = Arc::new(secrets(&signing));
        let start = async |config| {
            let context = usual_context.clone();
            let credentials = wiring::Credentials {
                secrets: Arc::clone(&secrets),
                ring: None,
                kv: None,
                oidc: None,
                stand_in: None,
            };
            Running::start(signals, &config, credentials, context, output).await
        };
        let running = match start(usual).await {
            // Somebody has the usual address; nothing was touched yet.
            Err(trouble) if trouble.findings.iter().any(|found| found.code == codes::LISTEN) => {
                start(config(0)?).await?
            }
            started => started?,
        };
        output.say(&format!("{:<8} serves at {}", "qc", running.url));
        let environment: EnvironmentName = Name::new(ENVIRONMENT).expect("a legal name");
        dev::deploy(&running, &project(&root)?, INTEGRATION, &environment)
            .await
            .map_err(Trouble::findings)?;
        Ok(Self { running, systems, signing, usual_context })
    }

    /// The simulated system of this name.
    pub(super) fn system(&self, name: &str) -> Option<&Serving> {
        self.systems.iter().find(|system| system.provider().name() == name)
    }

    /// Ends everything.
    pub(super) async fn end(self) {
        self.running.end().await;
        for system in self.systems {
            system.stop().await;
        }
    }
}

fn make(folder: &Path) -> Result<&Path, Trouble> {
    fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
    Ok(folder)
}

/// Empties the demonstration's own folder; anybody else's is refused.
fn empty(folder: &Path) -> Result<(), Trouble> {
    let mark = folder.join(MARK);
    if folder.exists() {
        let strange =
            !mark.exists() && fs::read_dir(folder).is_ok_and(|mut all| all.next().is_some());
        if strange {
            let message =
                format!("{} holds something that is not the demonstration's", folder.display());
            return Err(Trouble::usage(
                codes::FILE,
                message,
                "name another folder with `--folder`",
            ));
        }
        fs::remove_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
    }
    make(folder)?;
    fs::write(&mark, "").map_err(|error| Trouble::file(&mark, &error))
}

async fn simulate(root: &Path) -> Result<Vec<Serving>, Trouble> {
    let specs = SYSTEMS.map(|(name, _)| ServeSpec {
        name: name.to_owned(),
        folder: root.join("connectors").join(name),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ledger: None,
        credentials: Credentials::none()
            .api_key("demo-key")
            .bearer("demo-token")
            .client("demo-client", "demo-client-secret"),
        faults: Vec::new(),
        seed: 0,
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    qc_simulator::start(specs.into(), clock).await.map_err(Trouble::findings)
}

/// Writes the systems' addresses where the project has its sandbox's.
fn point_to(file: &Path, systems: &[Serving]) -> Result<(), Trouble> {
    let text = fs::read_to_string(file).map_err(|error| Trouble::file(file, &error))?;
    let mut pointed = text;
    for ((name, port), system) in SYSTEMS.iter().zip(systems) {
        let usual = format!("http://127.0.0.1:{port}");
        if !pointed.contains(&usual) {
            let message = format!("the example's sandbox does not have {name} at {usual}");
            return Err(Trouble::new(Exit::Internal, Finding::error(codes::FILE, message)));
        }
        pointed = pointed.replace(&usual, &system.base_url());
    }
    fs::write(file, pointed).map_err(|error| Trouble::file(file, &error))
}

fn secrets(signing: &Secret) -> Secrets {
    Secrets::none()
        .with_value(ENVIRONMENT, "tracker/client_id", "demo-client")
        .with_value(ENVIRONMENT, "tracker/client_secret", "demo-client-secret")
        .with_value(ENVIRONMENT, "crm/api_key", "demo-key")
        .with_value(ENVIRONMENT, "chat/token", "demo-token")
        .with_value(ENVIRONMENT, "crm/webhook", signing.expose())
}
