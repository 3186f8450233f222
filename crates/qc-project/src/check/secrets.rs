//! Secrets of the workflow and their bindings.

use std::collections::BTreeSet;

use super::{Subject, closest_or_list};
use crate::codes;

pub(super) fn check(subject: &mut Subject<'_>) {
    let (Some(program), Some(workflow)) = (&subject.folder.program, &subject.folder.workflow)
    else {
        return;
    };
    let used: BTreeSet<&str> = program.secrets().collect();
    let bound = &subject.file.value.secrets;
    for name in &used {
        if bound.get(*name).is_none() {
            let message =
                format!("the workflow uses the secret `{name}`, which `secrets` does not bind");
            let at = workflow
                .root
                .get("use")
                .and_then(|node| node.get("secrets"))
                .map_or_else(Default::default, |node| node.span);
            let finding = workflow.error(codes::SECRET_BINDING, at, message);
            subject.out.push(finding.help(format!(
                "add `{name}: secret://…` to `secrets` of {}/integration.yaml",
                subject.folder.folder
            )));
        }
    }
    for (name, _) in bound.iter().filter(|(name, _)| !used.contains(name.value.as_str())) {
        let message = format!("the workflow uses no secret `{}`", name.value);
        let help = closest_or_list(&name.value, used.iter().copied());
        subject.warning(
            codes::SECRET_BINDING,
            name.span,
            message,
            format!("{help}; secrets of connectors stand in the connector"),
        );
    }
}
