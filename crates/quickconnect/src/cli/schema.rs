use clap::builder::{PossibleValuesParser, TypedValueParser};
use qc_project::schema::{Kind, schema};

use super::{Exit, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The kind of file
    #[arg(value_parser = kinds())]
    kind: Kind,
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(|(name, _)| name))
        .map(|name| Kind::parse(&name).expect("only names of kinds get here"))
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Exit {
    // A schema is JSON in any case.
    let text =
        serde_json::to_string_pretty(&schema(arguments.kind)).expect("a schema is plain JSON");
    session.output.line(&text);
    Exit::Ok
}
