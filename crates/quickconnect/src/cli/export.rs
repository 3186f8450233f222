use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_server::wire::{Deployment, Page, ReleaseFiles};
use serde_json::json;

use super::{Exit, Trouble, files::query, session::Session};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to write the files
    directory: PathBuf,
    /// Only this release; left out, everything that is deployed in the environment
    #[arg(long, conflicts_with = "environment")]
    release: Option<String>,
    /// The environment whose deployed releases are taken
    #[arg(long, required_unless_present = "release")]
    environment: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let releases: Vec<String> = match (&arguments.release, &arguments.environment) {
        (Some(release), _) => vec![release.clone()],
        (None, environment) => {
            let filter = query(&[("environment", environment.as_deref())]);
            let page: Page<Deployment> =
                client.get(&format!("/api/v1/deployments{filter}")).await?;
            page.items.into_iter().map(|deployment| deployment.release).collect()
        }
    };
    let mut written = Vec::new();
    for release in releases {
        let files: ReleaseFiles = client.get(&format!("/api/v1/releases/{release}/files")).await?;
        for (path, text) in &files.files {
            written.push(write(&arguments.directory, path, text)?);
        }
    }
    written.sort();
    written.dedup();
    let value = json!({ "schema_version": 1, "directory": arguments.directory, "files": written });
    session
        .output
        .result(&value, || format!("{} files in {}", written.len(), arguments.directory.display()));
    Ok(Exit::Ok)
}

fn write(directory: &Path, path: &str, text: &str) -> Result<String, Trouble> {
    let relative = Path::new(path);
    let bytes = STANDARD.decode(text).ok();
    // The server is not believed where it could write outside the directory.
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let (Some(bytes), true) = (bytes, inside) else {
        let message = format!("the server sent an unusable file `{path}`");
        return Err(Trouble::usage(
            codes::BAD_ANSWER,
            message,
            "is this address a QuickConnect server?",
        ));
    };
    let target = directory.join(relative);
    if let Ok(present) = fs::read(&target)
        && present != bytes
    {
        let message = format!("{} is there already, with another content", target.display());
        return Err(Trouble::usage(codes::FILE, message, "name an empty directory"));
    }
    let folder = target.parent().unwrap_or(directory);
    fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
    fs::write(&target, bytes).map_err(|error| Trouble::file(&target, &error))?;
    Ok(path.to_owned())
}
