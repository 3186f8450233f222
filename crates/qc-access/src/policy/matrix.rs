//! The authorisation matrix: what each role may do with each kind of token, by asking the rules for every cell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    sync::RwLock,
};

use cedar_policy::{Authorizer, Decision as Ruling, PolicySet};

use super::{Policies, Question, Subject, own};
use crate::{Action, ApprovalRules, Role, TokenKind};

/// How the token's scopes stand to what an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scoped {
    /// The token has none.
    Without,
    /// One covers it.
    Covered,
    /// None covers it.
    Outside,
}

impl Scoped {
    /// All.
    pub const ALL: [Self; 3] = [Self::Without, Self::Covered, Self::Outside];

    /// The word in the matrix.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Without => "none",
            Self::Covered => "covering",
            Self::Outside => "other",
        }
    }
}

/// What is decided in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Never.
    Deny,
    /// Always.
    Allow,
    /// With a grant for a time.
    Grant,
    /// It depends on attributes that the matrix does not go through: a name, a person, an environment.
    Conditional,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Deny, Self::Allow, Self::Grant, Self::Conditional];

    /// The word in the matrix.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Grant => "grant",
            Self::Conditional => "conditional",
        }
    }
}

/// A cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// In which role.
    pub role: Role,
    /// By which kind of token.
    pub kind: TokenKind,
    /// With which scopes.
    pub scoped: Scoped,
    /// In an environment of production, or in another.
    pub production: bool,
    /// To do what.
    pub action: Action,
    /// What is decided.
    pub outcome: Outcome,
}

impl Cell {
    fn key(self) -> String {
        let tier = if self.production { "production" } else { "other" };
        let (role, kind, scoped) = (self.role.as_str(), self.kind.as_str(), self.scoped.as_str());
        [role, kind, scoped, tier, self.action.as_str()].join("\t")
    }
}

/// What every role may do, cell by cell. A local key is taken as on a server that is not its owner's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    cells: Vec<Cell>,
}

/// A cell that two matrices decide differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixChange {
    /// Role, token, scope, environment and action, parted by tabulators.
    pub cell: String,
    /// What was decided.
    pub before: Outcome,
    /// What is decided now.
    pub after: Outcome,
}

impl fmt::Display for MatrixChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = self.cell.replace('\t', " ");
        write!(f, "{cell}: {}, reviewed as {}", self.after.as_str(), self.before.as_str())
    }
}

const HEAD: &str = "role\ttoken\tscope\tenvironment\taction\tdecision";

impl Policies {
    /// These rules in place of ours, for working a bound out.
    fn with_set(&self, set: PolicySet) -> Self {
        Self {
            set,
            authorizer: Authorizer::new(),
            version: self.version.clone(),
            files: Vec::new(),
            approvals: ApprovalRules::default(),
            ever: RwLock::default(),
            decided: RwLock::default(),
        }
    }

    /// All cells.
    pub fn matrix(&self) -> Matrix {
        let bounds = Bounds::of(self);
        let mut cells = Vec::new();
        for role in Role::ALL {
            for kind in TokenKind::ALL {
                for scoped in Scoped::ALL {
                    for production in [false, true] {
                        for action in Action::ALL {
                            let question = question(role, kind, scoped, production, action);
                            let outcome = bounds.outcome(self, question);
                            cells.push(Cell { role, kind, scoped, production, action, outcome });
                        }
                    }
                }
            }
        }
        Matrix { cells }
    }
}

/// Whether any cell without the scopes' bounds is not denied, what the project's own policies forbid aside.
pub(super) fn ever(policies: &Policies, role: Role, kind: TokenKind, action: Action) -> bool {
    let bounds = match Bounds::of(policies) {
        Bounds::Same => Bounds::Same,
        Bounds::Apart { most, .. } => {
            let most = Box::new(most.with_set(own::without_own_forbids(&most.set)));
            Bounds::Apart { least: Box::new(most.with_set(most.set.clone())), most }
        }
    };
    [false, true].into_iter().any(|production| {
        let question =
            Question { local: true, ..question(role, kind, Scoped::Without, production, action) };
        bounds.outcome(policies, question) != Outcome::Deny
    })
}

fn question(
    role: Role,
    kind: TokenKind,
    scoped: Scoped,
    production: bool,
    action: Action,
) -> Question {
    Question {
        subject: Subject {
            id: "anybody".into(),
            name: "anybody".into(),
            kind,
            role,
            environment: None,
            person: None,
            units: Vec::new(),
        },
        action,
        environment: Some(if production { "production" } else { "sandbox" }.into()),
        name: Some("any".into()),
        production,
        units: Vec::new(),
        in_scope: scoped != Scoped::Outside,
        granted: false,
        across: false,
        local: false,
    }
}

/// The least and the most that the rules allow, whatever the attributes are that are not gone through.
enum Bounds {
    Same,
    Apart { least: Box<Policies>, most: Box<Policies> },
}

impl Bounds {
    fn of(policies: &Policies) -> Self {
        if policies.files.is_empty() {
            return Self::Same;
        }
        let (least, most) = own::bounds(&policies.set);
        let like = |set| Box::new(policies.with_set(set));
        Self::Apart { least: like(least), most: like(most) }
    }

    fn outcome(&self, policies: &Policies, question: Question) -> Outcome {
        let (least, most) = match self {
            Self::Same => (policies, policies),
            Self::Apart { least, most } => (&**least, &**most),
        };
        let allows =
            |rules: &Policies, question: &Question| rules.rule(question).0 == Ruling::Allow;
        let granted = Question { granted: true, ..question.clone() };
        if allows(least, &question) {
            Outcome::Allow
        } else if allows(most, &question) {
            Outcome::Conditional
        } else if allows(least, &granted) {
            Outcome::Grant
        } else if allows(most, &granted) {
            Outcome::Conditional
        } else {
            Outcome::Deny
        }
    }
}

impl Matrix {
    /// All cells, denials included.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// As a file to be reviewed: a line for each cell that is not denied, sorted.
    pub fn to_tsv(&self) -> String {
        let mut text = String::from(HEAD);
        text.push('\n');
        for (cell, outcome) in self.told() {
            let _ = writeln!(text, "{cell}\t{}", outcome.as_str());
        }
        text
    }

    fn told(&self) -> BTreeMap<String, Outcome> {
        let cells = self.cells.iter().filter(|cell| cell.outcome != Outcome::Deny);
        cells.map(|cell| (cell.key(), cell.outcome)).collect()
    }

    /// What differs from a file that was reviewed, in the order of its cells. Err: the line that cannot be read, and why.
    pub fn differs_from(&self, reviewed: &str) -> Result<Vec<MatrixChange>, (usize, String)> {
        let before = read(reviewed)?;
        let after = self.told();
        let cells: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let of = |all: &BTreeMap<String, Outcome>, cell: &String| {
            all.get(cell).copied().unwrap_or(Outcome::Deny)
        };
        Ok(cells
            .into_iter()
            .map(|cell| MatrixChange {
                cell: cell.clone(),
                before: of(&before, cell),
                after: of(&after, cell),
            })
            .filter(|change| change.before != change.after)
            .collect())
    }
}

fn read(text: &str) -> Result<BTreeMap<String, Outcome>, (usize, String)> {
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, head)| head != HEAD) {
        return Err((1, "it does not begin with the heading of a matrix".into()));
    }
    let mut cells = BTreeMap::new();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let fail = |reason: &str| (at + 1, reason.to_owned());
        let (cell, word) = line.rsplit_once('\t').ok_or_else(|| fail("it has no decision"))?;
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word);
        let outcome = outcome
            .ok_or_else(|| fail("its decision is none of allow, grant, conditional, deny"))?;
        if cell.split('\t').count() != HEAD.split('\t').count() - 1 {
            return Err(fail("it has not six columns"));
        }
        if cells.insert(cell.to_owned(), outcome).is_some() {
            return Err(fail("the cell is there twice"));
        }
    }
    Ok(cells)
}
