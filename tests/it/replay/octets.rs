//! Octets as the scripts write them: for messages that nobody sends by accident, and for what a
//! reply must contain. The words are described in `tests/replay/README.md`.

/// Octets, some of which may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Option<u8>>);

// === impl Pattern ===

impl Pattern {
    /// Reads the words.
    ///
    /// # Errors
    /// Names the word that is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut octets = Vec::new();
        for word in words(text) {
            octets.extend(group(&word).ok_or_else(|| format!("`{word}` says no octets"))?);
        }
        Ok(Self(octets))
    }

    /// The octets, if each is said.
    pub(super) fn exact(&self) -> Option<Vec<u8>> {
        self.0.iter().copied().collect()
    }

    /// Whether these are the octets.
    pub(super) fn matches(&self, octets: &[u8]) -> bool {
        let is_one = |(said, octet): (&Option<u8>, &u8)| said.is_none_or(|said| said == *octet);
        self.0.len() == octets.len() && self.0.iter().zip(octets).all(is_one)
    }

    /// Whether they stand somewhere among these.
    pub(super) fn is_in(&self, octets: &[u8]) -> bool {
        self.0.is_empty() || octets.windows(self.0.len()).any(|part| self.matches(part))
    }
}

/// Splits text at blanks, but not inside quotes, which stay.
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        if letter.is_whitespace() && !quoted {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        } else {
            word.push(letter);
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// One word: octets, perhaps a number of times.
fn group(word: &str) -> Option<Vec<Option<u8>>> {
    let said = |octets: Vec<u8>| octets.into_iter().map(Some).collect();
    if let Some(name) = word.strip_prefix("name:") {
        return name_octets(name).map(said);
    }
    if let Some((once, times)) = word.rsplit_once('x')
        && let Ok(times) = times.parse()
    {
        return Some(group(once)?.repeat(times));
    }
    if let Some(text) = word.strip_prefix('"') {
        return Some(said(text.strip_suffix('"')?.as_bytes().to_vec()));
    }
    if word == ".." {
        return Some(vec![None]);
    }
    hexadecimal(word).map(said)
}

/// Octets of hexadecimal digits.
pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let is_whole = text.is_ascii() && text.len().is_multiple_of(2);
    let pairs = (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
    is_whole.then(|| pairs.collect::<Result<_, _>>().ok()).flatten()
}

/// A name in wire form, of whatever length: `\DDD` is an octet, `\.` a dot inside a label.
pub(super) fn name_octets(name: &str) -> Option<Vec<u8>> {
    let (mut wire, mut label) = (Vec::new(), Vec::new());
    let mut rest = name.strip_suffix('.').unwrap_or(name).as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'.' => {
                wire.push(u8::try_from(label.len()).ok()?);
                wire.append(&mut label);
            }
            b'\\' if tail.first()?.is_ascii_digit() => {
                label.push(std::str::from_utf8(tail.get(..3)?).ok()?.parse().ok()?);
                rest = &tail[3..];
            }
            b'\\' => {
                label.push(*tail.first()?);
                rest = &tail[1..];
            }
            letter => label.push(*letter),
        }
    }
    if !label.is_empty() {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.append(&mut label);
    }
    wire.push(0);
    Some(wire)
}

#[test]
fn octets_are_said_in_words() {
    let said = |text| Pattern::parse(text).unwrap().exact().unwrap();
    assert_eq!(said("1234 00x3 \"a b\" \"x\"x2 name:a.bc."), b"\x12\x34\0\0\0a bxx\x01a\x02bc\0");
    assert_eq!(said(r"name:a\.b\000."), b"\x04a.b\0\0");
    assert!(Pattern::parse("01 ..x2").unwrap().matches(&[1, 2, 3]));
    assert!(!Pattern::parse("01 ..x2").unwrap().matches(&[1, 2]));
    assert!(Pattern::parse("02 ..").unwrap().is_in(&[1, 2, 3]));
    assert!(!Pattern::parse("03 ..").unwrap().is_in(&[1, 2, 3]));
    for wrong in ["123", "1g", "00xa", "\"a", "..."] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}
