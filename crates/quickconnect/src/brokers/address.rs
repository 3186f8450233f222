use qc_broker::{Fault, amqp::Address};
use qc_engine::{BrokerAccess, Deployment, NoAddress};
use qc_vault::Secrets;

/// A broker's address as it is now.
pub(super) fn address(
    broker: &BrokerAccess,
    deployment: &Deployment,
    secrets: &Secrets,
) -> Result<Address, Fault> {
    let found = broker.resolve(&deployment.environment, &deployment.vars, secrets);
    let found = found.map_err(|missing| match missing {
        NoAddress::Secret(missing) => {
            let finding = missing.finding();
            let help = "provide the secret in this environment; it is looked for again by itself";
            Fault::new(finding.code, finding.message, help)
        }
        NoAddress::Variable(failure) => {
            Fault::new(failure.code, failure.detail, "give the variable a value and deploy again")
        }
    })?;
    Address::parse(found.url.expose(), found.user.as_ref(), found.password.as_ref())
}
