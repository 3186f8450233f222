use qc_server::wire::{Deployment, Page};

use super::{
    Exit, Trouble,
    files::{clock, query, short},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let filter = query(&[("environment", arguments.environment.as_deref())]);
    let page: Page<Deployment> = client.get(&format!("/api/v1/deployments{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|one| {
                vec![
                    one.environment.clone(),
                    one.integration.clone(),
                    one.version.clone(),
                    short(&one.release),
                    clock(&one.at),
                    if one.live {
                        one.triggers.join(" ")
                    } else {
                        "does not run: qc doctor".to_owned()
                    },
                ]
            })
            .collect();
        table(&["ENVIRONMENT", "INTEGRATION", "VERSION", "RELEASE", "SINCE", "TRIGGERS"], &rows)
    });
    Ok(Exit::Ok)
}
