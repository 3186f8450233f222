//! `test`, `match`, `capture`, `scan`, `split`, `splits`, `sub`, `gsub`.

use super::{Machine, ValueSink};
use crate::meter::{Flow, fail};
use crate::native::strings as text;
use crate::pattern::{Flags, Regex, Span};
use crate::tree::{RegexCall, RegexDeed};
use crate::value::{Dict, List, Text, Val};

/// A match: the whole first, then the groups.
type Found = Vec<Span>;

impl<'a> Machine<'a> {
    pub(super) fn regex(
        &mut self,
        call: &'a RegexCall,
        input: Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        if let Some(regex) = &call.ready {
            return self.regex_deed(call, regex, &input, out);
        }
        self.values(&call.regex, input.clone(), &mut |machine, pattern| {
            let Some(flags) = &call.flags else {
                return machine.regex_late(call, &pattern, &Val::Null, &input, out);
            };
            machine.values(flags, input.clone(), &mut |machine, flags| {
                machine.regex_late(call, &pattern, &flags, &input, out)
            })
        })
    }

    /// With a pattern that was not known before.
    fn regex_late(
        &mut self,
        call: &'a RegexCall,
        pattern: &Val<'a>,
        flags: &Val<'a>,
        input: &Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        // jq also takes the pattern and its flags as one array.
        let (pattern, flags) = match (pattern, flags) {
            (Val::Arr(both), Val::Null) => {
                (both.get(0).unwrap_or(Val::Null), both.get(1).unwrap_or(Val::Null))
            }
            (pattern, flags) => (pattern.clone(), flags.clone()),
        };
        let Val::Str(pattern) = &pattern else {
            return fail(format!("a regex must be a string, not {}", super::shown(&pattern)));
        };
        let flags = match &flags {
            Val::Null => Ok(Flags::default()),
            Val::Str(flags) => Flags::parse(flags.as_str()),
            other => return fail(format!("{} is not a string of flags", super::shown(other))),
        };
        let flags = match flags {
            Ok(flags) => flags,
            Err(problem) => return fail(problem),
        };
        match self.regexes.get(self.meter, pattern.as_str(), flags)? {
            Ok(regex) => self.regex_deed(call, &regex, input, out),
            Err(problem) => fail(problem),
        }
    }

    fn regex_deed(
        &mut self,
        call: &'a RegexCall,
        regex: &Regex,
        input: &Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let Val::Str(whole) = input else {
            let shown = super::shown(input);
            return fail(format!("{shown} cannot be matched, as it is not a string"));
        };
        match call.deed {
            RegexDeed::Test => {
                let matched = regex.is_match(self.meter, whole.as_str())?;
                out(self, Val::Bool(matched))
            }
            RegexDeed::Match => {
                for found in self.matches(regex, whole, regex.flags.global)? {
                    let value = self.match_object(regex, whole, &found)?;
                    out(self, value)?;
                }
                Ok(())
            }
            RegexDeed::Capture => {
                for found in self.matches(regex, whole, regex.flags.global)? {
                    let value = self.captures(regex, whole, &found)?;
                    out(self, value)?;
                }
                Ok(())
            }
            RegexDeed::Scan => {
                for found in self.matches(regex, whole, true)? {
                    let value = match found.as_slice() {
                        [all] => self.part(whole, *all)?,
                        groups => {
                            let mut list = List::new(self.meter)?;
                            for span in groups.iter().skip(1) {
                                list.push(self.part(whole, *span)?)?;
                            }
                            list.into_val()
                        }
                    };
                    out(self, value)?;
                }
                Ok(())
            }
            RegexDeed::Split => {
                let mut list = List::new(self.meter)?;
                for piece in self.between(regex, whole)? {
                    list.push(piece)?;
                }
                out(self, list.into_val())
            }
            RegexDeed::Splits => {
                for piece in self.between(regex, whole)? {
                    out(self, piece)?;
                }
                Ok(())
            }
            RegexDeed::Sub | RegexDeed::Gsub => self.substitute(call, regex, whole, out),
        }
    }

    fn matches(&mut self, regex: &Regex, text: &Text<'a>, global: bool) -> Flow<'a, Vec<Found>> {
        let whole = text.as_str();
        let mut all = Vec::new();
        let mut held = self.meter.charge(0)?;
        let mut from = 0;
        while from <= whole.len() {
            let Some(found) = regex.find(self.meter, whole, from)? else { break };
            let Some(Some((start, end))) = found.first().copied() else { break };
            // After an empty match the search goes on one character further.
            from = if end > start {
                end
            } else {
                end + whole[end..].chars().next().map_or(1, char::len_utf8)
            };
            if start < end || !regex.flags.skip_empty {
                held.grow(64 + found.len() * 24)?;
                all.push(found);
            }
            if !global {
                break;
            }
        }
        Ok(all)
    }

    fn part(&self, text: &Text<'a>, span: Span) -> Flow<'a, Val<'a>> {
        match span {
            Some((start, end)) => text::part(self.meter, text, start, end),
            None => Ok(Val::Null),
        }
    }

    /// What jq's `match` gives: places and lengths counted in characters.
    fn match_object(&self, regex: &Regex, text: &Text<'a>, found: &Found) -> Flow<'a, Val<'a>> {
        let mut groups = List::new(self.meter)?;
        for (span, name) in found.iter().skip(1).zip(regex.groups()) {
            let mut group = self.place(text, *span)?;
            let name = match name {
                Some(name) => Val::text(self.meter, name.to_owned())?,
                None => Val::Null,
            };
            group.insert(Text::Lent("name"), name)?;
            groups.push(group.into_val())?;
        }
        let mut object = self.place(text, found.first().copied().flatten())?;
        object.insert(Text::Lent("captures"), groups.into_val())?;
        Ok(object.into_val())
    }

    fn place(&self, text: &Text<'a>, span: Span) -> Flow<'a, Dict<'a>> {
        let whole = text.as_str();
        let (offset, length) = match span {
            Some((start, end)) => {
                self.meter.scan(end)?;
                (
                    Val::count(whole[..start].chars().count()),
                    Val::count(whole[start..end].chars().count()),
                )
            }
            None => (Val::int(-1), Val::int(0)),
        };
        let mut place = Dict::new(self.meter)?;
        place.insert(Text::Lent("offset"), offset)?;
        place.insert(Text::Lent("length"), length)?;
        place.insert(Text::Lent("string"), self.part(text, span)?)?;
        Ok(place)
    }

    /// The named groups, by name.
    fn captures(&self, regex: &Regex, text: &Text<'a>, found: &Found) -> Flow<'a, Val<'a>> {
        let mut dict = Dict::new(self.meter)?;
        for (span, name) in found.iter().skip(1).zip(regex.groups()) {
            if let Some(name) = name {
                let key = Text::own(self.meter, name.to_owned())?;
                dict.insert(key, self.part(text, *span)?)?;
            }
        }
        Ok(dict.into_val())
    }

    fn between(&mut self, regex: &Regex, text: &Text<'a>) -> Flow<'a, Vec<Val<'a>>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for found in self.matches(regex, text, true)? {
            let Some(Some((from, to))) = found.first().copied() else { continue };
            pieces.push(self.part(text, Some((start, from)))?);
            start = to;
        }
        pieces.push(self.part(text, Some((start, text.len())))?);
        Ok(pieces)
    }

    /// Where the replacement gives several outputs, there are as many results: the first uses the
    /// first output of every match, and so on, as in jq.
    fn substitute(
        &mut self,
        call: &'a RegexCall,
        regex: &Regex,
        text: &Text<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let Some(replacement) = &call.replacement else {
            return fail("the replacement is missing");
        };
        let global = regex.flags.global || call.deed == RegexDeed::Gsub;
        let found = self.matches(regex, text, global)?;
        if found.is_empty() {
            return out(self, Val::Str(text.clone()));
        }
        let mut held = self.meter.charge(0)?;
        let mut results: Vec<String> = Vec::new();
        let mut start = 0;
        for (nth, one) in found.iter().enumerate() {
            let Some(Some((from, to))) = one.first().copied() else { continue };
            let gap = &text.as_str()[start..from];
            let captures = self.captures(regex, text, one)?;
            let mut stream = 0;
            self.values(replacement, captures, &mut |machine, value| {
                let Val::Str(insert) = &value else {
                    let shown = super::shown(&value);
                    return fail(format!("{shown} cannot be put into a string"));
                };
                if stream == results.len() {
                    if nth > 0 {
                        return fail("every match must give the same number of replacements");
                    }
                    results.push(String::new());
                }
                held.grow(gap.len() + insert.len() + 1)?;
                machine.meter.scan(gap.len() + insert.len())?;
                results[stream].push_str(gap);
                results[stream].push_str(insert.as_str());
                stream += 1;
                Ok(())
            })?;
            if stream < results.len() {
                return fail("every match must give the same number of replacements");
            }
            start = to;
        }
        let rest = &text.as_str()[start..];
        held.grow(rest.len().saturating_mul(results.len()))?;
        for mut result in results {
            result.push_str(rest);
            let value = Val::text(self.meter, result)?;
            out(self, value)?;
        }
        Ok(())
    }
}
