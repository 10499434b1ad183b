//! Keys, ranges of them, and how these are shown.

use std::fmt;

use bytes::Bytes;

/// One key, or all keys from one up to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    key: Bytes,
    /// The first key that is not in the range; empty for one key alone, one zero octet for all
    /// keys from `key` on. That is etcd's own notation.
    end: Bytes,
}

/// One zero octet: as an end it is behind every key, as a key it is before all of them.
const NUL: Bytes = Bytes::from_static(b"\0");

// === impl KeyRange ===

impl KeyRange {
    /// That key alone.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), end: Bytes::new() }
    }

    /// All keys that begin with `prefix`; all keys if it is empty.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        let end = match prefix.iter().rposition(|octet| *octet != u8::MAX) {
            Some(last) => {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                end.into()
            }
            None => NUL,
        };
        Self { key: if prefix.is_empty() { NUL } else { prefix }, end }
    }

    /// The keys from `first` up to, without it, `end`.
    pub fn between(first: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self { key: first.into(), end: end.into() }
    }

    /// Where it begins.
    pub fn first(&self) -> &Bytes {
        &self.key
    }

    /// etcd's `range_end`.
    pub(super) fn end(&self) -> &Bytes {
        &self.end
    }

    /// The part of it that begins right behind `key`: where the next page of a list starts.
    pub(super) fn behind(&self, key: &[u8]) -> Self {
        Self { key: [key, b"\0"].concat().into(), end: self.end.clone() }
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.escape_ascii();
        if self.end.is_empty() {
            write!(f, "`{key}`")
        } else if self.end == NUL {
            write!(f, "`{key}` and all behind it")
        } else if *self == Self::prefix(self.key.clone()) {
            write!(f, "`{key}*`")
        } else {
            write!(f, "`{key}` to `{}`", self.end.escape_ascii())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyRange;

    #[test]
    fn a_prefix_ends_before_the_next_one_of_its_length() {
        for (prefix, key, end) in [
            (&b"/a/"[..], &b"/a/"[..], &b"/a0"[..]),
            (b"a\xff", b"a\xff", b"b"),
            (b"\xff\xff", b"\xff\xff", b"\0"),
            (b"", b"\0", b"\0"),
        ] {
            let range = KeyRange::prefix(prefix);
            assert_eq!((&range.key[..], &range.end[..]), (key, end), "{prefix:?}");
        }
    }

    #[test]
    fn ranges_are_shown_as_people_write_them() {
        for (range, shown) in [
            (KeyRange::key("/a"), "`/a`"),
            (KeyRange::prefix("/a/"), "`/a/*`"),
            (KeyRange::between("/a", "/c"), "`/a` to `/c`"),
            (KeyRange::prefix(""), "`\\x00` and all behind it"),
        ] {
            assert_eq!(range.to_string(), shown);
        }
    }

    #[test]
    fn the_next_page_begins_behind_the_last_key() {
        let rest = KeyRange::prefix("/a/").behind(b"/a/b");
        assert_eq!((&rest.key[..], &rest.end[..]), (&b"/a/b\0"[..], &b"/a0"[..]));
    }
}
