//! The form of an entry: one line of JSON, made from a row of the ledger alone. It never changes; another one gets
//! another version.

use qc_model::Timestamp;
use qc_store::LedgerEntry;
use serde_json::{Value, json};

/// The entry of a row.
///
/// `facts` stand as the row holds them, byte for byte, when they are a JSON object in one line, as everything here
/// writes them; otherwise as a JSON string.
pub fn leaf_of(entry: &LedgerEntry) -> String {
    let row = &entry.row;
    let mut line = Line::new(row.at);
    if let Some(mark) = entry.mark {
        line.number("writer", mark.writer.into());
        line.number("no", mark.no);
    }
    line.text("tenant", Some(row.tenant.as_str()));
    line.text("environment", row.environment.as_ref().map(AsRef::as_ref));
    line.text("integration", row.integration.as_ref().map(AsRef::as_ref));
    line.text("run", row.run.map(|run| run.to_string()).as_deref());
    line.text("event", row.event.map(|event| event.to_string()).as_deref());
    line.text("actor", Some(&row.actor));
    line.text("subject", Some(&row.subject));
    line.text("outcome", Some(&row.outcome));
    line.text("code", row.code.as_deref());
    line.end_with_facts(&row.facts)
}

/// The entry that says that rows of a writer are missing: those numbered `from` to `to`, or, when a number came again,
/// that `no`.
pub(crate) fn gap(at: Timestamp, writer: u32, missing: Missing) -> String {
    let gap = match missing {
        Missing::Rows { from, to } => json!({"from": from, "to": to, "writer": writer}),
        Missing::Order { no } => json!({"again": no, "writer": writer}),
    };
    let mut line = Line::new(at);
    line.raw("gap", &gap.to_string());
    line.end()
}

/// What is wrong with the numbers of a writer's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// These were never there when those around them were sealed.
    Rows { from: u64, to: u64 },
    /// This one came after it, or a later one, was sealed.
    Order { no: u64 },
}

struct Line(String);

impl Line {
    fn new(at: Timestamp) -> Self {
        Self(format!(r#"{{"v":1,"at":"{at}""#))
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.0.extend([",\"", name, "\":", json]);
    }

    fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.raw(name, &Value::from(text).to_string());
        }
    }

    fn end_with_facts(mut self, facts: &[u8]) -> String {
        let text = String::from_utf8_lossy(facts);
        let plain = !text.contains(['\n', '\r'])
            && serde_json::from_slice::<Value>(facts).is_ok_and(|value| value.is_object());
        if plain {
            self.raw("facts", &text);
        } else {
            self.text("facts", Some(&text));
        }
        self.end()
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use qc_model::Name;
    use qc_store::{AuditMark, LedgerKind, LedgerRow};

    use super::*;

    /// What this gives is in signed logs: it must not change.
    #[test]
    fn the_form_is_as_it_was() {
        let mut entry = LedgerEntry {
            seq: 9,
            row: LedgerRow {
                at: Timestamp::from_millis(1_795_708_800_123),
                kind: LedgerKind::Audit,
                tenant: Name::new("platform").unwrap(),
                environment: Some(Name::new("production").unwrap()),
                integration: None,
                run: None,
                event: None,
                actor: "human:ada".into(),
                subject: "say \"it\"\n".into(),
                outcome: "allowed".into(),
                code: None,
                facts: r#"{"b": 1.50,"a":"é"}"#.into(),
            },
            mark: Some(AuditMark { writer: 3, no: 17 }),
        };
        assert_eq!(
            leaf_of(&entry),
            concat!(
                r#"{"v":1,"at":"2026-11-26T16:00:00.123Z","writer":3,"no":17,"tenant":"platform","#,
                r#""environment":"production","actor":"human:ada","subject":"say \"it\"\n","#,
                r#""outcome":"allowed","facts":{"b": 1.50,"a":"é"}}"#
            )
        );
        entry.mark = None;
        entry.row.facts = "{\n}".into();
        assert!(leaf_of(&entry).ends_with(r#""facts":"{\n}"}"#), "{}", leaf_of(&entry));
        assert_eq!(
            gap(entry.row.at, 3, Missing::Rows { from: 4, to: 5 }),
            r#"{"v":1,"at":"2026-11-26T16:00:00.123Z","gap":{"from":4,"to":5,"writer":3}}"#
        );
    }
}
