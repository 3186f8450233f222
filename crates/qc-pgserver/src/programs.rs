use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Where PostgreSQL's programs are, and as whom they run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// PostgreSQL refuses to run as root.
    as_postgres: bool,
}

impl Programs {
    /// The newest version below Debian's folder, else what is in the PATH.
    pub(crate) fn find() -> Option<Self> {
        let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
            .map(|(version, path)| (version, path.join("bin")))
            .collect();
        folders.sort();
        let debian = folders.into_iter().rev().map(|(_, folder)| folder);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folder =
            debian.chain(std::env::split_paths(&path)).find(|f| f.join("initdb").is_file())?;
        Some(Self { folder, as_postgres: run(Command::new("id").arg("-u")).trim() == "0" })
    }

    /// One of the programs, ready for its arguments.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        let mut command = if self.as_postgres {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Lets the server's user own a file or folder.
    pub(crate) fn give(&self, path: &Path) {
        if self.as_postgres {
            run(Command::new("chown").arg("postgres:postgres").arg(path));
        }
    }
}

/// Runs a program that must go well; what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}{err}");
    out.into_owned()
}
