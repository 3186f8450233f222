use std::{fs, path::PathBuf};

use qc_server::wire::{ContractMatrix, PublishExpectations};

use crate::cli::{Exit, Trouble, contract::matrix, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment in which this version of the consumer runs
    environment: String,
    /// The integration to which it sends
    integration: String,
    /// What it expects: a Pact file
    file: PathBuf,
    /// The consumer's version, such as the revision of its build; what it expects does not change any more
    #[arg(id = "as", long = "as", value_name = "VERSION")]
    version: String,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { environment, integration, file, version } = arguments;
    let pact = fs::read_to_string(&file).map_err(|error| Trouble::file(&file, &error))?;
    let path = format!("/api/v1/contracts/{environment}/{integration}/expectations");
    let told: ContractMatrix =
        session.client()?.post(&path, &PublishExpectations { version, pact }).await?;
    session.output.result(&told, || matrix::shown(&told.items));
    let fits = told.items.iter().filter(|item| item.is_spoken).all(|item| item.fits);
    Ok(if fits { Exit::Ok } else { Exit::Findings })
}
