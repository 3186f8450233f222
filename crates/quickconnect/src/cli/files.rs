use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_project::{PROJECT_FILE, Project, ProjectFiles};

use super::{Exit, Trouble};

/// Reads a project's folder.
pub(super) fn project(folder: &Path) -> Result<Project, Trouble> {
    let root = root(folder)?;
    ProjectFiles::read(&root).map(Project::load).map_err(Trouble::findings)
}

/// The folder of the project: the one that is named, or, for the one that the user is in, the nearest above it that
/// holds a project. A folder without a project is never read: it may be a home directory.
pub(super) fn root(folder: &Path) -> Result<PathBuf, Trouble> {
    if folder.join(PROJECT_FILE).is_file() {
        return Ok(folder.to_owned());
    }
    if folder == Path::new(".") {
        let here = std::env::current_dir().map_err(|error| Trouble::file(folder, &error))?;
        if let Some(root) = here.ancestors().find(|above| above.join(PROJECT_FILE).is_file()) {
            return Ok(root.to_owned());
        }
    } else if !folder.is_dir() {
        let finding = Finding::error(
            qc_project::codes::NO_PROJECT,
            format!("there is no folder `{}`", folder.display()),
        );
        return Err(Trouble::new(Exit::NotFound, finding.help("check the path")));
    }
    let place = if folder == Path::new(".") {
        "here, or above".to_owned()
    } else {
        format!("in `{}`", folder.display())
    };
    let finding = Finding::error(
        qc_project::codes::NO_PROJECT,
        format!("there is no `{PROJECT_FILE}` {place}"),
    );
    let help = "go to the project's folder, or begin a project with `qc init DIR`";
    Err(Trouble::new(Exit::NotFound, finding.help(help)))
}

/// Writes a new file that only its owner may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).and_then(|mut file| file.write_all(bytes).map(|()| file));
    file.and_then(|file| file.sync_all()).map_err(|error| Trouble::file(path, &error))
}

/// Percent-encodes what stands in a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A query of the pairs that have a value; empty when none has.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value));
        }
    }
    text
}

/// The first characters of a hash, enough for people.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// A time without what people do not read: `2026-11-22 14:40:00`.
pub(super) fn clock(time: &str) -> String {
    let seconds: String = time.chars().take(19).collect();
    seconds.replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_leave_out_what_is_not_said() {
        assert_eq!(query(&[("a", None), ("b", Some("x y&z")), ("c", Some("1"))]), "?b=x+y%26z&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }
}
