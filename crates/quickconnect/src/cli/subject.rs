//! `qc subject`: everything that is stored of a person, handed out or erased.

use std::path::PathBuf;

use qc_server::wire::{SubjectErasure, SubjectExport, SubjectRequest};

use super::{Exit, Trouble, files::write_private, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Write everything that is stored of a person into a file
    Export(ExportArguments),
    /// Erase everything that is stored of a person, for good
    Erase(Of),
}

/// Who, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The environment
    environment: String,
    /// Who, as it stands in events: a customer's number, a mail address
    subject: String,
    /// Why, such as the number of the person's request
    #[arg(long)]
    reason: String,
    /// Whose data it is
    #[arg(long, default_value = "default")]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    of: Of,
    /// The file, which must not be there yet
    #[arg(long)]
    to: PathBuf,
}

impl Of {
    fn request(self) -> SubjectRequest {
        let Self { environment, subject, reason, tenant } = self;
        SubjectRequest { environment, tenant, subject, reason }
    }
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Export(ExportArguments { of, to }) => {
            let client = session.client()?;
            let archive: SubjectExport =
                client.post("/api/v1/subjects/export", &of.request()).await?;
            let text = serde_json::to_vec_pretty(&archive).expect("an archive is plain data");
            write_private(&to, &text)?;
            let (runs, events, documents) =
                (archive.runs.len(), archive.events.len(), archive.documents.len());
            let told = serde_json::json!({
                "schema_version": 1, "file": to, "runs": runs, "events": events,
                "documents": documents, "truncated": archive.truncated,
            });
            session.output.result(&told, || {
                format!(
                    "{runs} runs, {events} events and {documents} documents in {}",
                    to.display()
                )
            });
            if archive.truncated {
                session.output.say("there are more runs than one archive takes");
            }
            Ok(Exit::Ok)
        }
        Verb::Erase(of) => {
            let client = session.client()?;
            let erased: SubjectErasure =
                client.post("/api/v1/subjects/erase", &of.request()).await?;
            session.output.result(&erased, || shown(&erased));
            if erased.open.is_empty() { Ok(Exit::Ok) } else { Ok(Exit::Findings) }
        }
    }
}

fn shown(erased: &SubjectErasure) -> String {
    let SubjectErasure { runs, keys, events, documents, blobs, open, .. } = erased;
    let mut told = format!(
        "erased {runs} runs, {keys} idempotency keys, {events} events, {documents} documents and {blobs} large bodies"
    );
    if !open.is_empty() {
        told.push_str("\nstill there, since they are not at their end: ");
        told.push_str(&open.join(", "));
        told.push_str("\nend them (`qc runs cancel`) and erase again");
    }
    told
}
