//! Where the command line finds its server: an address and a token, in a file that only its owner can read.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_vault::Secret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    cli::{Exit, Trouble},
    codes,
};

/// A server and the right to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The server's address, such as `http://127.0.0.1:7070`.
    pub(crate) url: String,
    /// The address at which it takes events, when that is another one.
    pub(crate) events_url: Option<String>,
    /// The token; None for a server's health only.
    pub(crate) token: Option<Secret>,
}

/// Where a server is.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// Of its management API.
    pub(crate) url: String,
    /// Where it takes events, when that is another one.
    pub(crate) events_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events_url: Option<String>,
    token: String,
}

/// The usual place of the context file, by the process environment.
pub(crate) fn usual_path(environment: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(path) = environment("QC_CONTEXT") {
        return Some(PathBuf::from(path));
    }
    let base = environment("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| environment("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(base.join("quickconnect").join("context.json"))
}

/// Reads a context file; None when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Context>, Trouble> {
    let Some(file) = read_own::<File>(path)? else { return Ok(None) };
    let token = Some(Secret::new(file.token));
    Ok(Some(Context { url: file.url, events_url: file.events_url, token }))
}

/// Reads a file that nobody else can read; None when there is none.
pub(crate) fn read_own<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Trouble> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error.to_string())),
    };
    if let Some(mode) = open_to_others(path) {
        let why = format!("others can read it (mode {mode:o}), and it holds a token");
        return Err(unusable(path, &why));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| unusable(path, &error.to_string()))
}

/// Writes a context file that only its owner can read.
pub(crate) fn write(path: &Path, at: &Addresses, token: &Secret) -> Result<(), Trouble> {
    let Addresses { url, events_url } = at.clone();
    write_own(path, &File { schema_version: 1, url, events_url, token: token.expose().to_owned() })
}

/// Writes a file that only its owner can read.
pub(crate) fn write_own(path: &Path, value: &impl Serialize) -> Result<(), Trouble> {
    let trouble = |error: io::Error| unusable(path, &error.to_string());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(trouble)?;
    }
    let text = serde_json::to_string_pretty(value).expect("plain data");
    // Written beside and renamed, so that nobody ever sees half of it or a readable one.
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut handle = options.open(&beside).map_err(trouble)?;
    handle.write_all(text.as_bytes()).and_then(|()| handle.sync_all()).map_err(trouble)?;
    fs::rename(&beside, path).map_err(trouble)
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<u32> {
    None
}

fn unusable(path: &Path, why: &str) -> Trouble {
    let message = format!("the file {} cannot be used: {why}", path.display());
    let help = format!(
        "chmod 600 {0}, or remove it and start `qc serve`, or `qc login`, again",
        path.display()
    );
    Trouble::new(Exit::Auth, Finding::error(codes::CONTEXT_FILE, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nobody_else_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/context.json");
        assert!(read(&path).unwrap().is_none());
        let url = "http://127.0.0.1:1".to_owned();
        let at = Addresses { url, events_url: Some("http://127.0.0.1:2".to_owned()) };
        write(&path, &at, &Secret::new("t")).unwrap();
        let context = read(&path).unwrap().unwrap();
        assert_eq!(context.url, at.url);
        assert_eq!(context.events_url, at.events_url);
        assert_eq!(context.token.unwrap().expose(), "t");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(read(&path).unwrap_err().findings[0].code, codes::CONTEXT_FILE);
        }
    }

    #[test]
    fn the_place_follows_the_environment() {
        let with = |pairs: &'static [(&str, &str)]| {
            usual_path(&move |name: &str| {
                pairs.iter().find(|(own, _)| *own == name).map(|(_, v)| (*v).to_owned())
            })
        };
        assert_eq!(with(&[("QC_CONTEXT", "/x"), ("HOME", "/h")]), Some("/x".into()));
        let expected = Path::new("/h/.config/quickconnect/context.json");
        assert_eq!(with(&[("HOME", "/h")]).as_deref(), Some(expected));
        assert_eq!(with(&[]), None);
    }
}
