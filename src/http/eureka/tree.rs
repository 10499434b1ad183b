//! What a body says, whichever form it has: names, texts, and what is within.
//!
//! Both forms are read into the same tree and the nouns from the tree, so that what may be left out
//! or misspelt in one form may be in the other, and means the same. It comes naturally: Eureka's
//! JSON is XML in disguise, with `"$"` for an element's text and `"@enabled"` for an attribute.

use std::cell::Cell;

use smol_str::SmolStr;

use crate::model::limit;

/// An element, or a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    text: SmolStr,
    attributes: Vec<(SmolStr, SmolStr)>,
    children: Vec<(SmolStr, Node)>,
}

/// The room that one body's tree may take: a part of two octets in a body is a hundred in memory.
#[derive(Debug)]
pub(super) struct Room {
    left: Cell<usize>,
}

// === impl Node ===

impl Node {
    /// A value without anything within.
    pub(super) fn leaf(text: impl Into<SmolStr>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Adds an attribute.
    pub(super) fn push_attribute(&mut self, name: SmolStr, value: SmolStr) {
        self.attributes.push((name, value));
    }

    /// Adds what is within.
    pub(super) fn push(&mut self, name: SmolStr, child: Self) {
        self.children.push((name, child));
    }

    /// Sets the text.
    pub(super) fn set_text(&mut self, text: SmolStr) {
        self.text = text;
    }

    /// The text, empty when there is none.
    pub(super) fn text(&self) -> &str {
        if self.text.is_empty()
            && let Some(child) = self.child("$")
        {
            return &child.text;
        }
        &self.text
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let given = self.attributes.iter().rfind(|(given, _)| given == name);
        given.map(|(_, value)| &**value).or_else(|| {
            let is_it = |given: &SmolStr| given.strip_prefix('@') == Some(name);
            self.children.iter().rfind(|(given, _)| is_it(given)).map(|(_, child)| child.text())
        })
    }

    /// All that is within, in its order.
    pub(super) fn children(&self) -> impl Iterator<Item = (&SmolStr, &Self)> {
        self.children.iter().map(|(name, child)| (name, child))
    }

    /// All of one name that are within, in their order.
    pub(super) fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.children().filter(move |(given, _)| *given == name).map(|(_, child)| child)
    }

    /// The last of that name that is within.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().rfind(|(given, _)| given == name).map(|(_, child)| child)
    }
}

// === impl Room ===

impl Room {
    /// The room of one body.
    pub(super) fn new() -> Self {
        Self { left: Cell::new(limit::EUREKA_BODY_PARTS_MAX) }
    }

    /// Takes the place of one part, `depth` levels within the body.
    ///
    /// # Errors
    /// When there is none, or it is too deep within.
    pub(super) fn take(&self, depth: usize) -> Result<(), String> {
        if depth > limit::EUREKA_BODY_DEPTH_MAX {
            return Err(format!(
                "it nests deeper than the limit of {} levels",
                limit::EUREKA_BODY_DEPTH_MAX
            ));
        }
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            format!("it has more parts than the limit of {}", limit::EUREKA_BODY_PARTS_MAX)
        })?;
        self.left.set(left);
        Ok(())
    }
}
