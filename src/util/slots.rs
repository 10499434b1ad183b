//! A table whose places are used again, and names that know which tenant of a place is meant.
//!
//! For what there are a million of: a name is eight octets, finding is one look into a vector, and
//! a timer or a task may keep the name of what is gone, which then is found no more.

use std::num::NonZeroU32;

/// Values in places.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

/// Names a value for as long as it is there: a place, and which of its tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    place: u32,
    tenancy: NonZeroU32,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    tenancy: NonZeroU32,
}

// === impl Slots ===

impl<T> Slots<T> {
    /// What one value takes, in octets.
    pub const SLOT_OCTETS: usize = size_of::<Slot<T>>();

    /// Adds a value.
    ///
    /// # Panics
    /// When there are 2^32 of them.
    pub fn insert(&mut self, value: T) -> SlotId {
        if let Some(place) = self.free.pop() {
            let slot = &mut self.slots[place as usize];
            slot.value = Some(value);
            return SlotId { place, tenancy: slot.tenancy };
        }
        let place = u32::try_from(self.slots.len()).expect("there is a limit to them");
        let tenancy = NonZeroU32::MIN;
        self.slots.push(Slot { value: Some(value), tenancy });
        SlotId { place, tenancy }
    }

    /// Takes a value out; its name means nothing from then on.
    pub fn remove(&mut self, id: SlotId) -> Option<T> {
        let slot = self.slots.get_mut(id.place as usize)?;
        if slot.tenancy != id.tenancy {
            return None;
        }
        let value = slot.value.take()?;
        slot.tenancy = slot.tenancy.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.free.push(id.place);
        Some(value)
    }

    /// The value, if it is still there.
    pub fn get(&self, id: SlotId) -> Option<&T> {
        let slot = self.slots.get(id.place as usize)?;
        slot.value.as_ref().filter(|_| slot.tenancy == id.tenancy)
    }

    /// The value, if it is still there.
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.place as usize)?;
        slot.value.as_mut().filter(|_| slot.tenancy == id.tenancy)
    }

    /// All values with their names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, &T)> {
        let named = (0..).zip(&self.slots);
        named.filter_map(|(place, slot)| {
            Some((SlotId { place, tenancy: slot.tenancy }, slot.value.as_ref()?))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

// === impl SlotId ===

impl SlotId {
    /// Before all others in their order.
    pub const MIN: Self = Self { place: 0, tenancy: NonZeroU32::MIN };
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn a_name_means_its_tenant_only() {
        let mut slots = Slots::default();
        let (a, b) = (slots.insert('a'), slots.insert('b'));
        assert_eq!((slots.remove(a), slots.remove(a), slots.len()), (Some('a'), None, 1));
        let c = slots.insert('c');
        assert_ne!(a, c, "in the place of the first");
        assert_eq!((slots.get(a), slots.get(b), slots.get(c)), (None, Some(&'b'), Some(&'c')));
        assert_eq!(slots.iter().collect::<Vec<_>>(), [(c, &'c'), (b, &'b')]);
    }
}
