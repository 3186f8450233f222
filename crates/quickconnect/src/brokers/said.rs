use qc_broker::Link;
use qc_engine::Tie;
use qc_model::Finding;

use super::Parts;
use crate::codes;

/// Says how a tie stands to whoever looks, and to the log when that is news.
pub(super) fn say(parts: &Parts, tie: &Tie, link: Link, well: &str) {
    let finding = match link {
        Link::Up => None,
        Link::Down(fault) => Some(fault.finding()),
        Link::Held(why) => {
            let message = format!("messages are held back: {why}");
            Some(
                Finding::warning(codes::HELD, message)
                    .help("see the server's log; they are taken as soon as they can be"),
            )
        }
    };
    if parts.engine.standings().stands(tie, finding.clone(), parts.clock.now()) {
        let Tie { kind, environment, integration, name } = tie;
        let kind = kind.as_str();
        match finding {
            None => tracing::info!(kind, %environment, %integration, %name, "{well}"),
            Some(finding) => {
                let (code, said) = (&finding.code, &finding.message);
                tracing::warn!(kind, %environment, %integration, %name, %code, "{said}");
            }
        }
    }
}
