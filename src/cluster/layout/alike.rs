//! What rows have alike, kept once.
//!
//! A million instances differ in name and address only. Each row that is read has tags, metadata
//! and checks of its own, which take several times what differs.

use std::sync::Arc;

use crate::{model::CheckState, registry::SharedRow, store::Interner};

/// Remembers what was in rows before, up to a limit.
#[derive(Debug, Default)]
pub struct Alike(Interner);

// === impl Alike ===

impl Alike {
    /// Has a row that was just read take what is equal from those before it.
    pub fn share(&mut self, row: &mut SharedRow) {
        match row {
            SharedRow::Registration { to: Some(to), .. } => {
                // Nobody else has it yet, so that nothing is copied.
                self.0.share(Arc::make_mut(&mut to.instance));
                to.checks.iter_mut().flatten().for_each(|state| self.share_output(state));
            }
            SharedRow::Health { to: Some(to), .. } => {
                to.checks.iter_mut().for_each(|state| self.share_output(state));
            }
            SharedRow::Opinion { to: Some(to), .. } => {
                to.checks.values_mut().for_each(|state| self.share_output(state));
            }
            SharedRow::Registration { .. }
            | SharedRow::Health { .. }
            | SharedRow::Drained { .. }
            | SharedRow::Opinion { .. }
            | SharedRow::Policy { .. } => {}
        }
    }

    fn share_output(&mut self, state: &mut CheckState) {
        state.output = self.0.text(&state.output);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Alike;
    use crate::{
        cluster::layout::testing::{health, plain, web},
        registry::SharedRow,
    };

    #[test]
    fn what_rows_have_alike_is_kept_once() {
        let (mut alike, registration) = (Alike::default(), plain());
        let mut read = || {
            let to = Some(Box::new(plain()));
            let mut row = SharedRow::Registration { key: web(), to };
            alike.share(&mut row);
            let SharedRow::Registration { to: Some(to), .. } = row else { panic!() };
            to.instance
        };
        let (one, other) = (read(), read());
        assert_eq!((&one, &one), (&registration.instance, &other));
        assert!(Arc::ptr_eq(&one.tags, &other.tags) && Arc::ptr_eq(&one.checks, &other.checks));
        assert_eq!(one.meta.pairs().as_ptr(), other.meta.pairs().as_ptr());
        let mut said = || {
            let mut row = SharedRow::Health { key: web(), to: Some(health("silent")) };
            alike.share(&mut row);
            let SharedRow::Health { to: Some(to), .. } = row else { panic!() };
            Arc::clone(&to.checks[0].output)
        };
        assert!(Arc::ptr_eq(&said(), &said()));
    }
}
