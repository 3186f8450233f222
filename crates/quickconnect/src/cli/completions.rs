use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    generate(arguments.shell, &mut Cli::command(), "qc", &mut std::io::stdout());
    Exit::Ok
}
