use qc_server::wire::{Page, Release};

use crate::cli::{
    Exit, Trouble,
    files::{clock, query, short},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let filter =
        query(&[("integration", arguments.integration.as_deref()), ("limit", Some("500"))]);
    let page: Page<Release> = session.client()?.get(&format!("/api/v1/releases{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|release| {
                vec![
                    short(&release.release),
                    release.integration.clone(),
                    release.version.clone(),
                    clock(&release.built_at),
                    release.built_from.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(&["RELEASE", "INTEGRATION", "VERSION", "BUILT", "FROM"], &rows)
    });
    Ok(Exit::Ok)
}
