//! XML into the tree that the nouns are read from.
//!
//! There is no stack to overflow, nothing outside the body is read, and no entity stands for more
//! than one character: a document type is refused, and with it every entity that it could declare.

use std::fmt::Display;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};
use smol_str::SmolStr;

use super::{chars::is_carried, name::decode};
use crate::{
    http::eureka::{
        error::EurekaError,
        tree::{Node, Room},
    },
    model::limit,
};

/// What was read so far.
struct Tree {
    room: Room,
    /// The elements that are not ended, from the outside in; before them the body itself.
    open: Vec<Open>,
}

/// An element that is not ended.
#[derive(Default)]
struct Open {
    name: SmolStr,
    node: Node,
    text: String,
}

/// The tree of a body: a node that has its one element within.
///
/// # Errors
/// When it is no well-formed XML in UTF-8, has a document type or an entity other than XML's own
/// five, or there is too much of it.
pub(in crate::http::eureka) fn parse(body: &[u8]) -> Result<Node, EurekaError> {
    let text = std::str::from_utf8(body).map_err(refusal)?;
    if let Some(character) = text.chars().find(|character| !is_carried(*character)) {
        return Err(refusal(not_carried(character)));
    }
    let mut reader = Reader::from_str(text);
    let mut tree = Tree { room: Room::new(), open: vec![Open::default()] };
    loop {
        let event = reader
            .read_event()
            .map_err(|fault| refusal(format!("{fault}, at octet {}", reader.error_position())))?;
        if matches!(event, Event::Eof) {
            return tree.end().map_err(refusal);
        }
        tree.take(event).map_err(refusal)?;
    }
}

fn refusal(fault: impl Display) -> EurekaError {
    EurekaError::unreadable("XML", fault)
}

fn not_carried(character: char) -> String {
    format!("the character U+{:04X} is not allowed", u32::from(character))
}

// === impl Tree ===

impl Tree {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => self.start(&start).and_then(|()| self.close()),
            Event::End(_) => self.close(), // the reader has compared the names
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::DocType(_) => Err("a document type is not allowed".into()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        let depth = self.open.len();
        self.room.take(depth)?;
        let name = SmolStr::new(decode(start.name().into_inner()));
        let mut node = Node::default();
        for (number, attribute) in start.attributes().enumerate() {
            if number == limit::EUREKA_BODY_ATTRIBUTES_MAX {
                return Err(format!("an element has more attributes than the limit of {number}"));
            }
            self.room.take(depth)?;
            let attribute = attribute.map_err(|fault| fault.to_string())?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|fault| fault.to_string())?;
            node.push_attribute(attribute.key.into_inner().into(), value.into());
        }
        self.open.push(Open { name, node, text: String::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(Open { name, mut node, text }) = self.open.pop() else {
            return Err("an element ends that has not begun".into());
        };
        node.set_text(text.into());
        let is_root = self.open.len() == 1;
        let Some(parent) = self.open.last_mut() else {
            return Err("an element ends that has not begun".into());
        };
        if is_root && parent.node.children().next().is_some() {
            return Err("it goes on after its one element".into());
        }
        parent.node.push(name, node);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        let is_outside = self.open.len() == 1;
        match self.open.last_mut() {
            Some(open) if !is_outside => open.text.push_str(text),
            _ if text.trim_ascii().is_empty() => {}
            _ => return Err("there is text outside of its one element".into()),
        }
        Ok(())
    }

    /// A character by its number, or one of XML's own five entities.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        let by_number = reference.resolve_char_ref().map_err(|fault| fault.to_string())?;
        if let Some(character) = by_number.filter(|character| !is_carried(*character)) {
            return Err(not_carried(character));
        }
        let character = by_number.or(match &**reference {
            "amp" => Some('&'),
            "apos" => Some('\''),
            "gt" => Some('>'),
            "lt" => Some('<'),
            "quot" => Some('"'),
            _ => None,
        });
        match character {
            Some(character) => self.text(character.encode_utf8(&mut [0; 4])),
            None => Err(format!("the entity `{}` is not known", &**reference)),
        }
    }

    fn end(mut self) -> Result<Node, String> {
        match (self.open.pop(), self.open.is_empty()) {
            (Some(Open { node, .. }), true) if node.children().next().is_some() => Ok(node),
            (Some(_), true) => Err("it has no element".into()),
            (Some(open), false) => Err(format!("the element `{}` does not end", open.name)),
            (None, _) => Err("an element ends that has not begun".into()),
        }
    }
}
