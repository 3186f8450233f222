//! Users' projects on a stage of their own: copied, and pointed at this process's simulators.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The example of the repository.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/customer-escalation")
}

/// Copies a folder with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Replaces a text that must be in the file.
pub(crate) fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} does not hold `{from}`", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Writes a secret where the server looks for it.
pub(crate) fn secret(folder: &Path, environment: &str, name: &str, value: &str) {
    let path = folder.join(environment).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, value).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}
