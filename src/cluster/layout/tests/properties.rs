//! Any change there and back, and any octets.

use proptest::{collection::vec, prelude::*};

use crate::{
    cluster::layout::{
        BulkId, Part, RowKey, Write, encode_parts, shown,
        testing::{AUTHOR, edit, layout, row_after, web},
    },
    registry::Edit,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_change_is_read_as_it_was_written(edit in edit()) {
        let write = layout().encode(&edit, &AUTHOR).unwrap();
        prop_assert_eq!(row_after(write), shown(edit));
    }

    #[test]
    fn a_bulk_is_read_as_it_was_written(mut edits in vec(edit(), 0..20)) {
        // Bound to a lease, it is in none.
        edits.retain(|edit| !matches!(edit, Edit::Opinion { .. }));
        let mut read = Vec::new();
        for value in encode_parts(&edits, &AUTHOR).unwrap() {
            let Part { edits, unreadable, later } = layout().decode_part(BulkId(1), 0, &value, 7);
            prop_assert!(unreadable.is_empty() && later.is_empty(), "{:?} {:?}", unreadable, later);
            read.extend(edits);
        }
        prop_assert_eq!(read, edits);
    }

    /// Whatever somebody puts there by hand: a right value with some octets exchanged, or any.
    #[test]
    fn no_octets_are_too_much(
        edit in edit(),
        at in any::<prop::sample::Index>(),
        octets in vec(any::<u8>(), 0..6),
        cut in any::<bool>(),
    ) {
        let (layout, kind) = (layout(), edit.clone());
        let mut value = match layout.encode(&edit, &AUTHOR).unwrap() {
            Write::Put { value, .. } => value,
            other => format!("{other:?}").into_bytes(),
        };
        let mut line = encode_parts(&[kind], &AUTHOR).unwrap().remove(0);
        for value in [&mut value, &mut line] {
            let at = at.index(value.len());
            let end = if cut { value.len() } else { value.len().min(at + octets.len()) };
            value.splice(at..end, octets.iter().copied());
        }
        for value in [&value, &line, &octets] {
            for row in [
                RowKey::Registration(web()),
                RowKey::Health(web()),
                RowKey::Drained(web()),
                RowKey::Opinion(web(), "b".into()),
                RowKey::Policy(web().service),
            ] {
                let _read = layout.decode(&row, value, 7);
            }
            let _read = layout.decode_part(BulkId(1), 0, value, 7);
            let _read = layout.decode_marker(value, 7);
            let _read = layout.decode_meta(value, 7);
            let _read = layout.decode_server(&"a".into(), value, 7);
            let _read = layout.parse(value);
            let key = [layout.all().from.as_bytes(), value].concat();
            let _read = layout.parse(&key);
        }
    }
}
