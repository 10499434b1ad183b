//! The grammar.
//!
//! ```text
//! or    = and (_ "or" _ and)*
//! and   = not (_ "and" _ not)*
//! not   = "not" _ not / group
//! group = "(" _? or _? ")" / match
//! match = selector (== / != / contains / not contains / matches / not matches) value
//!       / selector (is empty / is not empty)
//!       / value (in / not in) selector
//! value = selector (the text of it) / number / string
//! ```
//!
//! `and` binds tighter than `or`, `not` tighter than both. A choice takes the first way that fits,
//! so the order of the lines matters: `not == 1` reads a selector `not`.

use super::{
    super::quote::unescaped,
    peg::Peg,
    tree::{Expression, Match, Operator, Selector},
};

/// Octets of an expression. Consul's limit is that of a request line; no filter of people or
/// programs comes near.
pub(super) const EXPRESSION_OCTETS_MAX: usize = 8 << 10;

/// Parentheses and `not` within one another; each is a frame of the stack.
pub(super) const DEPTH_MAX: usize = 64;

const EQUAL: &[&str] = &["=="];
const NOT_EQUAL: &[&str] = &["!="];

struct Parser<'t> {
    peg: Peg<'t>,
    depth: usize,
}

/// Reads an expression.
///
/// # Errors
/// What is wrong, beginning with the place.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    if text.len() > EXPRESSION_OCTETS_MAX {
        return Err(format!("the expression is above the limit of {EXPRESSION_OCTETS_MAX} octets"));
    }
    let mut parser = Parser { peg: Peg::new(text), depth: 0 };
    parser.peg.blanks();
    let expression = parser.or();
    parser.peg.blanks();
    let read = expression.filter(|_| parser.peg.end());
    match (parser.peg.refusal(read.is_some()), read) {
        (None, Some(expression)) => Ok(expression),
        (refusal, _) => Err(refusal.unwrap_or_default()),
    }
}

// === impl Parser ===

impl Parser<'_> {
    fn or(&mut self) -> Option<Expression> {
        let first = self.and()?;
        let mut parts = vec![first];
        while let Some(next) = self.joined("or", "\"or\"", Self::and) {
            parts.push(next);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
    }

    fn and(&mut self) -> Option<Expression> {
        let first = self.not()?;
        let mut parts = vec![first];
        while let Some(next) = self.joined("and", "\"and\"", Self::not) {
            parts.push(next);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
    }

    /// `word` between blanks, and what comes after it.
    fn joined(
        &mut self,
        word: &str,
        quoted: &'static str,
        next: fn(&mut Self) -> Option<Expression>,
    ) -> Option<Expression> {
        let start = self.peg.at();
        let joins = self.peg.blanks() && self.peg.word(word, quoted) && self.peg.blanks();
        let next = if joins { next(self) } else { None };
        if next.is_none() {
            self.peg.back(start);
        }
        next
    }

    fn not(&mut self) -> Option<Expression> {
        let start = self.peg.at();
        if self.peg.word("not", "\"not\"")
            && self.peg.blanks()
            && let Some(inner) = self.deeper(Self::not)
        {
            return Some(Expression::Not(Box::new(inner)));
        }
        self.peg.back(start);
        self.group()
    }

    fn group(&mut self) -> Option<Expression> {
        let start = self.peg.at();
        let mut open = None;
        if self.peg.word("(", "\"(\"") {
            self.peg.blanks();
            if let Some(inner) = self.deeper(Self::or) {
                self.peg.blanks();
                if self.peg.word(")", "\")\"") {
                    return Some(inner);
                }
                open = Some(self.peg.at());
            }
            self.peg.back(start);
        }
        let found = self.a_match();
        if let (None, Some(at)) = (&found, open) {
            self.peg.fault(at, "grouping", "Unmatched parentheses");
        }
        found
    }

    fn deeper(&mut self, inner: fn(&mut Self) -> Option<Expression>) -> Option<Expression> {
        if self.depth == DEPTH_MAX {
            let at = self.peg.at();
            let fault = format!("the expression is nested above the limit of {DEPTH_MAX}");
            self.peg.fault(at, "grouping", &fault);
            return None;
        }
        self.depth += 1;
        let read = inner(self);
        self.depth -= 1;
        read
    }

    fn a_match(&mut self) -> Option<Expression> {
        let start = self.peg.at();
        for way in [Self::selector_first, Self::emptiness, Self::value_first] {
            if let Some(found) = way(self) {
                return Some(Expression::Match(found));
            }
            self.peg.back(start);
        }
        None
    }

    fn selector_first(&mut self) -> Option<Match> {
        let selector = self.selector()?;
        let operator = self.first_of(&[
            (EQUAL, Operator::Equal),
            (NOT_EQUAL, Operator::NotEqual),
            (&["contains"], Operator::In),
            (&["not", "contains"], Operator::NotIn),
            (&["matches"], Operator::Matches),
            (&["not", "matches"], Operator::NotMatches),
        ])?;
        let value = self.value()?;
        Some(Match { selector, operator, value })
    }

    fn emptiness(&mut self) -> Option<Match> {
        let selector = self.selector()?;
        let operator = self.first_of(&[
            (&["is", "empty"], Operator::IsEmpty),
            (&["is", "not", "empty"], Operator::IsNotEmpty),
        ])?;
        Some(Match { selector, operator, value: String::new() })
    }

    fn value_first(&mut self) -> Option<Match> {
        let value = self.value()?;
        let operator =
            self.first_of(&[(&["in"], Operator::In), (&["not", "in"], Operator::NotIn)])?;
        let at = self.peg.at();
        let Some(selector) = self.selector() else {
            self.peg.fault(at, "match", "Invalid selector");
            return None;
        };
        Some(Match { selector, operator, value })
    }

    fn first_of(&mut self, operators: &[(&[&str], Operator)]) -> Option<Operator> {
        let start = self.peg.at();
        for (words, operator) in operators {
            if self.operator(words) {
                return Some(*operator);
            }
            self.peg.back(start);
        }
        None
    }

    /// The words of an operator, blanks before, between and after them. `==` and `!=` need none,
    /// and `is empty` may be the last of all.
    fn operator(&mut self, words: &[&str]) -> bool {
        if words == EQUAL || words == NOT_EQUAL {
            self.peg.blanks();
            let found = words.iter().all(|word| self.peg.word(word, shown(word)));
            self.peg.blanks();
            return found;
        }
        let found = words.iter().all(|word| self.peg.blanks() && self.peg.word(word, shown(word)));
        found && (words.last() == Some(&"empty") || self.peg.blanks())
    }

    fn selector(&mut self) -> Option<Selector> {
        let mut parts = vec![self.identifier()?];
        loop {
            let start = self.peg.at();
            let part = if self.peg.word(".", "\".\"") { self.identifier() } else { None };
            let part = part.or_else(|| {
                self.peg.back(start);
                self.index()
            });
            match part {
                Some(part) => parts.push(part),
                None => {
                    self.peg.back(start);
                    return Some(Selector(parts));
                }
            }
        }
    }

    fn identifier(&mut self) -> Option<String> {
        let start = self.peg.at();
        if !self.peg.one(|c| c.is_ascii_alphabetic(), "[a-zA-Z]") {
            return None;
        }
        self.peg.many(|c| c.is_ascii_alphanumeric() || c == '_', "[a-zA-Z0-9_]");
        Some(self.peg.since(start).to_owned())
    }

    /// `["…"]`
    fn index(&mut self) -> Option<String> {
        if !self.peg.word("[", "\"[\"") {
            return None;
        }
        self.peg.blanks();
        let at = self.peg.at();
        let Some(literal) = self.string() else {
            self.peg.fault(at, "index", "Invalid index");
            return None;
        };
        self.peg.blanks();
        if !self.peg.word("]", "\"]\"") {
            self.peg.fault(self.peg.at(), "index", "Unclosed index expression");
            return None;
        }
        Some(literal)
    }

    fn value(&mut self) -> Option<String> {
        let start = self.peg.at();
        if self.selector().is_some() {
            return Some(self.peg.since(start).to_owned());
        }
        self.peg.back(start);
        self.number().or_else(|| {
            self.peg.back(start);
            self.string()
        })
    }

    fn number(&mut self) -> Option<String> {
        let start = self.peg.at();
        self.peg.word("-", "\"-\"");
        if !self.peg.word("0", "\"0\"") {
            if !self.peg.one(|c| matches!(c, '1'..='9'), "[1-9]") {
                return None;
            }
            self.peg.many(|c| c.is_ascii_digit(), "[0-9]");
        }
        let whole = self.peg.at();
        if self.peg.word(".", "\".\"") && self.peg.one(|c| c.is_ascii_digit(), "[0-9]") {
            self.peg.many(|c| c.is_ascii_digit(), "[0-9]");
        } else {
            self.peg.back(whole);
        }
        let after = self.peg.at();
        let ends = self.peg.blanks() || self.peg.end() || self.peg.word(")", "\")\"");
        self.peg.back(after);
        if !ends {
            self.peg.fault(after, "number", "Invalid number literal");
            return None;
        }
        Some(self.peg.since(start).to_owned())
    }

    /// Between double quotes with Go's escapes, or between backquotes as it is.
    fn string(&mut self) -> Option<String> {
        let start = self.peg.at();
        let quote = match self.peg.word("`", "\"`\"") {
            true => '`',
            false if self.peg.word("\"", "\"\\\"\"") => '"',
            false => return None,
        };
        let inner = self.peg.at();
        let Some(length) = self.peg.rest().find(quote) else {
            let end = inner + self.peg.rest().len();
            self.peg.fault(end, "string", "Unterminated string literal");
            return None;
        };
        self.peg.back(inner + length);
        let inner = self.peg.since(inner);
        self.peg.back(self.peg.at() + 1);
        match quote {
            '`' => Some(inner.replace('\r', "")),
            _ => Some(unescaped(inner).unwrap_or_else(|| {
                self.peg.fault(start, "string", "invalid syntax");
                String::new()
            })),
        }
    }
}

/// How a word is shown among what was expected.
fn shown(word: &str) -> &'static str {
    match word {
        "==" => "\"==\"",
        "!=" => "\"!=\"",
        "contains" => "\"contains\"",
        "empty" => "\"empty\"",
        "in" => "\"in\"",
        "is" => "\"is\"",
        "matches" => "\"matches\"",
        _ => "\"not\"",
    }
}
