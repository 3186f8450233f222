use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, Exit, Trouble};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    generate(arguments.shell, &mut Cli::command(), "qc", &mut std::io::stdout());
    Ok(Exit::Ok)
}
