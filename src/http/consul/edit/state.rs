//! What a service and a node have in common while they are being changed.

use crate::{model::Amendment, registry::Member};

/// Begins or ends maintenance, and says whether that is a change; if it is none the reason stays.
pub(super) fn maintain(
    (drained, why): (&mut bool, &mut Option<String>),
    on: bool,
    reason: Option<&str>,
) -> bool {
    let is_change = on != *drained;
    if is_change {
        *drained = on;
        *why = reason.filter(|_| on).map(str::to_owned);
    }
    is_change
}

/// Takes away what was seen.
pub(super) fn removal(before: &Member) -> Amendment {
    Amendment { key: before.key(), seen: Some(before.registered), to: None }
}
