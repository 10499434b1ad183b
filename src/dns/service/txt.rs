//! TXT: the metadata of the answered instances, one record each, one string `key=value` per pair.

use std::ops::ControlFlow;

use super::{doubles::Doubles, zone::Answering};
use crate::{
    dns::{
        code::rtype,
        encode::{Data, Full, Owner, Section},
        verdict::Verdict,
    },
    model::Meta,
    registry::{FailOpen, Member, Selection},
};

/// Writes the metadata of all answered instances, equal ones once: a set has no record twice
/// (RFC 2181 §5). What does not fit marks the reply as cut.
pub(super) fn of_selection(
    asking: &mut Answering<'_, '_>,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let first = asking.reply.position();
    let members = &asking.service.members;
    let mut metas =
        selection.groups().map(|group| &members[usize::from(group.member)].instance.meta);
    let mut doubles = Doubles::from_here(asking.reply, asking.caller);
    // Breaks off where the reply is full.
    let _ = metas.try_for_each(|meta| {
        let mark = asking.reply.mark();
        let Some(start) = write(asking, meta)? else {
            return ControlFlow::Continue(());
        };
        doubles.take_back(asking.reply, mark, start);
        if doubles.take_long() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if doubles.take_long() {
        return Verdict::NeedsFull;
    }
    verdict(asking, first, fail_open)
}

/// Writes the metadata of one instance.
pub(super) fn of_member(asking: &mut Answering<'_, '_>, member: &Member) -> Verdict {
    let first = asking.reply.position();
    let _ = write(asking, &member.instance.meta);
    verdict(asking, first, None)
}

/// A name has TXT records when one was written, or did not even fit.
fn verdict(asking: &Answering<'_, '_>, first: usize, fail_open: Option<FailOpen>) -> Verdict {
    let has_any = asking.reply.position() > first || asking.reply.is_truncated();
    if has_any { Verdict::Answered(fail_open) } else { Verdict::Nodata }
}

/// Writes one record and says where its data begins; nothing where there is no metadata.
fn write(asking: &mut Answering<'_, '_>, meta: &Meta) -> ControlFlow<(), Option<usize>> {
    if meta.pairs().is_empty() {
        return ControlFlow::Continue(None);
    }
    let kind = (rtype::TXT, asking.ttl);
    let owner = asking.asked.owner();
    let written =
        asking.reply.record_with(Section::Answer, owner, kind, |data| put_pairs(data, meta));
    written.map_or(ControlFlow::Break(()), |start| ControlFlow::Continue(Some(start)))
}

/// Writes the record that every name of DNS-SD has: where there is no metadata, one empty string
/// (RFC 6763 §6.1).
///
/// # Errors
/// When it does not fit.
pub(super) fn always(
    asking: &mut Answering<'_, '_>,
    section: Section,
    owner: Owner<'_>,
    meta: &Meta,
) -> Result<(), Full> {
    let kind = (rtype::TXT, asking.ttl);
    let written = asking.reply.record_with(section, owner, kind, |data| {
        if meta.pairs().is_empty() { data.put(&[0]) } else { put_pairs(data, meta) }
    });
    written.map(drop)
}

/// Writes metadata as the data of one record.
///
/// # Errors
/// When it does not fit.
pub(super) fn put_pairs(data: &mut Data<'_, '_>, meta: &Meta) -> Result<(), Full> {
    meta.pairs().iter().try_for_each(|(key, value)| put_pair(data, key, value))
}

/// Writes `key=value` as one character-string; the model holds it to 255 octets.
fn put_pair(data: &mut Data<'_, '_>, key: &str, value: &str) -> Result<(), Full> {
    data.put(&[u8::try_from(key.len() + 1 + value.len()).map_err(|_| Full)?])?;
    data.put(key.as_bytes())?;
    data.put(b"=")?;
    data.put(value.as_bytes())
}
