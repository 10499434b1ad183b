//! Names of random zones: labels of any octets, few enough of them that names meet.

/// Octets of the longest name (RFC 1035 §3.1).
const NAME_OCTETS_MAX: usize = 255;

/// Labels that most names are made of, by how often: names of few labels share their ancestors,
/// which is where wildcards, cuts and empty non-terminals matter.
const LABELS: &[(u32, &[u8])] = &[
    (12, b"a"),
    (12, b"b"),
    (10, b"c"),
    (14, b"*"),
    (5, b"www"),
    (5, b"ns"),
    (3, b"_tcp"),
    (3, b"_sip"),
    (2, b"xn--caf-dma"),
    (1, b"**"),
    (1, b"*a"),
    (1, b"a.b"),
    (1, b" "),
    (1, b"\0"),
    (1, b"\xff\xfe"),
    (1, b"@"),
    (1, b"$x"),
    (1, b"\"'`"),
    (1, b";()\\"),
    (1, b"0"),
    (1, b"-"),
    (2, &[b'l'; 63]),
];

/// A name: its labels from the front, in the letters that were given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(Vec<Vec<u8>>);

// === impl Name ===

impl Name {
    /// The name of plain text without escapes.
    pub(crate) fn plain(text: &str) -> Self {
        let labels = text.split('.').filter(|label| !label.is_empty());
        Self(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    /// The name right below this one; nothing if that would be too long.
    pub(crate) fn child(&self, label: &[u8]) -> Option<Self> {
        let labels = std::iter::once(label.to_vec()).chain(self.0.iter().cloned());
        Some(Self(labels.collect())).filter(|name| name.octets() <= NAME_OCTETS_MAX)
    }

    /// As [`Name::child`], of a random label.
    pub(crate) fn random_child(&self, rng: &mut fastrand::Rng) -> Option<Self> {
        self.child(pick(rng, LABELS))
    }

    /// The name right above; nothing above the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        Some(Self(self.0.get(1..)?.to_vec()))
    }

    /// The names above, the closest first, without the root.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Self> {
        let above = std::iter::successors(self.parent(), Self::parent);
        above.filter(|name| !name.0.is_empty())
    }

    /// The name with its label at `index` replaced by a random one.
    pub(crate) fn with_random_label(mut self, index: usize, rng: &mut fastrand::Rng) -> Self {
        if let Some(label) = self.0.get_mut(index) {
            *label = pick(rng, LABELS).to_vec();
        }
        if self.octets() <= NAME_OCTETS_MAX { self } else { Self::plain("too.long") }
    }

    /// Whether it is `other` or below it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.len() >= other.0.len() && self.0[self.0.len() - other.0.len()..] == other.0
    }

    /// Whether its first label is the one of a wildcard.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.0.first().is_some_and(|label| label == b"*")
    }

    /// How many labels it has.
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Its length on the wire.
    pub(crate) fn octets(&self) -> usize {
        self.0.iter().map(|label| label.len() + 1).sum::<usize>() + 1
    }

    /// Its octets on the wire.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.octets());
        for label in &self.0 {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend(label);
        }
        wire.push(0);
        wire
    }

    /// The name of octets on the wire.
    pub(crate) fn from_wire(wire: &[u8]) -> Self {
        let (mut labels, mut rest) = (Vec::new(), wire);
        while let [length @ 1..=63, tail @ ..] = rest {
            let (label, tail) = tail.split_at(usize::from(*length));
            labels.push(label.to_vec());
            rest = tail;
        }
        Self(labels)
    }

    /// The same name with each letter in a case of its own.
    pub(crate) fn in_mixed_case(mut self, rng: &mut fastrand::Rng) -> Self {
        for octet in self.0.iter_mut().flatten().filter(|_| rng.bool()) {
            octet.make_ascii_uppercase();
        }
        self
    }

    /// The same name in lower case.
    pub(crate) fn to_lower(&self) -> Self {
        Self(self.0.iter().map(|label| label.to_ascii_lowercase()).collect())
    }
}

/// As a master file and dig read it (RFC 1035 §5.1), with the final dot.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for label in &self.0 {
            for &octet in label {
                match octet {
                    // Their readers differ in what else they take unescaped, or behind `\`.
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => {
                        write!(f, "{}", char::from(octet))?;
                    }
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if self.0.is_empty() { f.write_str(".") } else { Ok(()) }
    }
}

/// One of several, by weight.
pub(crate) fn pick<T: Copy>(rng: &mut fastrand::Rng, among: &[(u32, T)]) -> T {
    let sum: u32 = among.iter().map(|(weight, _)| weight).sum();
    let mut drawn = rng.u32(..sum);
    for (weight, one) in among {
        match drawn.checked_sub(*weight) {
            Some(rest) => drawn = rest,
            None => return *one,
        }
    }
    unreachable!("less than the sum was drawn")
}
