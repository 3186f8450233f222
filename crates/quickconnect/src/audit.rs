//! The audit's log on this node: its key, its sealing by one node for all, and checkpoints that go elsewhere.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use qc_audit::{Newest, Sealed, Sealer, Seed, newest};
use qc_engine::Engine;
use qc_model::{Body, Caller, Entropy, Finding, OutboundRequest, Reach};
use qc_store::StoreError;
use tokio::time::{Instant, sleep};

use crate::{
    cli::{Exit, Trouble},
    codes,
    config::{Config, StoreKind},
    wiring::Platform,
};

/// How often rows are looked for: one is sealed within a second of its commit.
const LOOK: Duration = Duration::from_millis(500);
/// The pause after the store failed to answer.
const AGAIN: Duration = Duration::from_secs(2);
/// The chore's name: one node does it.
const CHORE: &str = "audit";
/// The key's file in the data directory.
const KEY: &str = "audit.key";
/// How long sending a checkpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of an answer to a checkpoint is read.
const ANSWER_MAX: usize = 64 * 1024;
/// The most rounds in which the last rows are sealed before the server ends.
const LAST_ROUNDS: usize = 20;

/// Where checkpoints go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoints {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) url: Option<String>,
    pub(crate) every: Duration,
}

/// The sealer of this node.
pub(crate) fn sealer(config: &Config, platform: &Platform) -> Result<Sealer, Trouble> {
    let seed = match (&config.audit_key, &config.store) {
        (None, StoreKind::Memory) => fresh(&*platform.entropy),
        (path, _) => {
            let usual = config.data_dir.join(KEY);
            let path = path.as_deref().unwrap_or(&usual);
            seed_of(path, &*platform.entropy).map_err(|why| {
                let message = format!("the audit's key {}: {why}", path.display());
                let help = "it is 64 hexadecimal digits that only the server may read; when there is none, the server makes it";
                Trouble::new(Exit::Usage, Finding::error(codes::AUDIT_KEY, message).help(help))
            })?
        }
    };
    Ok(Sealer {
        store: Arc::clone(&platform.store),
        committer: platform.committer.clone(),
        clock: Arc::clone(&platform.clock),
        entropy: Arc::clone(&platform.entropy),
        seed: Seed::new(seed),
        node: platform.engine.node().to_owned(),
    })
}

fn fresh(entropy: &dyn Entropy) -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&entropy.next_u64().to_le_bytes());
    }
    seed
}

/// The secret in a file; made when there is none.
fn seed_of(path: &Path, entropy: &dyn Entropy) -> Result<[u8; 32], String> {
    match fs::read_to_string(path) {
        Ok(text) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions();
                if mode.mode() & 0o077 != 0 {
                    return Err(format!("others can read it (mode {:o})", mode.mode() & 0o777));
                }
            }
            unhex(text.trim()).ok_or_else(|| "it is not 64 hexadecimal digits".to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let seed = fresh(entropy);
            let text = seed.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            create(path, &text).map_err(|error| error.to_string())?;
            Ok(seed)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whole or not at all: a key that was cut off would be another one.
fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write_whole(path, &options, &format!("{text}\n"))
}

fn write_whole(path: &Path, options: &OpenOptions, text: &str) -> io::Result<()> {
    let young = path.with_extension("new");
    let mut file = options.open(&young)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&young, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(seed)
}

/// Seals, and sends checkpoints elsewhere, for ever; by one node for all.
pub(crate) async fn keep(
    engine: Engine,
    sealer: Arc<Sealer>,
    checkpoints: Checkpoints,
    caller: Arc<dyn Caller>,
) {
    let mut export = Export { checkpoints, caller, sent: None, due: Instant::now() };
    let mut pause = LOOK;
    loop {
        sleep(pause).await;
        pause = LOOK;
        if !engine.does(CHORE) {
            continue;
        }
        if let Err(error) = seal(&sealer, usize::MAX).await {
            tracing::warn!(%error, "the audit cannot be sealed now");
            pause = AGAIN;
        }
        if Instant::now() >= export.due {
            export.due = Instant::now() + export.checkpoints.every;
            export.send(&sealer).await;
        }
    }
}

/// Seals what is left, before the server ends.
pub(crate) async fn finish(sealer: &Sealer) {
    if let Err(error) = seal(sealer, LAST_ROUNDS).await {
        tracing::warn!(%error, "the last rows of the audit are sealed at the next start");
    }
}

/// Seals until nothing is left.
async fn seal(sealer: &Sealer, rounds: usize) -> Result<(), StoreError> {
    for _ in 0..rounds {
        match sealer.round().await? {
            Sealed::Nothing => break,
            Sealed::Overtaken | Sealed::Rows { gaps: 0, .. } => {}
            Sealed::Rows { gaps, .. } => {
                tracing::error!(gaps, code = %codes::AUDIT_MISSING, "rows of the audit are missing; `qc audit list` shows where");
            }
        }
    }
    Ok(())
}

struct Export {
    checkpoints: Checkpoints,
    caller: Arc<dyn Caller>,
    /// The size of the log that was sent last.
    sent: Option<u64>,
    due: Instant,
}

impl Export {
    /// Sends the newest checkpoint, unless it was sent. What fails is tried again at the next time.
    async fn send(&mut self, sealer: &Sealer) {
        let Checkpoints { folder, url, .. } = &self.checkpoints;
        if folder.is_none() && url.is_none() {
            return;
        }
        let newest = match newest(&*sealer.store).await {
            Ok(Some(newest)) if self.sent != Some(newest.size) => newest,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "the audit's checkpoint cannot be read now");
                return;
            }
        };
        let mut done = true;
        if let Some(folder) = folder
            && let Err(error) = store(folder, &newest)
        {
            tracing::error!(%error, folder = %folder.display(), "the audit's checkpoint cannot be written there");
            done = false;
        }
        if let Some(url) = url
            && let Err(why) = post(&*self.caller, url, &newest).await
        {
            tracing::error!(why, "the audit's checkpoint was not taken at `audit_checkpoints_url`");
            done = false;
        }
        if done {
            self.sent = Some(newest.size);
        }
    }
}

/// Writes a file of its own for each size; one that is there already is left as it is.
fn store(folder: &Path, newest: &Newest) -> io::Result<()> {
    let path = folder.join(format!("{:012}.checkpoint", newest.size));
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    write_whole(&path, &options, &newest.checkpoint)
}

async fn post(caller: &dyn Caller, url: &str, newest: &Newest) -> Result<(), String> {
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    let request = OutboundRequest {
        method: Method::POST,
        url: url.to_owned(),
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, text)]),
        body: Body::Bytes(Bytes::from(newest.checkpoint.clone())),
        timeout: PATIENCE,
        connect_timeout: None,
        reach: Reach::Anywhere,
        identity: None,
    };
    let response = caller.call(request).await.map_err(|error| error.to_string())?;
    let status = response.status;
    // Read to its end also when nobody wants it: the connection can be used again.
    drop(response.body.collect(ANSWER_MAX).await);
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::OsEntropy;

    #[cfg(unix)]
    #[test]
    fn a_key_is_made_once_and_kept_to_its_server() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(KEY);
        let made = seed_of(&path, &OsEntropy::default()).unwrap();
        assert_eq!(seed_of(&path, &OsEntropy::default()), Ok(made));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(seed_of(&path, &OsEntropy::default()).unwrap_err().contains("640"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "12").unwrap();
        assert!(seed_of(&path, &OsEntropy::default()).unwrap_err().contains("64"));
    }
}
