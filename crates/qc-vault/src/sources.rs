use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use qc_model::{Code, EnvironmentName, Finding};

use crate::{
    MissingSecret, Secret, SecretRef, codes,
    kv::{Kept, KvShelf},
    stored::{Shelf, Shelved},
};

/// The largest secret, in bytes: a private key with its certificates fits.
pub(crate) const LARGEST: u64 = 64 * 1024;
/// Values of files kept in memory; beyond it the cache starts anew.
const CACHED_FILES: usize = 4096;
/// What an earlier value's name ends with while both are valid.
const PREVIOUS: &str = ".previous";

/// Where secrets are found. Looked up in this order: the vault, a KV engine, a directory of files, a snapshot of the process
/// environment, a map in memory. A value found for one environment is never given to another.
#[derive(Default)]
pub struct Secrets {
    shelf: Arc<Shelf>,
    kv: Arc<KvShelf>,
    directory: Option<PathBuf>,
    environment: BTreeMap<String, Secret>,
    memory: RwLock<HashMap<(String, String), Secret>>,
    files: RwLock<HashMap<PathBuf, CachedFile>>,
}

/// A file's value as read, and what tells that the file has changed since.
struct CachedFile {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
    value: Secret,
}

impl Secrets {
    /// Without any source; every look-up fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// What of the vault is at hand; empty until a [`Vault`](crate::Vault) fills it.
    pub fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf)
    }

    /// What of a KV engine is at hand; off until a [`KvKeeper`](crate::KvKeeper) fills it.
    pub fn kv(&self) -> Arc<KvShelf> {
        Arc::clone(&self.kv)
    }

    /// Also looks for `<directory>/<environment>/<name>`, as container platforms mount secrets.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Also looks in a snapshot of the process environment, of which only `QC_SECRET_*` is kept.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with("QC_SECRET_"));
        self.environment.extend(ours.map(|(name, value)| (name, Secret::new(value))));
        self
    }

    /// Also knows this value. For tests, demonstrations and acceptance scenarios.
    #[must_use]
    pub fn with_value(self, environment: &str, name: &str, value: &str) -> Self {
        self.set(environment, name, value);
        self
    }

    /// Sets or replaces a value in memory. The earlier value's name is `<name>.previous`.
    pub fn set(&self, environment: &str, name: &str, value: &str) {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        memory.insert((environment.to_owned(), name.to_owned()), Secret::new(value));
    }

    /// The present value.
    pub fn lookup(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
    ) -> Result<Secret, MissingSecret> {
        self.find(environment, reference, "")
            .and_then(|found| found.ok_or_else(|| self.missing(environment, reference, None)))
    }

    /// All values that are valid now: the present one, then the previous one when there is one.
    pub fn live(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
    ) -> Result<Vec<Secret>, MissingSecret> {
        let mut values = vec![self.lookup(environment, reference)?];
        if let Ok(Some(previous)) = self.find(environment, reference, PREVIOUS) {
            values.push(previous);
        }
        Ok(values)
    }

    /// Problems of these references in this environment: missing, unusable, or readable by everybody.
    pub fn check<'a>(
        &self,
        environment: &EnvironmentName,
        references: impl IntoIterator<Item = &'a SecretRef>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for reference in references {
            if let Err(missing) = self.lookup(environment, reference) {
                findings.push(missing.finding());
            } else if let Some(path) = self.path(environment, reference, "")
                && readable_by_everybody(&path)
            {
                let message = format!(
                    "the file of `{reference}` in `{environment}` can be read by everybody"
                );
                findings.push(
                    Finding::warning(codes::WORLD_READABLE, message)
                        .help(format!("chmod o-rwx {}", path.display())),
                );
            }
        }
        findings
    }

    fn find(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
        suffix: &str,
    ) -> Result<Option<Secret>, MissingSecret> {
        match self.shelf.find(environment, reference.name(), !suffix.is_empty()) {
            Shelved::Value(value) => return Ok(Some(value)),
            Shelved::NoPrevious => return Ok(None),
            Shelved::Unusable(why) => return Err(self.unusable(environment, reference, why)),
            Shelved::NotHere => {}
        }
        match self.kv.find(environment, reference.name(), !suffix.is_empty()) {
            Kept::Value(value) => return Ok(Some(value)),
            Kept::NoPrevious => return Ok(None),
            // An old file must not come to life while the engine does not tell.
            Kept::Unusable(error) => {
                let why = Some((error.code(), error.to_string()));
                return Err(self.missing(environment, reference, why));
            }
            Kept::NotHere => {}
        }
        if let Some(path) = self.path(environment, reference, suffix) {
            match self.read(&path) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(why) => return Err(self.unusable(environment, reference, why)),
            }
        }
        if !self.environment.is_empty() {
            let mut variable = reference.variable(environment.as_str());
            if !suffix.is_empty() {
                variable.push_str("_PREVIOUS");
            }
            if let Some(value) = self.environment.get(&variable) {
                return Ok(Some(value.clone()));
            }
        }
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let key = (environment.as_str().to_owned(), format!("{}{suffix}", reference.name()));
        Ok(memory.get(&key).cloned())
    }

    fn path(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
        suffix: &str,
    ) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        Some(directory.join(environment.as_str()).join(format!("{}{suffix}", reference.name())))
    }

    /// The file's value; None when there is no file. Read again only when the file has changed.
    fn read(&self, path: &Path) -> Result<Option<Secret>, String> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(format!("its file cannot be read: {}", error.kind())),
        };
        let (modified, length, inode) =
            (metadata.modified().ok(), metadata.len(), inode(&metadata));
        {
            let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(cached) = files.get(path)
                && (cached.modified, cached.length, cached.inode) == (modified, length, inode)
            {
                return Ok(Some(cached.value.clone()));
            }
        }
        let value = load(path)?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= CACHED_FILES {
            files.clear();
        }
        let cached = CachedFile { modified, length, inode, value: value.clone() };
        files.insert(path.to_owned(), cached);
        Ok(Some(value))
    }

    fn unusable(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
        why: String,
    ) -> MissingSecret {
        self.missing(environment, reference, Some((codes::UNUSABLE_SECRET, why)))
    }

    fn missing(
        &self,
        environment: &EnvironmentName,
        reference: &SecretRef,
        unusable: Option<(Code, String)>,
    ) -> MissingSecret {
        let mut looked_in = Vec::new();
        if self.shelf.is_on() {
            looked_in.push("the vault (`qc secrets set`)".to_owned());
        }
        looked_in.extend(self.kv.place());
        if let Some(path) = self.path(environment, reference, "") {
            looked_in.push(format!("the file {}", path.display()));
        }
        looked_in.push(format!("the variable {}", reference.variable(environment.as_str())));
        MissingSecret {
            reference: reference.clone(),
            environment: environment.clone(),
            looked_in,
            unusable,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("directory", &self.directory)
            .field("variables", &self.environment.len())
            .finish_non_exhaustive()
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn load(path: &Path) -> Result<Secret, String> {
    let describe = |error: io::Error| format!("its file cannot be read: {}", error.kind());
    let file = fs::File::open(path).map_err(describe)?;
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(256));
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(describe)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("its file is larger than {LARGEST} bytes"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "its file is not UTF-8 text".to_owned())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("its file is empty".to_owned());
    }
    Ok(Secret::new(text))
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(unix)]
fn readable_by_everybody(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_everybody(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> EnvironmentName {
        EnvironmentName::new(name).unwrap()
    }

    fn reference(name: &str) -> SecretRef {
        SecretRef::parse(&format!("secret://{name}")).unwrap()
    }

    fn write(path: &Path, value: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value).unwrap();
    }

    #[test]
    fn a_file_wins_over_a_variable_over_memory() {
        let folder = tempfile::tempdir().unwrap();
        let variable = ("QC_SECRET_SANDBOX_CRM_TOKEN".to_owned(), "variable".to_owned());
        let secrets = Secrets::none()
            .with_directory(folder.path())
            .with_variables([variable])
            .with_value("sandbox", "crm/token", "memory")
            .with_value("sandbox", "other", "memory");
        let sandbox = environment("sandbox");
        assert_eq!(secrets.lookup(&sandbox, &reference("crm/token")).unwrap().expose(), "variable");
        write(&folder.path().join("sandbox/crm/token"), "file\n");
        assert_eq!(secrets.lookup(&sandbox, &reference("crm/token")).unwrap().expose(), "file");
        assert_eq!(secrets.lookup(&sandbox, &reference("other")).unwrap().expose(), "memory");
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("production/key");
        let secrets = Secrets::none().with_directory(folder.path());
        let (production, key) = (environment("production"), reference("key"));
        write(&path, "one");
        assert_eq!(secrets.lookup(&production, &key).unwrap().expose(), "one");
        // Replaced by renaming, as a mounted secret is: the same length, perhaps the same instant.
        write(&folder.path().join("new"), "two");
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(secrets.lookup(&production, &key).unwrap().expose(), "two");
    }

    #[test]
    fn an_environment_never_sees_the_secrets_of_another() {
        let secrets = Secrets::none().with_value("sandbox", "key", "s");
        let missing = secrets.lookup(&environment("production"), &reference("key")).unwrap_err();
        assert_eq!(missing.failure().code, codes::MISSING_SECRET);
        assert_eq!(missing.failure().retry, qc_model::Retry::OnEvent);
        let text = missing.to_string();
        assert!(
            text.contains("secret://key") && text.contains("QC_SECRET_PRODUCTION_KEY"),
            "{text}"
        );
    }

    #[test]
    fn two_values_are_live_during_a_change_over() {
        let secrets = Secrets::none().with_value("sandbox", "hook", "new");
        let (sandbox, hook) = (environment("sandbox"), reference("hook"));
        assert_eq!(secrets.live(&sandbox, &hook).unwrap().len(), 1);
        secrets.set("sandbox", "hook.previous", "old");
        let values = secrets.live(&sandbox, &hook).unwrap();
        assert_eq!(values.iter().map(Secret::expose).collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn an_empty_or_binary_or_huge_file_is_unusable_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::none().with_directory(folder.path());
        let sandbox = environment("sandbox");
        write(&folder.path().join("sandbox/empty"), "\n");
        write(&folder.path().join("sandbox/huge"), &"x".repeat(65 * 1024));
        fs::write(folder.path().join("sandbox/binary"), [0xff, 0xfe]).unwrap();
        for name in ["empty", "huge", "binary"] {
            let missing = secrets.lookup(&sandbox, &reference(name)).unwrap_err();
            assert_eq!(missing.finding().code, codes::UNUSABLE_SECRET, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_reads_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox/key");
        write(&path, "value");
        let secrets = Secrets::none().with_directory(folder.path());
        let check = || secrets.check(&environment("sandbox"), [&reference("key")]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(check()[0].code, codes::WORLD_READABLE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(check(), []);
    }
}
