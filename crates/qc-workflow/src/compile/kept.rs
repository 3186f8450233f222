//! `call: state.…` and `call: crossref.…`: what the integration keeps. Which state or table is
//! meant stands in the workflow itself, so that it is known here.

use qc_document::{Node, Span, closest};

use super::{
    Compiler,
    call::{Site, call_kind},
    variables::Stage,
};
use crate::{
    CallPolicy, Effect, KeptDeed, OutputShape, RetryPolicy, codes,
    dsl::{Text, is_expression},
    program::{Kind, SiteTarget, Target},
};

impl Compiler<'_> {
    pub(super) fn kept(
        &mut self,
        name: &Text,
        connector: &str,
        operation: &str,
        with: Option<&Node>,
        site: Site<'_>,
    ) -> Option<Kind> {
        let Some(deed) = KeptDeed::parse(connector, operation) else {
            let own = KeptDeed::ALL.iter().filter(|deed| deed.connector() == connector);
            let words: Vec<&str> = own.map(|deed| deed.operation()).collect();
            let listed: Vec<String> =
                words.iter().map(|word| format!("`{connector}.{word}`")).collect();
            let help = closest(operation, words).map_or_else(
                || format!("there are {}", listed.join(", ")),
                |near| format!("did you mean `{connector}.{near}`?"),
            );
            let message = format!("`{connector}` has no operation `{operation}`");
            self.report(codes::UNKNOWN_OPERATION, name.span, message).help = Some(help);
            return None;
        };
        let place = self.place(deed, name.span, with)?;
        self.kept_arguments(deed, &place, name.span, with)?;
        let arguments = with.and_then(|node| self.data(node, Stage::Definition));
        // A write that was made is not made again by a replay; a read is read anew.
        let effect = if deed.writes() { Effect::Keyed } else { Effect::Idempotent };
        // By itself it is tried once: what was not as expected stays so until somebody reads again,
        // which a `try` with `retry` around both does.
        let fallback = CallPolicy { effect, retry: RetryPolicy::never(), ..CallPolicy::default() };
        let target = SiteTarget::Kept { deed, place: place.clone() };
        let policy =
            CallPolicy { effect, spread_ms: 0, ..self.policy(site, target, fallback, false) };
        Some(call_kind(policy, OutputShape::Content, Target::Kept { deed, place, arguments }))
    }

    /// The state or table, which must be declared and must stand there as it is.
    fn place(&mut self, deed: KeptDeed, at: Span, with: Option<&Node>) -> Option<String> {
        let key = deed.place_argument();
        let Some(node) = with.and_then(|with| with.get(key)) else {
            let message = format!("`{}.{}` needs `{key}`", deed.connector(), deed.operation());
            self.report(codes::KEPT_ARGUMENTS, at, message).help =
                Some(format!("write `with: {{ {key}: <name>, … }}`"));
            return None;
        };
        let text = node.as_str().filter(|text| !is_expression(text));
        let Some(text) = text else {
            let message = format!("`{key}` is a name, not an expression or another value");
            self.report(codes::KEPT_ARGUMENTS, node.span, message).help =
                Some("write the declared name itself: what a run may touch is known before".into());
            return None;
        };
        let names = self.bindings.kept();
        let known: Vec<&str> = if key == "in" {
            names.states.iter().map(String::as_str).collect()
        } else {
            names.tables.iter().map(|(name, _)| name.as_str()).collect()
        };
        if known.contains(&text) {
            return Some(text.to_owned());
        }
        let (what, section) =
            if key == "in" { ("state", "state") } else { ("cross-reference table", "crossrefs") };
        let help = closest(text, known.iter().copied()).map_or_else(
            || format!("declare it under `{section}` in `integration.yaml`"),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the integration declares no {what} `{text}`");
        self.report(codes::UNKNOWN_REFERENCE, node.span, message).help = Some(help);
        None
    }

    /// The other arguments: those that there are, and all that are needed.
    fn kept_arguments(
        &mut self,
        deed: KeptDeed,
        place: &str,
        at: Span,
        with: Option<&Node>,
    ) -> Option<()> {
        let names = self.bindings.kept();
        let systems = names.systems(place).cloned().unwrap_or_default();
        let [a, b] = [systems[0].as_str(), systems[1].as_str()];
        let (needed, allowed): (&[&str], &[&str]) = match deed {
            KeptDeed::Get => (&["key"], &["in", "key"]),
            KeptDeed::Put => (&["key", "value"], &["in", "key", "value", "expect"]),
            KeptDeed::Delete => (&["key"], &["in", "key", "expect"]),
            KeptDeed::Find | KeptDeed::Unlink => (&[], &["table", a, b]),
            KeptDeed::Link => (&[a, b], &["table", a, b]),
        };
        let entries = with.and_then(Node::as_mapping).unwrap_or_default();
        let call = format!("{}.{}", deed.connector(), deed.operation());
        let mut good = Some(());
        for (key, _) in entries.iter().filter(|(key, _)| !allowed.contains(&&*key.name)) {
            let message = format!("`{call}` has no argument `{}`", key.name);
            let listed: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
            self.report(codes::KEPT_ARGUMENTS, key.span, message).help =
                Some(format!("it has {}", listed.join(", ")));
            good = None;
        }
        let given = |name: &str| entries.iter().any(|(key, _)| &*key.name == name);
        for name in needed.iter().filter(|name| !given(name)) {
            let message = format!("`{call}` needs `{name}`");
            self.report(codes::KEPT_ARGUMENTS, at, message).help =
                Some(format!("add `{name}` to `with`"));
            good = None;
        }
        let one = match deed {
            KeptDeed::Find => given(a) != given(b),
            KeptDeed::Unlink => given(a) || given(b),
            _ => true,
        };
        if !one && good.is_some() {
            let message = format!("`{call}` needs the id of one system: `{a}` or `{b}`");
            self.report(codes::KEPT_ARGUMENTS, at, message).help =
                Some("say which id is known".into());
            good = None;
        }
        good
    }
}
