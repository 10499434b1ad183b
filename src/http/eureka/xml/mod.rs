//! XML as Eureka writes and reads it.
//!
//! The form is that of XStream, without a declaration: names escaped where Java's are no names of
//! XML, the class of a value as an attribute where clients look for it. There are no namespaces.

mod chars;
mod name;
mod reader;
mod writer;

pub(super) use reader::parse;
pub(super) use writer::XmlWriter;

#[cfg(test)]
mod tests;
