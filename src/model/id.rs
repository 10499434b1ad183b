//! Names of services, instances and tags: one DNS label each.
//!
//! DNS compares letters without regard to case (RFC 4343), so two spellings of one label are one
//! name; the canonical spelling, which the API shows, is lower case.

use std::{borrow::Borrow, fmt};

use siphasher::sip::SipHasher24;
use smol_str::{SmolStr, StrExt, format_smolstr};

use super::{Invalid, limit};

/// The name of a service, for example `payment`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(SmolStr);

/// The name of an instance within its service, for example `payment-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(SmolStr);

/// A tag of an instance, for example `v1`: the name `v1.payment` answers with those that carry it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(SmolStr);

/// The identity of an instance in the whole registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// The service.
    pub service: ServiceName,
    /// The instance within it.
    pub id: InstanceId,
}

/// No label has an underscore, so that no service is called so.
const NODES: &str = "_nodes";

/// The label under which instances are named, `I.instance.S`; therefore no tag.
const INSTANCE_LABEL: &str = "instance";

// === impl ServiceName ===

impl ServiceName {
    /// Parses a service name.
    ///
    /// # Errors
    /// When it is not a DNS label, or is reserved for the zone's name servers (`ns1` … `ns9`).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let label = parse_label("service", text)?;
        if let [b'n', b's', b'1'..=b'9'] = label.as_bytes() {
            let problem = "is reserved for the name servers of the zone (ns1 to ns9)";
            return Err(Invalid::new("service", text, problem));
        }
        Ok(Self(label))
    }

    /// The name under which a service is kept whose name elsewhere is `text`: itself if it is
    /// legal, otherwise one that is derived from it ([`InstanceId::derived`] says how).
    pub fn derived(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self(derive_label(text)))
    }

    /// The name that nodes are kept under as if it were a service's. Nobody can register one of
    /// that name.
    pub fn nodes() -> Self {
        Self(SmolStr::new_static(NODES))
    }

    /// Whether this is [`ServiceName::nodes`].
    pub fn is_nodes(&self) -> bool {
        self.0 == NODES
    }

    /// A name that a store kept.
    ///
    /// # Errors
    /// As [`ServiceName::parse`], but the name of nodes is taken too.
    pub fn parse_kept(text: &str) -> Result<Self, Invalid> {
        if text == NODES { Ok(Self::nodes()) } else { Self::parse(text) }
    }
}

// === impl InstanceId ===

impl InstanceId {
    /// The name under which an instance is kept whose id elsewhere is `text`: itself if it is a DNS
    /// label. Otherwise letters, digits and hyphens of it, as a person may recognise it by, and
    /// eight hexadecimal digits that tell it from others that look alike. The same text always
    /// makes the same name, in any case of its letters.
    pub fn derived(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self(derive_label(text)))
    }

    /// A name for an instance whose own name is taken: derived from both, as `derived` says.
    pub fn derived_apart(text: &str, from: &str) -> Self {
        Self(derive_label(&format!("{text}/{from}")))
    }

    /// Parses an instance's name.
    ///
    /// # Errors
    /// When it is not a DNS label.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse_label("instance", text).map(Self)
    }
}

// === impl Tag ===

impl Tag {
    /// Parses a tag.
    ///
    /// # Errors
    /// When it is not a DNS label, or is `instance`, which stands for itself in `I.instance.S`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let label = parse_label("tag", text)?;
        if &*label == INSTANCE_LABEL {
            let problem = "is reserved: it names single instances, as in `i-1.instance.web`";
            return Err(Invalid::new("tag", text, problem));
        }
        Ok(Self(label))
    }
}

macro_rules! impl_label {
    ($($type:ident),*) => {$(
        impl $type {
            /// The label in lower case.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The label's octets in lower case, without a length octet.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
impl_label!(ServiceName, InstanceId, Tag);

// === impl InstanceKey ===

impl InstanceKey {
    /// The key of instance `id` of `service`.
    pub fn new(service: ServiceName, id: InstanceId) -> Self {
        Self { service, id }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.id)
    }
}

/// What is legal in `text`, and a hash of it all.
fn derive_label(text: &str) -> SmolStr {
    /// Leaves room for a hyphen and the hash.
    const SLUG_OCTETS_MAX: usize = limit::LABEL_OCTETS_MAX - 9;
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-");
    slug.truncate(SLUG_OCTETS_MAX);
    let slug = if slug.is_empty() { "x" } else { slug.trim_end_matches('-') };
    // Kept by stores and known to clients, so it must never change: by value, and by the tests.
    let hash = SipHasher24::new().hash(text.as_bytes());
    format_smolstr!("{slug}-{:08x}", hash >> 32)
}

/// Letters, digits and inner hyphens, at most 63 (RFC 1123 §2.1), folded to lower case.
fn parse_label(field: &str, text: &str) -> Result<SmolStr, Invalid> {
    let refuse = |problem: String| Err(Invalid::new(field, text, problem));
    if text.is_empty() {
        return refuse("is empty; a name has 1 to 63 letters, digits and hyphens".into());
    }
    let is_wrong = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    // By octets first: nearly all names are right, and a bulk has hundreds of thousands.
    if text.bytes().any(|octet| is_wrong(octet.into()))
        && let Some((at, bad)) = text.char_indices().find(|(_, c)| is_wrong(*c))
    {
        let position = text[..at].chars().count() + 1;
        return refuse(format!(
            "has the character {bad:?} at position {position}; a name has only letters, digits \
             and hyphens"
        ));
    }
    if text.len() > limit::LABEL_OCTETS_MAX {
        return refuse(format!(
            "has {} characters, above the limit of {}",
            text.len(),
            limit::LABEL_OCTETS_MAX
        ));
    }
    if text.starts_with('-') {
        return refuse("begins with the character '-'; hyphens stand inside a name".into());
    }
    if text.ends_with('-') {
        return refuse("ends with the character '-'; hyphens stand inside a name".into());
    }
    Ok(text.to_ascii_lowercase_smolstr())
}

#[cfg(test)]
mod tests {
    use super::{InstanceId, ServiceName, Tag};

    #[test]
    fn a_refusal_names_the_character() {
        let cases = [
            ("", "is empty"),
            ("pay_ment", "'_' at position 4"),
            ("päy", "'ä' at position 2"),
            ("a.b", "'.' at position 2"),
            ("-a", "begins with"),
            ("a-", "ends with"),
        ];
        for (text, expected) in cases {
            let refusal = ServiceName::parse(text).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
        assert!(InstanceId::parse(&"a".repeat(63)).is_ok());
        let refusal = InstanceId::parse(&"a".repeat(64)).unwrap_err().to_string();
        assert!(refusal.contains("64 characters, above the limit of 63"), "{refusal}");
    }

    #[test]
    fn a_name_that_is_no_label_has_one_derived_from_it() {
        // By value: stores and clients have seen them.
        for (text, expected) in [
            ("web-1", "web-1"),
            ("Web-1", "web-1"),
            ("my_service", "my-service-cf3d5dd8"),
            ("host:web:8080", "host-web-8080-c4ceffa9"),
            ("", "x-1e924b9d"),
            ("-", "x-5c61d1cc"),
        ] {
            assert_eq!(InstanceId::derived(text).as_str(), expected, "{text}");
        }
        assert!(ServiceName::derived("ns1").as_str().starts_with("ns1-"));
        assert_ne!(InstanceId::derived("a_b"), InstanceId::derived("a.b"));
        assert_ne!(InstanceId::derived_apart("a", "n"), InstanceId::derived("a"));
        let long = "\u{e4}b".repeat(200);
        for text in [&*long, "a_b", "ns1", "_nodes", "x/y/z"] {
            let derived = InstanceId::derived(text);
            assert_eq!(InstanceId::parse(derived.as_str()).as_ref(), Ok(&derived), "{text}");
            assert_eq!(InstanceId::derived(&text.to_uppercase()), derived, "{text}");
        }
    }

    #[test]
    fn nodes_are_under_a_name_that_nobody_can_register() {
        assert!(ServiceName::parse(ServiceName::nodes().as_str()).is_err());
        assert!(ServiceName::parse_kept("_nodes").unwrap().is_nodes());
        assert!(ServiceName::parse_kept("_other").is_err());
        assert!(!ServiceName::derived("_nodes").is_nodes());
    }

    #[test]
    fn case_is_folded_and_reserved_words_are_refused() {
        assert_eq!(ServiceName::parse("Payment").unwrap().as_str(), "payment");
        assert!(ServiceName::parse("ns1").is_err());
        assert!(ServiceName::parse("ns10").is_ok());
        assert!(Tag::parse("Instance").is_err());
    }
}
