//! Random programs: the whole grammar, every function, hostile constants.

use std::fmt::Write;

/// A small generator of numbers, so that a seed names a program.
pub(crate) struct Dice(u64);

impl Dice {
    /// Starts from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    fn pick<'p>(&mut self, of: &[&'p str]) -> &'p str {
        of[self.below(of.len())]
    }
}

const ATOMS: &[&str] = &[
    ".",
    "..",
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "1.5",
    "1e9",
    "1e18",
    "1e308",
    "3.7",
    "[]",
    "{}",
    "\"\"",
    "\"a\"",
    "\"ab,c\"",
    "\"é😀\"",
    "\"2015-03-05T23:51:47Z\"",
    "\"%Y-%j %H\"",
    "\"[[1],{}]\"",
    "\"(a|b)*c?\"",
    "\"\\\\w+\"",
    "\"g\"",
    "\"aGk=\"",
    "$v",
    "$w",
    ".a",
    ".b",
    ".[0]",
    ".[-1]",
    ".[]",
    ".[]?",
    ".a?",
    ".[1:]",
    ".[:-1]",
    "$x",
    "$x",
    "[1,2,3]",
    "{\"a\":1}",
    "[[\"a\"],[0]]",
    "{\"start\":0,\"end\":1}",
    "[\"a\",0]",
    "-9223372036854775808",
    "18446744073709551615",
    "[0,0,0,0,0,0]",
    "[2015,1,5,23,51,47]",
    "error",
    "empty",
    "now",
    "\"x\"*100",
    "[range(20)]",
    "\"\\ud83d\\ude00\"",
    "0.1",
    "[null]",
];

const OPERATORS: &[&str] = &[
    "|", "|", "|", ",", ",", "+", "-", "*", "/", "%", "==", "<", ">=", "!=", "and", "or", "//",
    "=", "|=", "+=", "-=", "*=", "/=", "%=", "//=",
];

const FORMATS: &[&str] =
    &["@base64", "@base64d", "@uri", "@urid", "@html", "@csv", "@tsv", "@json", "@text", "@sh"];

/// One program, and the functions it may call given as `name/arity`.
pub(crate) fn program(dice: &mut Dice, functions: &[String]) -> String {
    let mut text = String::new();
    let depth = 2 + dice.below(6);
    write_program(dice, functions, depth, &mut text);
    text
}

fn write_program(dice: &mut Dice, functions: &[String], depth: usize, text: &mut String) {
    if depth == 0 || text.len() > 2000 {
        text.push_str(dice.pick(ATOMS));
        return;
    }
    let part = |text: &mut String, dice: &mut Dice| {
        text.push('(');
        write_program(dice, functions, depth - 1, text);
        text.push(')');
    };
    match dice.below(24) {
        0..=3 => text.push_str(dice.pick(ATOMS)),
        4..=9 => {
            part(text, dice);
            let _ = write!(text, " {} ", dice.pick(OPERATORS));
            part(text, dice);
        }
        10..=15 => {
            let function = &functions[dice.below(functions.len())];
            let (name, arity) = function.split_once('/').unwrap_or((function, "0"));
            text.push_str(name);
            for at in 0..arity.parse::<usize>().unwrap_or(0) {
                text.push(if at == 0 { '(' } else { ';' });
                write_program(dice, functions, depth - 1, text);
            }
            if arity != "0" {
                text.push(')');
            }
        }
        16 => {
            text.push('[');
            write_program(dice, functions, depth - 1, text);
            text.push(']');
        }
        17 => {
            text.push_str("{a: ");
            part(text, dice);
            text.push_str(", (\"b\", \"c\"): ");
            part(text, dice);
            text.push('}');
        }
        18 => {
            text.push_str("if ");
            part(text, dice);
            text.push_str(" then ");
            part(text, dice);
            text.push_str(" else ");
            part(text, dice);
            text.push_str(" end");
        }
        19 => {
            text.push_str("try ");
            part(text, dice);
            text.push_str(" catch ");
            part(text, dice);
        }
        20 => write_fold(dice, functions, depth, text),
        21 => {
            part(text, dice);
            text.push_str(dice.pick(&[
                " as $x | ",
                " as [$x, $y] | ",
                " as {a: $x} | ",
                " as [$x] ?// {b: $x} ?// $x | ",
            ]));
            part(text, dice);
        }
        22 => {
            text.push_str(dice.pick(FORMATS));
            text.push_str(" \"<\\(");
            write_program(dice, functions, depth - 1, text);
            text.push_str(")>\"");
        }
        _ => {
            text.push_str(dice.pick(&[
                "def f(g): g | g; f(",
                "label $l | first(",
                "def f($x): $x, .; f(",
                "path(",
                ".[",
                "-(",
                "limit(3; ",
                "first(",
            ]));
            write_program(dice, functions, depth - 1, text);
            text.push_str(if text_needs_bracket(text) { "]" } else { ")" });
        }
    }
}

fn write_fold(dice: &mut Dice, functions: &[String], depth: usize, text: &mut String) {
    text.push_str(dice.pick(&["reduce (", "foreach ("]));
    write_program(dice, functions, depth - 1, text);
    text.push_str(") as $x (");
    write_program(dice, functions, depth - 1, text);
    text.push(';');
    write_program(dice, functions, depth - 1, text);
    text.push(')');
}

/// Whether the bracket that is open innermost is a square one.
fn text_needs_bracket(text: &str) -> bool {
    let mut open = Vec::new();
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => open.push(character),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.last() == Some(&'[')
}
