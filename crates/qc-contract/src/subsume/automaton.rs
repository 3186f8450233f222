//! Regular expressions as sets of words: is there a word of some length that is in these and not in those?

use std::collections::{BTreeMap, HashMap, HashSet};

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, Flag,
    FlagsItemKind, GroupKind, RepetitionKind, RepetitionRange, parse::Parser,
};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// Most states of one expression.
const STATE_LIMIT: usize = 20_000;
/// Most work of one search: states of expressions looked at for new moves.
const WORK_LIMIT: usize = 100_000;
/// Most moves, old and new, that one search may go through.
const MOVE_LIMIT: usize = 400_000;
/// Most classes of characters that a search tells apart.
const LETTER_LIMIT: usize = 512;
/// Deepest nesting of one expression.
const DEPTH_LIMIT: u32 = 64;

/// The search did not end within its limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Exhausted;

enum State {
    /// Reads a character of the class.
    Read(usize, usize),
    Split(Vec<usize>),
    Start(usize),
    End(usize),
    Matched,
}

/// A regular expression as JSON Schema reads it: it may match anywhere in the text.
pub(super) struct Automaton {
    states: Vec<State>,
    classes: Vec<ClassUnicode>,
    first: usize,
}

type Set = Vec<usize>;

impl Automaton {
    /// `None` when the expression is not regular or uses what is not understood here.
    pub(super) fn search(pattern: &str) -> Option<Self> {
        let mut made = Self::empty();
        let ast = parsed(pattern)?;
        let matched = made.add(State::Matched)?;
        let again = made.class(everything());
        made.states[matched] = State::Split(Vec::new());
        let done = made.add(State::Matched)?;
        let rest = made.add(State::Read(again, matched))?;
        made.states[matched] = State::Split(vec![done, rest]);
        let inner = made.piece(&ast, matched, 0)?;
        let any = made.class(everything());
        let first = made.add(State::Split(Vec::new()))?;
        let skip = made.add(State::Read(any, first))?;
        made.states[first] = State::Split(vec![inner, skip]);
        made.first = first;
        Some(made)
    }

    /// As an author reads it who forgot that it may match anywhere.
    pub(super) fn whole(pattern: &str) -> Option<Self> {
        let mut made = Self::empty();
        let ast = parsed(pattern)?;
        let matched = made.add(State::Matched)?;
        made.first = made.piece(&ast, matched, 0)?;
        Some(made)
    }

    /// Exactly these words.
    pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let mut made = Self::empty();
        let matched = made.add(State::Matched)?;
        let mut starts = Vec::new();
        let mut classes: HashMap<char, usize> = HashMap::new();
        for word in words {
            let mut next = matched;
            for letter in word.chars().rev() {
                let class = match classes.get(&letter) {
                    Some(class) => *class,
                    None => made.class(ClassUnicode::new([ClassUnicodeRange::new(letter, letter)])),
                };
                classes.insert(letter, class);
                next = made.add(State::Read(class, next))?;
            }
            starts.push(next);
        }
        made.first = made.add(State::Split(starts))?;
        Some(made)
    }

    fn empty() -> Self {
        Self { states: Vec::new(), classes: Vec::new(), first: 0 }
    }

    fn add(&mut self, state: State) -> Option<usize> {
        self.states.push(state);
        (self.states.len() <= STATE_LIMIT).then(|| self.states.len() - 1)
    }

    fn class(&mut self, class: ClassUnicode) -> usize {
        self.classes.push(class);
        self.classes.len() - 1
    }

    fn piece(&mut self, ast: &Ast, next: usize, depth: u32) -> Option<usize> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        match ast {
            Ast::Empty(_) => Some(next),
            Ast::Literal(literal) => self.reads(single(literal.c), next),
            Ast::Dot(_) => {
                let mut line = single('\n');
                line.negate();
                self.reads(line, next)
            }
            Ast::ClassPerl(class) => self.reads(perl(class), next),
            Ast::ClassBracketed(class) => {
                let mut set = bracketed(&class.kind, depth)?;
                if class.negated {
                    set.negate();
                }
                self.reads(set, next)
            }
            Ast::Assertion(assertion) => self.assertion(assertion, next),
            Ast::Repetition(repetition) => {
                let (least, most) = match &repetition.op.kind {
                    RepetitionKind::ZeroOrOne => (0, Some(1)),
                    RepetitionKind::ZeroOrMore => (0, None),
                    RepetitionKind::OneOrMore => (1, None),
                    RepetitionKind::Range(RepetitionRange::Exactly(n)) => (*n, Some(*n)),
                    RepetitionKind::Range(RepetitionRange::AtLeast(n)) => (*n, None),
                    RepetitionKind::Range(RepetitionRange::Bounded(low, high)) => {
                        (*low, Some(*high))
                    }
                };
                self.repeated(&repetition.ast, least, most, next, depth)
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) if !flags.items.is_empty() => None,
                _ => self.piece(&group.ast, next, depth + 1),
            },
            Ast::Alternation(alternation) => {
                let parts: Option<Vec<usize>> =
                    alternation.asts.iter().map(|part| self.piece(part, next, depth + 1)).collect();
                self.add(State::Split(parts?))
            }
            Ast::Concat(concat) => {
                let mut next = next;
                for part in concat.asts.iter().rev() {
                    next = self.piece(part, next, depth + 1)?;
                }
                Some(next)
            }
            Ast::Flags(flags) => {
                let plain =
                    |kind: &FlagsItemKind| matches!(kind, FlagsItemKind::Flag(Flag::Unicode));
                flags.flags.items.iter().all(|item| plain(&item.kind)).then_some(next)
            }
            Ast::ClassUnicode(_) => None,
        }
    }

    fn reads(&mut self, class: ClassUnicode, next: usize) -> Option<usize> {
        let class = self.class(class);
        self.add(State::Read(class, next))
    }

    fn assertion(&mut self, assertion: &Assertion, next: usize) -> Option<usize> {
        match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => self.add(State::Start(next)),
            AssertionKind::EndLine | AssertionKind::EndText => self.add(State::End(next)),
            _ => None,
        }
    }

    fn repeated(
        &mut self,
        ast: &Ast,
        least: u32,
        most: Option<u32>,
        next: usize,
        depth: u32,
    ) -> Option<usize> {
        let mut next = next;
        match most {
            None => {
                let again = self.add(State::Split(Vec::new()))?;
                let inner = self.piece(ast, again, depth + 1)?;
                self.states[again] = State::Split(vec![inner, next]);
                next = again;
            }
            Some(most) => {
                let end = next;
                for _ in least..most {
                    let inner = self.piece(ast, next, depth + 1)?;
                    next = self.add(State::Split(vec![inner, end]))?;
                }
            }
        }
        for _ in 0..least {
            next = self.piece(ast, next, depth + 1)?;
        }
        Some(next)
    }

    /// The states reachable without reading; what waits for the end stays in the set.
    fn closure(&self, from: impl IntoIterator<Item = usize>, at_start: bool, at_end: bool) -> Set {
        let mut seen = vec![false; self.states.len()];
        let mut stack: Vec<usize> = from.into_iter().collect();
        let mut set = Vec::new();
        while let Some(state) = stack.pop() {
            if std::mem::replace(&mut seen[state], true) {
                continue;
            }
            match &self.states[state] {
                State::Split(parts) => stack.extend(parts),
                State::Start(next) if at_start => stack.push(*next),
                State::Start(_) => {}
                State::End(next) => {
                    set.push(state);
                    if at_end {
                        stack.push(*next);
                    }
                }
                State::Read(..) | State::Matched => set.push(state),
            }
        }
        set.sort_unstable();
        set
    }

    fn begin(&self) -> Set {
        self.closure([self.first], true, false)
    }

    fn step(&self, set: &Set, letter: char) -> Set {
        let next = set.iter().filter_map(|state| match &self.states[*state] {
            State::Read(class, next) if contains(&self.classes[*class], letter) => Some(*next),
            _ => None,
        });
        self.closure(next, false, false)
    }

    fn is_matched(&self, set: &Set, at_start: bool) -> bool {
        let end = self.closure(set.iter().copied(), at_start, true);
        end.iter().any(|state| matches!(self.states[*state], State::Matched))
    }

    /// Whether a text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut set = self.begin();
        for letter in text.chars() {
            set = self.step(&set, letter);
        }
        self.is_matched(&set, text.is_empty())
    }
}

/// ECMA's spelling, as far as it differs, in the parser's.
fn parsed(pattern: &str) -> Option<Ast> {
    let mut made = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let escaped = letters.next()?;
                match escaped {
                    // A word's edge, a reference back: not sets of words, or not here.
                    'b' | 'B' | 'A' | 'z' | '1'..='9' | 'k' | 'p' | 'P' => return None,
                    'c' => {
                        let control = letters.next().filter(char::is_ascii_alphabetic)?;
                        made.push_str("\\x{");
                        made.extend(char::from_digit(u32::from(control) % 32 / 16, 16));
                        made.extend(char::from_digit(u32::from(control) % 16, 16));
                        made.push('}');
                    }
                    '0' => made.push_str("\\x{0}"),
                    other if other.is_ascii_alphabetic() || !other.is_ascii() => {
                        if other.is_ascii() {
                            made.push('\\');
                        }
                        made.push(other);
                    }
                    '<' | '>' | '_' | '=' | '!' | ',' | ':' | ';' | '@' | '%' | '"' | '\''
                    | '`' => {
                        made.push(escaped);
                    }
                    other => {
                        made.push('\\');
                        made.push(other);
                    }
                }
            }
            '[' if in_class => made.push_str("\\["),
            '[' => {
                in_class = true;
                made.push('[');
                if letters.peek() == Some(&'^') {
                    letters.next();
                    made.push('^');
                }
                // `[]` admits nothing and `[^]` everything in ECMA; the parser reads them otherwise.
                if letters.peek() == Some(&']') {
                    return None;
                }
            }
            ']' => {
                in_class = false;
                made.push(']');
            }
            // Text in ECMA, a repetition here.
            '{' if !in_class && letters.peek() == Some(&',') => return None,
            '&' | '~' if in_class => {
                made.push('\\');
                made.push(letter);
            }
            '-' if in_class && letters.peek() == Some(&'-') => made.push_str("\\-"),
            _ => made.push(letter),
        }
    }
    Parser::new().parse(&made).ok()
}

fn single(letter: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(letter, letter)])
}

fn everything() -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)])
}

fn ranges(parts: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(parts.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)))
}

/// `\d`, `\s` and `\w` as ECMA has them.
fn perl(class: &ClassPerl) -> ClassUnicode {
    let mut set = match class.kind {
        ClassPerlKind::Digit => ranges(&[('0', '9')]),
        ClassPerlKind::Word => ranges(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        ClassPerlKind::Space => ranges(&[
            ('\t', '\r'),
            (' ', ' '),
            ('\u{a0}', '\u{a0}'),
            ('\u{1680}', '\u{1680}'),
            ('\u{2000}', '\u{200a}'),
            ('\u{2028}', '\u{2029}'),
            ('\u{202f}', '\u{202f}'),
            ('\u{205f}', '\u{205f}'),
            ('\u{3000}', '\u{3000}'),
            ('\u{feff}', '\u{feff}'),
        ]),
    };
    if class.negated {
        set.negate();
    }
    set
}

fn bracketed(set: &ClassSet, depth: u32) -> Option<ClassUnicode> {
    match set {
        ClassSet::Item(item) => class_item(item, depth),
        ClassSet::BinaryOp(_) => None,
    }
}

fn class_item(item: &ClassSetItem, depth: u32) -> Option<ClassUnicode> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    match item {
        ClassSetItem::Empty(_) => Some(ClassUnicode::empty()),
        ClassSetItem::Literal(literal) => Some(single(literal.c)),
        ClassSetItem::Range(range) => Some(ranges(&[(range.start.c, range.end.c)])),
        ClassSetItem::Perl(class) => Some(perl(class)),
        ClassSetItem::Bracketed(class) => {
            let mut set = bracketed(&class.kind, depth + 1)?;
            if class.negated {
                set.negate();
            }
            Some(set)
        }
        ClassSetItem::Union(union) => {
            let mut set = ClassUnicode::empty();
            for item in &union.items {
                set.union(&class_item(item, depth + 1)?);
            }
            Some(set)
        }
        ClassSetItem::Ascii(_) | ClassSetItem::Unicode(_) => None,
    }
}

fn contains(class: &ClassUnicode, letter: char) -> bool {
    let ranges = class.ranges();
    let after = ranges.partition_point(|range| range.end() < letter);
    ranges.get(after).is_some_and(|range| range.start() <= letter)
}

/// One character for each way in which the classes can tell characters apart, the readable ones first.
fn letters(parts: &[(&Automaton, bool)]) -> Result<Vec<char>, Exhausted> {
    let mut borders: Vec<char> = vec!['a', '0', 'A', ' '];
    let classes: Vec<&ClassUnicode> =
        parts.iter().flat_map(|(automaton, _)| &automaton.classes).collect();
    for class in &classes {
        for range in class.ranges() {
            borders.push(range.start());
            let after = u32::from(range.end()) + 1;
            borders.extend(char::from_u32(if after == 0xD800 { 0xE000 } else { after }));
        }
    }
    borders.push('\0');
    let readable = |letter: &char| match letter {
        'a'..='z' => 0,
        '0'..='9' => 1,
        'A'..='Z' => 2,
        ' '..='~' => 3,
        _ => 4,
    };
    borders.sort_by_key(|letter| (readable(letter), *letter));
    borders.dedup();
    if borders.len().saturating_mul(classes.len()) > MOVE_LIMIT {
        return Err(Exhausted);
    }
    let mut seen = HashSet::new();
    borders.retain(|letter| {
        let signature: Vec<bool> = classes.iter().map(|class| contains(class, *letter)).collect();
        seen.insert(signature)
    });
    if borders.len() > LETTER_LIMIT { Err(Exhausted) } else { Ok(borders) }
}

/// Finds the shortest word with a length within the bounds (in characters) that is in each automaton marked `true`
/// and in none marked `false`; `None` when there is none.
pub(super) fn find(
    parts: &[(&Automaton, bool)],
    least: u64,
    most: Option<u64>,
) -> Result<Option<String>, Exhausted> {
    let alphabet = letters(parts)?;
    let mut search = Search::new(parts, &alphabet);
    let first = search.id(parts.iter().map(|(automaton, _)| automaton.begin()).collect());
    // Each layer holds the states after so many characters and how each was reached.
    let mut layers: Vec<BTreeMap<usize, (usize, char)>> =
        vec![BTreeMap::from([(first, (first, '\0'))])];
    let mut seen: HashSet<usize> = HashSet::new();
    let mut length: u64 = 0;
    loop {
        if most.is_some_and(|most| length > most) {
            return Ok(None);
        }
        let Some(layer) = layers.last() else { return Ok(None) };
        if length >= least {
            let hit = layer.keys().copied().find(|state| search.is_accepted(*state, length == 0));
            if let Some(hit) = hit {
                return Ok(Some(word(&layers, hit)));
            }
        }
        let mut next = BTreeMap::new();
        for state in layer.keys().copied().collect::<Vec<_>>() {
            if length >= least && length > 0 && !seen.insert(state) {
                continue;
            }
            for (at, letter) in alphabet.iter().enumerate() {
                if let Some(target) = search.moved(state, at)? {
                    next.entry(target).or_insert((state, *letter));
                }
            }
        }
        if next.is_empty() {
            return Ok(None);
        }
        layers.push(next);
        length += 1;
    }
}

fn word(layers: &[BTreeMap<usize, (usize, char)>], hit: usize) -> String {
    let mut state = hit;
    let mut letters = Vec::new();
    for layer in layers.iter().skip(1).rev() {
        let Some((from, letter)) = layer.get(&state) else { break };
        letters.push(*letter);
        state = *from;
    }
    letters.iter().rev().collect()
}

struct Search<'a> {
    parts: &'a [(&'a Automaton, bool)],
    alphabet: &'a [char],
    states: Vec<Vec<Set>>,
    ids: HashMap<Vec<Set>, usize>,
    /// Where a state leads with a letter, as far as it is known; `None` where nothing is accepted any more.
    known: HashMap<(usize, usize), Option<usize>>,
    work: usize,
    moves: usize,
}

impl<'a> Search<'a> {
    fn new(parts: &'a [(&'a Automaton, bool)], alphabet: &'a [char]) -> Self {
        Self {
            parts,
            alphabet,
            states: Vec::new(),
            ids: HashMap::new(),
            known: HashMap::new(),
            work: 0,
            moves: 0,
        }
    }

    fn id(&mut self, state: Vec<Set>) -> usize {
        let next = self.states.len();
        match self.ids.entry(state) {
            std::collections::hash_map::Entry::Occupied(known) => *known.get(),
            std::collections::hash_map::Entry::Vacant(place) => {
                self.states.push(place.key().clone());
                *place.insert(next)
            }
        }
    }

    /// `None` when nothing that follows can be accepted.
    fn moved(&mut self, state: usize, letter: usize) -> Result<Option<usize>, Exhausted> {
        self.moves += 1;
        if self.moves > MOVE_LIMIT {
            return Err(Exhausted);
        }
        if let Some(known) = self.known.get(&(state, letter)) {
            return Ok(*known);
        }
        let parts = self.parts;
        let sets: Vec<Set> = parts
            .iter()
            .zip(&self.states[state])
            .map(|((automaton, _), set)| automaton.step(set, self.alphabet[letter]))
            .collect();
        self.work += 1 + self.states[state].iter().map(Vec::len).sum::<usize>();
        if self.work > WORK_LIMIT {
            return Err(Exhausted);
        }
        let is_dead = parts.iter().zip(&sets).any(|((_, wanted), set)| *wanted && set.is_empty());
        let target = if is_dead { None } else { Some(self.id(sets)) };
        self.known.insert((state, letter), target);
        Ok(target)
    }

    fn is_accepted(&self, state: usize, at_start: bool) -> bool {
        self.parts
            .iter()
            .zip(&self.states[state])
            .all(|((automaton, wanted), set)| automaton.is_matched(set, at_start) == *wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_within(inner: &str, outer: &str) -> bool {
        let (inner, outer) = (Automaton::search(inner), Automaton::search(outer));
        let (inner, outer) = (inner.expect("regular"), outer.expect("regular"));
        find(&[(&inner, true), (&outer, false)], 0, None).expect("ends").is_none()
    }

    #[test]
    fn words_match_as_the_expressions_say() {
        let cases = [
            ("a", "xay", true),
            ("^a$", "a", true),
            ("^a$", "ab", false),
            ("^$", "", true),
            ("^$", "a", false),
            ("^(ab){2,3}$", "ababab", true),
            ("^(ab){2,3}$", "ab", false),
            (r"^\d+\/\w*$", "12/a_", true),
            (r"^[^\s]+$", "a b", false),
            ("^a|b$", "xb", true),
            ("^a|b$", "xa", false),
            (r"^[\w.-]+@x$", "a.b-c@x", true),
            (r"^[[]$", "[", true),
            (r"^\cA$", "\u{1}", true),
        ];
        for (pattern, text, expected) in cases {
            let automaton = Automaton::search(pattern).expect(pattern);
            assert_eq!(automaton.matches(text), expected, "{pattern} on {text:?}");
        }
        for irregular in [r"(?=a)b", r"(a)\1", r"\bword\b", "(?i)a"] {
            assert!(Automaton::search(irregular).is_none(), "{irregular}");
        }
    }

    #[test]
    fn containment_is_decided_both_ways() {
        assert!(is_within("^(ab)+$", "^(ab)*$"));
        assert!(!is_within("^(ab)*$", "^(ab)+$"));
        assert!(is_within("^ba+b$", "b.*b"));
        assert!(is_within(r"^\d{3}$", r"^\d+$"));
        assert!(!is_within(r"^\d+$", r"^\d{3}$"));
        assert!(is_within("^a", "a"));
        assert!(!is_within("a", "^a"));
        assert!(is_within("[a-z]*", "[A-Z]*"), "both may match nothing, anywhere");
    }

    #[test]
    fn lengths_and_words_bound_a_search() {
        let found = |pattern: &str, least, most| {
            let automaton = Automaton::search(pattern).expect("regular");
            find(&[(&automaton, true)], least, most).expect("ends")
        };
        assert_eq!(found("^a+$", 3, None).as_deref(), Some("aaa"));
        assert_eq!(found("^(ab)+$", 3, Some(3)), None);
        assert_eq!(found("^a$", 2, None), None);
        let letters = Automaton::search("^[ab]$").expect("regular");
        let both = Automaton::words(["a", "b"]).expect("few");
        assert_eq!(find(&[(&letters, true), (&both, false)], 0, None), Ok(None));
        let one = Automaton::words(["a"]).expect("few");
        let left = find(&[(&letters, true), (&one, false)], 0, None);
        assert_eq!(left, Ok(Some("b".to_owned())));
    }

    #[test]
    fn an_expression_that_grows_without_end_is_given_up() {
        let big = Automaton::search("^(a|b)*a(a|b){40}$").expect("regular");
        let other = Automaton::search("^(a|b)*b(a|b){40}$").expect("regular");
        assert_eq!(find(&[(&big, false), (&other, false)], 60, None), Err(Exhausted));
        assert!(Automaton::search("((((a{99}){99}){99}){99})").is_none());
    }
}
