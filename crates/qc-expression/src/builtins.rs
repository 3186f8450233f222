//! Which functions exist: natives, forms, and those that jq itself defines. And which are refused.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::native;
use crate::syntax::Function;
use crate::tree::{Form, Plain, RegexDeed};

pub(crate) enum Builtin {
    /// Takes its arguments as values.
    Plain(Plain),
    /// Evaluates its arguments itself.
    Form(Form),
    Regex(RegexDeed),
    /// Written in jq.
    Defined(&'static Function),
    Constant(Value),
    /// Gives its input back.
    Identity,
}

/// What jq can say itself. None of these may call itself.
const DEFINITIONS: &str = r#"
def map(f): [.[] | f];
def map_values(f): .[] |= f;
def select(f): if f then . else empty end;
def values: if . == null then empty else . end;
def nulls: if . == null then . else empty end;
def booleans: if type == "boolean" then . else empty end;
def numbers: if type == "number" then . else empty end;
def strings: if type == "string" then . else empty end;
def arrays: if type == "array" then . else empty end;
def objects: if type == "object" then . else empty end;
def iterables: if type == "array" or type == "object" then . else empty end;
def scalars: if type == "array" or type == "object" then empty else . end;
def isboolean: type == "boolean";
def isnumber: type == "number";
def isstring: type == "string";
def isarray: type == "array";
def isobject: type == "object";
def isvalid(f): try (f | true) catch false;
def add(f): reduce f as $x (null; . + $x);
def any: isempty(.[] | if . then . else empty end) | not;
def any(f): isempty(.[] | f | if . then . else empty end) | not;
def any(g; f): isempty(g | f | if . then . else empty end) | not;
def all: isempty(.[] | if . then empty else 1 end);
def all(f): isempty(.[] | f | if . then empty else 1 end);
def all(g; f): isempty(g | f | if . then empty else 1 end);
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def IN(s): any(s == .; .);
def IN(source; s): any(source == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
def INDEX(f): INDEX(.[]; f);
def with_entries(f): to_entries | map(f) | from_entries;
def recurse(f; test): recurse(f | if test then . else empty end);
def recurse: ..;
def repeat(f): recurse(f);
def paths: path(..) | if length > 0 then . else empty end;
def paths(f): path(.. | if f then . else empty end) | if length > 0 then . else empty end;
def leaf_paths: paths(type != "array" and type != "object");
def pick(f): . as $top | reduce path(f) as $path (null; setpath($path; $top | getpath($path)));
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("nth doesn't support negative indices") else first(skip($n; f)) end;
def range($upto): range(0; $upto; 1);
def range($from; $upto): range($from; $upto; 1);
def isnan: type == "number" and false;
def isinfinite: type == "number" and false;
def isnormal: type == "number" and . != 0;
def finites: numbers;
def normals: numbers | if . != 0 then . else empty end;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: todate;
def date: todate;
def fromdate: fromdateiso8601;
def ascii: [.] | implode;
def debug(message): .;
def stderr: .;
def min: min_by(.);
def max: max_by(.);
def sort: sort_by(.);
def unique: unique_by(.);
def error(message): message | error;
"#;

const FORMS: &[(&str, usize, Form)] = &[
    ("empty", 0, Form::Empty),
    ("error", 0, Form::Error),
    ("path", 1, Form::Path),
    ("getpath", 1, Form::Getpath),
    ("del", 1, Form::Del),
    ("first", 1, Form::First),
    ("last", 1, Form::Last),
    ("limit", 2, Form::Limit),
    ("skip", 2, Form::Skip),
    ("range", 3, Form::Range),
    ("isempty", 1, Form::IsEmpty),
    ("recurse", 1, Form::Recurse),
    ("while", 2, Form::While),
    ("until", 2, Form::Until),
    ("walk", 1, Form::Walk),
    ("sort_by", 1, Form::SortBy),
    ("group_by", 1, Form::GroupBy),
    ("unique_by", 1, Form::UniqueBy),
    ("min_by", 1, Form::MinBy),
    ("max_by", 1, Form::MaxBy),
];

const REGEXES: &[(&str, &[usize], RegexDeed)] = &[
    ("test", &[1, 2], RegexDeed::Test),
    ("match", &[1, 2], RegexDeed::Match),
    ("capture", &[1, 2], RegexDeed::Capture),
    ("scan", &[1, 2], RegexDeed::Scan),
    ("split", &[2], RegexDeed::Split),
    ("splits", &[1, 2], RegexDeed::Splits),
    ("sub", &[2, 3], RegexDeed::Sub),
    ("gsub", &[2, 3], RegexDeed::Gsub),
];

/// What an expression must not do, and why.
const REFUSED: &[(&[&str], &str)] = &[
    (&["env"], "an expression cannot read the environment; bind what it needs as data"),
    (
        &["input", "inputs", "input_filename", "input_line_number"],
        "there is one input, which is `.`",
    ),
    (&["halt", "halt_error"], "an expression cannot end the process; use error(message)"),
    (&["infinite", "nan"], "JSON cannot say it, so no value here is infinite or not a number"),
    (
        &["localtime", "strflocaltime"],
        "the time zone of a machine must not change a result; use UTC",
    ),
    (&["get_search_list", "modulemeta", "builtins"], "expressions have no modules"),
];

struct Table {
    plain: HashMap<(&'static str, usize), Plain>,
    defined: HashMap<(&'static str, usize), &'static Function>,
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    crate::parser::definitions(DEFINITIONS).expect("the built-in definitions are valid jq")
});

static TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    plain: native::tables()
        .iter()
        .flat_map(|table| table.iter())
        .map(|(name, arity, run)| ((*name, *arity), *run))
        .collect(),
    defined: FUNCTIONS
        .iter()
        .map(|function| ((function.name.as_str(), function.parameters.len()), function))
        .collect(),
});

/// The builtin of this name and number of arguments.
pub(crate) fn find(name: &str, arity: usize) -> Option<Builtin> {
    match (name, arity) {
        ("null", 0) => return Some(Builtin::Constant(Value::Null)),
        ("true", 0) => return Some(Builtin::Constant(Value::Bool(true))),
        ("false", 0) => return Some(Builtin::Constant(Value::Bool(false))),
        ("debug", 0) => return Some(Builtin::Identity),
        _ => {}
    }
    if let Some(run) = TABLE.plain.get(&(name, arity)) {
        return Some(Builtin::Plain(*run));
    }
    if let Some(form) = FORMS.iter().find(|form| form.0 == name && form.1 == arity) {
        return Some(Builtin::Form(form.2));
    }
    let regex = REGEXES.iter().find(|regex| regex.0 == name && regex.1.contains(&arity));
    if let Some(regex) = regex {
        return Some(Builtin::Regex(regex.2));
    }
    TABLE.defined.get(&(name, arity)).map(|function| Builtin::Defined(function))
}

/// Why a function of jq does not exist here.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.contains(&name)).map(|(_, reason)| *reason)
}

/// Every name and number of arguments that exists.
pub(crate) fn names() -> Vec<(&'static str, usize)> {
    let mut names: Vec<(&str, usize)> = vec![("null", 0), ("true", 0), ("false", 0), ("debug", 0)];
    names.extend(TABLE.plain.keys().copied());
    names.extend(TABLE.defined.keys().copied());
    names.extend(FORMS.iter().map(|form| (form.0, form.1)));
    names.extend(REGEXES.iter().flat_map(|regex| regex.1.iter().map(|arity| (regex.0, *arity))));
    names.sort_unstable();
    names
}
