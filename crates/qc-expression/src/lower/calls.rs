//! Calls: to the expression's own functions, to their parameters, to builtins.

use super::{Binding, Lowered, Lowering, Place};
use crate::builtins::{self, Builtin};
use crate::codes;
use crate::fault::ParseError;
use crate::suggest::closest;
use crate::syntax::{Expr, Function, Kind};
use crate::tree::{Ast, Pattern};

/// What stands for a parameter while a definition is checked without being called.
static IDENTITY: Expr = Expr { kind: Kind::Identity, at: 0..0 };

enum Target<'p> {
    Function(&'p Function, usize),
    Argument(&'p Expr, Place),
}

impl<'p> Lowering<'p> {
    pub(super) fn call(
        &mut self,
        name: &'p str,
        args: &'p [Expr],
        expr: &'p Expr,
        place: Place,
    ) -> Lowered<Ast> {
        let own = self.sight(place).find_map(|(at, binding)| match binding {
            Binding::Function(function)
                if function.name == name && function.parameters.len() == args.len() =>
            {
                Some(Target::Function(function, at))
            }
            Binding::Argument(bound, argument, place) if *bound == name && args.is_empty() => {
                Some(Target::Argument(argument, *place))
            }
            _ => None,
        });
        match own {
            Some(Target::Argument(argument, place)) => {
                return self.node(argument, place).map(|node| node.ast);
            }
            Some(Target::Function(function, at)) => {
                let home = Place { names: Some(at), active: place.active };
                return self.write_out(function, args, home, place, expr);
            }
            None => {}
        }
        match builtins::find(name, args.len()) {
            Some(Builtin::Plain(run)) => Ok(Ast::Call { run, args: self.all(args, place)? }),
            Some(Builtin::Constant(value)) => Ok(Ast::Const(value)),
            Some(Builtin::Identity) => Ok(Ast::Identity),
            Some(Builtin::Form(form)) => {
                let args = self.all(args, place)?;
                Ok(Ast::Special { form, args, label: self.new_label() })
            }
            Some(Builtin::Regex(deed)) => {
                let args = self.all(args, place)?;
                self.regex(deed, args, args_site(expr))
            }
            Some(Builtin::Defined(function)) => {
                let outer = self.site.replace(self.site.clone().unwrap_or(expr.at.clone()));
                let home = Place { names: None, active: place.active };
                let written = self.write_out(function, args, home, place, expr);
                self.site = outer;
                written
            }
            None => Err(self.unknown(name, args.len(), expr, place)),
        }
    }

    /// Writes a function's body out at the place of a call.
    fn write_out(
        &mut self,
        function: &'p Function,
        args: &'p [Expr],
        home: Place,
        call: Place,
        expr: &'p Expr,
    ) -> Lowered<Ast> {
        let around = std::iter::successors(home.active, |at| self.active[*at].1);
        if around.into_iter().any(|at| std::ptr::eq(self.active[at].0, function)) {
            return Err(recursion(function, self.site.clone().unwrap_or(expr.at.clone())));
        }
        self.active.push((std::ptr::from_ref(function), home.active));
        let mut inner = Place { names: home.names, active: Some(self.active.len() - 1) };
        let mut values = Vec::new();
        for ((name, by_value), argument) in function.parameters.iter().zip(args) {
            inner = self.bind(Binding::Argument(name, argument, call), inner);
            if *by_value {
                let slot = self.new_slot();
                inner = self.bind(Binding::Variable(name, slot), inner);
                values.push((argument, slot));
            }
        }
        let mut body = self.node(&function.body, inner)?;
        for (argument, slot) in values.into_iter().rev() {
            let source = Box::new(self.node(argument, call)?);
            let patterns = vec![Pattern::Slot(slot)];
            body = super::Node::new(Ast::Bind { source, patterns, body: Box::new(body) });
        }
        Ok(body.ast)
    }

    /// Reads a definition that is perhaps never called, so that its mistakes are found.
    pub(super) fn check_definition(&mut self, function: &'p Function, home: Place) -> Lowered<()> {
        self.active.push((std::ptr::from_ref(function), home.active));
        let mut inner = Place { names: home.names, active: Some(self.active.len() - 1) };
        for (name, by_value) in &function.parameters {
            inner = self.bind(Binding::Argument(name, &IDENTITY, inner), inner);
            if *by_value {
                let slot = self.new_slot();
                inner = self.bind(Binding::Variable(name, slot), inner);
            }
        }
        self.node(&function.body, inner).map(drop)
    }

    fn unknown(&self, name: &str, arity: usize, expr: &Expr, place: Place) -> ParseError {
        if let Some(reason) = builtins::refusal(name) {
            let message = format!("`{name}` is not available: {reason}");
            return self.error(codes::REFUSED_FUNCTION, message, expr);
        }
        if name.contains("::") {
            let message = format!("`{name}` belongs to a module, and expressions have no modules");
            return self.error(codes::REFUSED_FUNCTION, message, expr);
        }
        let mut own: Vec<(&str, usize)> = self
            .sight(place)
            .filter_map(|(_, binding)| match binding {
                Binding::Function(function) => {
                    Some((function.name.as_str(), function.parameters.len()))
                }
                Binding::Argument(name, ..) => Some((*name, 0)),
                _ => None,
            })
            .collect();
        own.extend(builtins::names());
        let mut arities: Vec<usize> =
            own.iter().filter(|(known, _)| *known == name).map(|(_, arity)| *arity).collect();
        arities.sort_unstable();
        arities.dedup();
        if !arities.is_empty() {
            let wanted: Vec<String> = arities.iter().map(usize::to_string).collect();
            let wanted = wanted.join(" or ");
            let message = format!("`{name}` takes {wanted} arguments, but {arity} are given");
            return self.error(codes::UNKNOWN_FUNCTION, message, expr);
        }
        let error =
            self.error(codes::UNKNOWN_FUNCTION, format!("there is no function `{name}`"), expr);
        match closest(name, own.iter().map(|(known, _)| *known)) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

fn args_site(expr: &Expr) -> &Expr {
    match &expr.kind {
        Kind::Call { args, .. } => args.first().unwrap_or(expr),
        _ => expr,
    }
}

fn recursion(function: &Function, at: std::ops::Range<usize>) -> ParseError {
    let message = format!("the function `{}` calls itself", function.name);
    ParseError::new(codes::RECURSION, message, at).with_help(
        "functions cannot recurse here; use recurse(f), walk(f), until(condition; next), reduce or \
         foreach",
    )
}
