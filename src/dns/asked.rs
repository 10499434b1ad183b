//! What is asked of a zone: the question itself, or the end of the aliases it led to.

use super::{
    encode::{Owner, QUESTION},
    query::Query,
};

/// A name and a type to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'q> {
    /// The name: lower-case wire labels with the root's zero.
    pub name: &'q [u8],
    /// Where it stands in the reply, uncompressed and within the reach of a pointer: the owner of
    /// the records.
    pub at: u16,
    /// The type.
    pub qtype: u16,
}

// === impl Asked ===

impl<'q> Asked<'q> {
    /// The question of a query.
    #[inline]
    pub(super) fn by(query: &'q Query<'_>) -> Self {
        Self { name: query.name(), at: QUESTION, qtype: query.qtype }
    }

    /// The name, as the owner of records.
    #[inline]
    pub(super) fn owner(&self) -> Owner<'static> {
        Owner::At(usize::from(self.at))
    }

    /// Where the last `octets` of the name stand in the reply: a zone's name, for example.
    #[inline]
    pub(super) fn suffix_at(&self, octets: usize) -> u16 {
        let in_front = self.name.len().saturating_sub(octets);
        self.at + u16::try_from(in_front).expect("a name has at most 255 octets")
    }
}
