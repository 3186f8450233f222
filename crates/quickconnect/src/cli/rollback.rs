use qc_server::wire::{Deployment, Page};

use super::{Exit, Trouble, deploy::shown, files::query, session::Session};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// The integration; left out when only one is deployed there
    integration: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let environment = &arguments.environment;
    let integration = if let Some(name) = &arguments.integration {
        name.clone()
    } else {
        let filter = query(&[("environment", Some(environment))]);
        let page: Page<Deployment> = client.get(&format!("/api/v1/deployments{filter}")).await?;
        let [only] = page.items.as_slice() else {
            let names: Vec<&str> = page.items.iter().map(|one| one.integration.as_str()).collect();
            let message = format!("{} integrations are deployed in {environment}", names.len());
            let help = format!("name one of them: {}", names.join(", "));
            return Err(Trouble::usage(codes::BAD_SETTING, message, help));
        };
        only.integration.clone()
    };
    let path = format!("/api/v1/deployments/{environment}/{integration}/rollback");
    let answer = client.ok(http::Method::POST, &path, Vec::new(), &[]).await?;
    let deployment: Deployment = serde_json::from_slice(&answer.body).map_err(|error| {
        Trouble::usage(codes::BAD_ANSWER, error.to_string(), "`qc doctor` compares the versions")
    })?;
    session.output.result(&deployment, || shown(client.url(), &deployment));
    Ok(Exit::Ok)
}
