use std::{io::Write, path::Path};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, Exit, Trouble};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    // Made first: the generator panics where it cannot write.
    let mut script = Vec::new();
    generate(arguments.shell, &mut Cli::command(), "qc", &mut script);
    let mut out = std::io::stdout().lock();
    match out.write_all(&script).and_then(|()| out.flush()) {
        Ok(()) => Ok(Exit::Ok),
        // Whoever read it has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(error) => Err(Trouble::file(Path::new("standard output"), &error)),
    }
}
