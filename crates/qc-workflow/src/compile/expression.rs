//! Expressions and templates, parsed with the variables in scope.

use std::sync::Arc;

use qc_document::{Node, Span};
use qc_expression::{Expression, ParseError, Template};
use qc_model::Finding;

use super::{
    Compiler,
    variables::{RESERVED, Stage, in_scope, is_identifier},
};
use crate::{
    codes,
    dsl::{Text, is_expression},
    program::{Expr, Shape, Slot, Wording},
};

impl Compiler<'_> {
    /// An expression-typed field: bare jq or `${ … }`.
    pub(super) fn expression(&mut self, text: &Text, stage: Stage) -> Option<Expr> {
        let scope = in_scope(stage, &self.locals);
        let names: Vec<&str> = scope.iter().map(|(name, _)| &**name).collect();
        self.check_secrets_in(&text.text, text.span);
        let parsed = match Expression::parse_field(&text.text, &names) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.parse_error(error, &text.text, text.span, stage);
                return None;
            }
        };
        let used: Vec<&(Arc<str>, Slot)> =
            scope.iter().filter(|(name, _)| parsed.uses(name)).collect();
        let names: Vec<&str> = used.iter().map(|(name, _)| &**name).collect();
        let expression = Expression::parse_field(&text.text, &names).unwrap_or(parsed);
        Some(Expr { expression, slots: self.slots(&used) })
    }

    pub(super) fn optional_expression(
        &mut self,
        text: Option<&Text>,
        stage: Stage,
    ) -> Option<Expr> {
        text.and_then(|text| self.expression(text, stage))
    }

    fn slots(&mut self, used: &[&(Arc<str>, Slot)]) -> Box<[Slot]> {
        let slots: Box<[Slot]> = used.iter().map(|(_, slot)| *slot).collect();
        self.reads_workflow |= slots.contains(&Slot::Workflow);
        slots
    }

    /// A shape: a string is an expression, anything else a template.
    pub(super) fn shape(&mut self, node: &Node, stage: Stage) -> Option<Shape> {
        match node.as_str() {
            Some(written) => {
                let text = Text { text: written.into(), span: node.span };
                self.expression(&text, stage).map(Shape::Expression)
            }
            None => self.data(node, stage),
        }
    }

    /// A data field: only whole strings `${ … }` are expressions.
    pub(super) fn data(&mut self, node: &Node, stage: Stage) -> Option<Shape> {
        let value = node.to_value();
        let scope = in_scope(stage, &self.locals);
        let names: Vec<&str> = scope.iter().map(|(name, _)| &**name).collect();
        self.inspect_data(node, &names);
        let template = match Template::parse(&value, &names) {
            Ok(template) => template,
            Err(errors) => {
                for (pointer, error) in errors {
                    let at = node.nearest(&pointer);
                    let written = at.as_str().unwrap_or_default().to_owned();
                    self.parse_error(error, &written, at.span, stage);
                }
                return None;
            }
        };
        if template.is_constant() {
            return Some(Shape::Constant(Arc::new(value)));
        }
        let used: Vec<&(Arc<str>, Slot)> =
            scope.iter().filter(|(name, _)| template.uses(name)).collect();
        let names: Vec<&str> = used.iter().map(|(name, _)| &**name).collect();
        let template = Template::parse(&value, &names).unwrap_or(template);
        Some(Shape::Template { template, slots: self.slots(&used) })
    }

    /// A text field: `${ … }` is an expression, everything else stands for itself.
    pub(super) fn wording(&mut self, text: &Text, stage: Stage) -> Option<Wording> {
        if is_expression(&text.text) {
            self.expression(text, stage).map(Wording::Expression)
        } else {
            Some(Wording::Literal(Arc::clone(&text.text)))
        }
    }

    fn parse_error(&mut self, error: ParseError, written: &str, span: Span, stage: Stage) {
        let span = self.within(span, written, &error.range);
        let place = self.source.place(span);
        let mut finding = Finding::error(error.code, error.message).at(place);
        let unknown = RESERVED.iter().find(|name| {
            let here = in_scope(stage, &self.locals);
            let named = format!("${name}");
            let at = written.get(error.range.clone()).unwrap_or_default();
            at == named && !here.iter().any(|(known, _)| &**known == **name)
        });
        finding.help = match unknown {
            Some(&"authorization") => {
                Some("credentials are never visible to expressions".to_owned())
            }
            Some(name) => Some(format!("`${name}` has no value at this place")),
            None => error.help,
        };
        self.findings.push(finding);
    }

    /// The place of a range of an expression, when the file has the text unchanged.
    fn within(&self, span: Span, written: &str, range: &std::ops::Range<usize>) -> Span {
        let raw = self.source.text.get(span.start as usize..span.end as usize);
        let Some(at) = raw.and_then(|raw| raw.find(written)) else { return span };
        let start = span.start as usize + at;
        if range.end > written.len() || range.start > range.end {
            return span;
        }
        Span::new(start + range.start, start + range.end)
    }

    /// `$secrets.name` must be declared.
    pub(super) fn check_secrets_in(&mut self, written: &str, span: Span) {
        for (at, _) in written.match_indices("$secrets.") {
            let rest = &written[at + "$secrets.".len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, quoted) = match rest.strip_prefix('"') {
                Some(quoted) => (quoted.split('"').next().unwrap_or_default(), true),
                None => (&rest[..end.unwrap_or(rest.len())], false),
            };
            if !name.is_empty() || quoted {
                self.check_secret(name, span);
            }
        }
    }

    /// A variable that a loop or catch introduces.
    pub(super) fn check_variable(&mut self, name: &Text) {
        let problem = if RESERVED.contains(&&*name.text) {
            "is a name that the platform gives"
        } else if is_identifier(&name.text) {
            return;
        } else {
            "cannot be the name of a variable"
        };
        let message = format!("`{}` {problem}", name.text);
        let help = "use letters, digits and `_`, beginning with a letter";
        self.report(codes::VARIABLE_NAME, name.span, message).help = Some(help.to_owned());
    }
}
