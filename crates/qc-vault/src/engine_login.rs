//! Who we are to HashiCorp Vault or OpenBao.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use qc_model::{Caller, Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{
    Secret,
    kv::{KvError, ask},
};

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The largest token, id or JWT, in bytes.
const TOKEN_MAX: u64 = 16 * 1024;
/// A token is renewed when so much of its lease is over, of 100.
const RENEW_AT: u32 = 66;

/// How a token for the engine is got. Files are read anew each time, so that they may be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineLogin {
    /// From a file that somebody else, such as the engine's agent, keeps up.
    TokenFile(PathBuf),
    /// By the auth method AppRole, from the files `role-id` and `secret-id` of a folder.
    AppRole {
        /// The folder.
        folder: PathBuf,
        /// Where the method is mounted.
        mount: String,
    },
    /// By the auth method Kubernetes, with the token of the pod's service account.
    Kubernetes {
        /// The role.
        role: String,
        /// The file of the service account's token.
        jwt: PathBuf,
        /// Where the method is mounted.
        mount: String,
    },
}

/// A text does not say how a token is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not `token:<file>`, `approle:<folder>` or `kubernetes:<role>`, with `@<mount>` where the method is mounted elsewhere"
)]
pub struct EngineLoginError;

impl FromStr for EngineLogin {
    type Err = EngineLoginError;
    fn from_str(text: &str) -> Result<Self, EngineLoginError> {
        let (kind, rest) = text.split_once(':').ok_or(EngineLoginError)?;
        let (rest, mount) = rest.split_once('@').map_or((rest, None), |(a, b)| (a, Some(b)));
        let name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let legal = |text: &str| !text.is_empty() && text.chars().all(name);
        if rest.is_empty() || mount.is_some_and(|mount| !legal(mount)) {
            return Err(EngineLoginError);
        }
        let mounted = |usual: &str| mount.unwrap_or(usual).to_owned();
        match kind {
            "token" if mount.is_none() => Ok(Self::TokenFile(rest.into())),
            "approle" => Ok(Self::AppRole { folder: rest.into(), mount: mounted("approle") }),
            "kubernetes" if legal(rest) => Ok(Self::Kubernetes {
                role: rest.to_owned(),
                jwt: SERVICE_ACCOUNT.into(),
                mount: mounted("kubernetes"),
            }),
            _ => Err(EngineLoginError),
        }
    }
}

impl fmt::Display for EngineLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenFile(file) => write!(f, "token:{}", file.display()),
            Self::AppRole { folder, mount } => write!(f, "approle:{}@{mount}", folder.display()),
            Self::Kubernetes { role, mount, .. } => write!(f, "kubernetes:{role}@{mount}"),
        }
    }
}

/// Who we are to the engine: a token that is renewed while it can be, and got anew when it cannot.
pub(crate) struct Session {
    address: String,
    login: EngineLogin,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Secret,
    renewable: bool,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

impl Session {
    pub(crate) fn new(
        address: String,
        login: EngineLogin,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { address, login, caller, clock, held: Mutex::default() }
    }

    /// A token that holds now.
    pub(crate) async fn token(&self) -> Result<Secret, KvError> {
        let (path, body) = match &self.login {
            EngineLogin::TokenFile(file) => return read(file),
            EngineLogin::AppRole { folder, mount } => {
                let (role, secret) =
                    (read(&folder.join("role-id"))?, read(&folder.join("secret-id"))?);
                let body = json!({ "role_id": role.expose(), "secret_id": secret.expose() });
                (format!("auth/{mount}/login"), Zeroizing::new(body.to_string()))
            }
            EngineLogin::Kubernetes { role, jwt, mount } => {
                let body = json!({ "role": role, "jwt": read(jwt)?.expose() });
                (format!("auth/{mount}/login"), Zeroizing::new(body.to_string()))
            }
        };
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some(present) = &*held {
            if now < present.renew_at {
                return Ok(present.token.clone());
            }
            if now < present.expires_at && present.renewable {
                match self.renewed(&present.token).await {
                    Ok(next) => {
                        let token = next.token.clone();
                        *held = Some(next);
                        return Ok(token);
                    }
                    // It still holds; the next one who comes tries again.
                    Err(error) if error.is_everywhere() => return Ok(present.token.clone()),
                    // At the end of its longest life, or revoked.
                    Err(_) => {}
                }
            }
        }
        let answer =
            ask(&self.caller, format!("{}/v1/{path}", self.address), None, Some(body)).await;
        let answer = match (answer, &*held) {
            (Ok(answer), _) => answer,
            (Err(KvError::Denied(why)), _) => return Err(KvError::Login(why)),
            (Err(error), Some(present)) if error.is_everywhere() && now < present.expires_at => {
                return Ok(present.token.clone());
            }
            (Err(error), _) => return Err(error),
        };
        let next = self.lease(&answer.unwrap_or_default(), None)?;
        let token = next.token.clone();
        *held = Some(next);
        Ok(token)
    }

    /// Forgets a token that was refused, so that another one is got. False: there is no other one.
    pub(crate) async fn forget(&self, refused: &Secret) -> bool {
        if matches!(self.login, EngineLogin::TokenFile(_)) {
            // Its keeper may have replaced it while we asked.
            return self.token().await.is_ok_and(|token| token != *refused);
        }
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.token == *refused) {
            *held = None;
        }
        true
    }

    async fn renewed(&self, token: &Secret) -> Result<Held, KvError> {
        let url = format!("{}/v1/auth/token/renew-self", self.address);
        let answer =
            ask(&self.caller, url, Some(token), Some(Zeroizing::new("{}".to_owned()))).await?;
        self.lease(&answer.unwrap_or_default(), Some(token))
    }

    fn lease(&self, answer: &Value, same: Option<&Secret>) -> Result<Held, KvError> {
        let auth = &answer["auth"];
        let token = auth["client_token"].as_str().map(Secret::new).or_else(|| same.cloned());
        let token = token.ok_or_else(|| {
            KvError::Login(
                "the login's answer has no token; is the method mounted there?".to_owned(),
            )
        })?;
        let seconds = auth["lease_duration"].as_u64().unwrap_or_default();
        let (now, lease) = (self.clock.now(), Duration::from_secs(seconds));
        // A token without an end (0) is looked at again each hour.
        let lease = if lease.is_zero() { Duration::from_secs(3_600) } else { lease };
        Ok(Held {
            token,
            renewable: auth["renewable"].as_bool().unwrap_or_default(),
            renew_at: now + lease * RENEW_AT / 100,
            expires_at: now + lease,
        })
    }
}

fn read(file: &Path) -> Result<Secret, KvError> {
    let place = file.display();
    let denied = |why: String| KvError::Login(format!("the file {place} {why}"));
    let size =
        fs::metadata(file).map_err(|error| denied(format!("cannot be read: {}", error.kind())))?;
    if size.len() > TOKEN_MAX {
        return Err(denied("is too large".to_owned()));
    }
    let text = fs::read_to_string(file)
        .map_err(|error| denied(format!("cannot be read: {}", error.kind())))?;
    let text = Zeroizing::new(text);
    match text.trim() {
        "" => Err(denied("is empty".to_owned())),
        text => Ok(Secret::new(text)),
    }
}
