//! Regular expressions as Go takes them (RE2), for an engine that is as linear as Go's and takes
//! almost the same: each part of a pattern is read as Go reads it and written so that it means the
//! same here.
//!
//! What differs: `\d`, `\s`, `\w` and `\b` are ASCII in Go; within brackets `[`, `&&`, `--` and
//! `~~` are plain characters there; a `{` that begins no repetition is plain, too; `\Q…\E` quotes.

use std::{fmt::Write, iter::Peekable, str::CharIndices};

use hashbrown::HashSet;
use regex::{Regex, RegexBuilder};

use super::super::quote::quoted;

mod class;
mod escape;
mod group;

/// Octets of a compiled pattern, and of what a search builds lazily. Two hundred times a pattern
/// that people write; a large one would make each row of a list dear.
const COMPILED_OCTETS_MAX: usize = 256 << 10;

/// Octets of a pattern. People write dozens.
const PATTERN_OCTETS_MAX: usize = 1 << 10;

/// Groups within one another.
const NEST_MAX: u32 = 64;

/// The most that a part may be repeated, as in Go.
const REPEAT_MAX: u32 = 1_000;

/// A pattern that is being rewritten.
struct Rewriter<'t> {
    pattern: &'t str,
    rest: Peekable<CharIndices<'t>>,
    written: String,
    groups: usize,
    before: Before,
    /// Classes that have been found to be some: to know that of one, it is compiled.
    classes: HashSet<String>,
}

/// What stands before a repetition.
#[derive(Clone, Copy)]
enum Before {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that can.
    Atom,
    /// A repetition that begins there.
    Repetition(usize),
}

/// Compiles a pattern.
///
/// # Errors
/// The refusal, in Go's words.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let refusal = |fault: String| {
        let pattern = quoted(pattern);
        format!("Failed to compile regular expression {pattern}: error parsing regexp: {fault}")
    };
    if pattern.len() > PATTERN_OCTETS_MAX {
        let octets = pattern.len();
        let fault = format!("{octets} octets are above the limit of {PATTERN_OCTETS_MAX}");
        return Err(refusal(fault));
    }
    let written = Rewriter::rewrite(pattern).map_err(refusal)?;
    RegexBuilder::new(&written)
        .size_limit(COMPILED_OCTETS_MAX)
        .dfa_size_limit(COMPILED_OCTETS_MAX)
        .nest_limit(NEST_MAX)
        .build()
        .map_err(|error| {
            refusal(match error {
                regex::Error::CompiledTooBig(limit) => {
                    format!("expression is above the limit of {limit} octets: `{pattern}`")
                }
                _ => format!("invalid or unsupported expression: `{pattern}`"),
            })
        })
}

// === impl Rewriter ===

impl<'t> Rewriter<'t> {
    fn rewrite(pattern: &'t str) -> Result<String, String> {
        let rest = pattern.char_indices().peekable();
        let written = String::with_capacity(pattern.len() * 2);
        let (before, classes) = (Before::Nothing, HashSet::new());
        let mut this = Self { pattern, rest, written, groups: 0, before, classes };
        while let Some((at, character)) = this.rest.next() {
            this.part(at, character)?;
        }
        match this.groups {
            0 => Ok(this.written),
            _ => Err(format!("missing closing ): `{pattern}`")),
        }
    }

    fn part(&mut self, at: usize, character: char) -> Result<(), String> {
        match character {
            '(' => return self.group(at),
            ')' => {
                let unexpected = || format!("unexpected ): `{}`", self.pattern);
                self.groups = self.groups.checked_sub(1).ok_or_else(unexpected)?;
                self.written.push(')');
            }
            '|' => {
                self.written.push('|');
                self.before = Before::Nothing;
                return Ok(());
            }
            '^' | '$' | '.' => self.written.push(character),
            '*' | '+' | '?' => {
                let operator = character.to_string();
                return self.repetition(at, &operator);
            }
            '{' => match self.bounds(at)? {
                Some(operator) => return self.repetition(at, &operator),
                None => self.literal('{'),
            },
            '[' => self.class(at)?,
            '\\' => return self.escape(at),
            literal => self.literal(literal),
        }
        self.before = Before::Atom;
        Ok(())
    }

    fn repetition(&mut self, at: usize, operator: &str) -> Result<(), String> {
        let lazy = self.take('?');
        let end = self.rest.peek().map_or(self.pattern.len(), |(end, _)| *end);
        match self.before {
            Before::Atom => {}
            Before::Nothing => {
                let shown = &self.pattern[at..end];
                return Err(format!("missing argument to repetition operator: `{shown}`"));
            }
            Before::Repetition(first) => {
                let shown = &self.pattern[first..end];
                return Err(format!("invalid nested repetition operator: `{shown}`"));
            }
        }
        self.written.push_str(operator);
        if lazy {
            self.written.push('?');
        }
        self.before = Before::Repetition(at);
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; nothing when it is none of them.
    fn bounds(&mut self, at: usize) -> Result<Option<String>, String> {
        let Some(length) = self.pattern[at..].find('}') else { return Ok(None) };
        let inner = &self.pattern[at + 1..at + length];
        let digits = |text: &str| {
            let few = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
            let leading = text.len() > 1 && text.starts_with('0');
            (few && !leading).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (least, most) = match inner.split_once(',') {
            None => (digits(inner), digits(inner)),
            Some((least, "")) => (digits(least), Some(REPEAT_MAX)),
            Some((least, most)) => (digits(least), digits(most)),
        };
        let (Some(least), Some(most)) = (least, most) else { return Ok(None) };
        if least > REPEAT_MAX || most > REPEAT_MAX || least > most {
            return Err(format!("invalid repeat count: `{{{inner}}}`"));
        }
        self.skip_to(at + length + 1);
        Ok(Some(format!("{{{inner}}}")))
    }

    fn literal(&mut self, character: char) {
        match character.is_ascii_alphanumeric() || !character.is_ascii() {
            true => self.written.push(character),
            false => {
                let _ = write!(self.written, r"\x{{{:x}}}", u32::from(character));
            }
        }
    }

    fn take(&mut self, expected: char) -> bool {
        self.rest.next_if(|(_, character)| *character == expected).is_some()
    }

    fn skip_to(&mut self, end: usize) {
        while self.rest.next_if(|(at, _)| *at < end).is_some() {}
    }
}

#[cfg(test)]
mod tests;
