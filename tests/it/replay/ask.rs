//! A message to be sent: a question in the manner of dig, or octets as they are.

use std::str::FromStr;

use hickory_proto::rr::RecordType;

use super::octets::{Pattern, hexadecimal, name_octets};

/// How a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over HTTPS by GET.
    Get,
    /// Over HTTPS by POST.
    Post,
    Quic,
    Tcp,
    Tls,
    Udp,
}

/// The ways by their names in a script.
pub(super) const WAYS: &[(&str, &[Way])] = &[
    ("https", &[Way::Get, Way::Post]),
    ("quic", &[Way::Quic]),
    ("tcp", &[Way::Tcp]),
    ("tls", &[Way::Tls]),
    ("udp", &[Way::Udp]),
];

/// A message, and what a reply to it must have in common with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// In the manner of a line for dig.
    pub(super) text: String,
    octets: Vec<u8>,
    edns: Option<Edns>,
    /// Whether each octet is sent by itself.
    pub(super) slowly: bool,
    /// Whether the octets stand in the script.
    pub(super) is_raw: bool,
}

/// What goes into an OPT record.
#[derive(Debug, Clone, Default)]
struct Edns {
    version: u8,
    size: u16,
    flags: u16,
    options: Vec<(u16, Given)>,
}

/// The data of an option.
#[derive(Debug, Clone)]
enum Given {
    Data(Vec<u8>),
    /// What the last reply had in the same option.
    Returned,
}

/// The options by their names, as dig has them.
const OPTIONS: &[(&str, u16)] = &[
    ("cookie", 10),
    ("ecs", 8),
    ("ede", 15),
    ("expire", 9),
    ("keepalive", 11),
    ("nsid", 3),
    ("padding", 12),
];

const CLASSES: &[(&str, u16)] = &[("ANY", 255), ("CH", 3), ("HS", 4), ("IN", 1), ("NONE", 254)];

/// The bits of the header's second word.
const FLAGS: &[(&str, u16)] = &[
    ("+aa", 0x0400),
    ("+ad", 0x0020),
    ("+cd", 0x0010),
    ("+ra", 0x0080),
    ("+rd", 0x0100),
    ("+tc", 0x0200),
    ("+z", 0x0040),
];

/// The number of an option by its name or its number.
pub(super) fn option_code(text: &str) -> Option<u16> {
    let known = OPTIONS.iter().find(|(name, _)| *name == text);
    known.map_or_else(|| text.parse().ok(), |(_, code)| Some(*code))
}

/// The number of a class by its name, or as RFC 3597 §5 writes it.
pub(super) fn class_number(text: &str) -> Option<u16> {
    let known = CLASSES.iter().find(|(name, _)| *name == text);
    let number = || text.strip_prefix("CLASS")?.parse().ok();
    known.map_or_else(number, |(_, class)| Some(*class))
}

/// The name of a type, or its number as RFC 3597 §5 writes it.
pub(super) fn type_text(number: u16) -> String {
    match RecordType::from(number) {
        RecordType::Unknown(39) => "DNAME".to_owned(),
        RecordType::Unknown(number) => format!("TYPE{number}"),
        known => known.to_string(),
    }
}

fn type_number(text: &str) -> Option<u16> {
    match text.strip_prefix("TYPE") {
        Some(number) => number.parse().ok(),
        None if text == "DNAME" => Some(39),
        None => RecordType::from_str(text).ok().map(u16::from),
    }
}

/// A name of the script: `@` and what has no final dot are relative.
pub(super) fn absolute(name: &str, origin: &str) -> String {
    match name {
        "@" => origin.to_owned(),
        _ if name.ends_with('.') => name.to_owned(),
        _ => format!("{name}.{origin}"),
    }
}

// === impl Ask ===

impl Ask {
    /// Reads `NAME TYPE [CLASS] [+…]`, or `raw` and octets.
    ///
    /// # Errors
    /// Names what is not understood.
    pub(super) fn parse(text: &str, origin: &str, id: u16) -> Result<Self, String> {
        if let Some(octets) = text.strip_prefix("raw") {
            let octets = Pattern::parse(octets)?.exact().ok_or("a message has no `..`")?;
            return Ok(Self { text: text.to_owned(), octets, is_raw: true, ..Self::default() });
        }
        let (name, rest) = text.split_once(' ').ok_or("a type is missing")?;
        let name = absolute(name, origin);
        let mut words = rest.split_whitespace().peekable();
        let wire = name_octets(&name).ok_or_else(|| format!("`{name}` is no name"))?;
        let rtype = words.next().and_then(type_number).ok_or("a type is missing")?;
        let class = words.next_if(|word| !word.starts_with('+')).unwrap_or("IN");
        let class = class_number(class).ok_or_else(|| format!("`{class}` is no class"))?;
        let mut ask = Self { text: format!("dig {name} {rest}"), ..Self::default() };
        let mut flags = 0;
        for word in words {
            ask.option(word, &mut flags).ok_or_else(|| format!("`{word}` is not understood"))?;
        }
        ask.octets.extend([id, flags, 1, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()));
        ask.octets.extend(wire);
        ask.octets.extend([rtype, class].iter().flat_map(|word| word.to_be_bytes()));
        Ok(ask)
    }

    fn option(&mut self, word: &str, flags: &mut u16) -> Option<()> {
        if let Some((_, bit)) = FLAGS.iter().find(|(name, _)| *name == word) {
            *flags |= bit;
            return Some(());
        }
        let (key, value) = word.strip_prefix('+')?.split_once('=').unwrap_or((&word[1..], ""));
        match key {
            "slowly" => self.slowly = true,
            "opcode" => *flags |= value.parse::<u16>().ok().filter(|opcode| *opcode < 16)? << 11,
            _ => self.edns_option(key, value)?,
        }
        Some(())
    }

    fn edns_option(&mut self, key: &str, value: &str) -> Option<()> {
        let edns = self.edns.get_or_insert_with(|| Edns { size: 1_232, ..Edns::default() });
        match key {
            "edns" if value.is_empty() => {}
            "edns" => edns.version = value.parse().ok()?,
            "size" => edns.size = value.parse().ok()?,
            "do" => edns.flags |= 0x8000,
            "zflags" => edns.flags |= u16::from_str_radix(value, 16).ok()?,
            "padding" => edns.options.push((12, Given::Data(vec![0; value.parse().ok()?]))),
            "option" => {
                let (code, data) = value.split_once(':').unwrap_or((value, ""));
                edns.options.push((code.parse().ok()?, Given::Data(hexadecimal(data)?)));
            }
            key => {
                let data = match value {
                    "returned" => Given::Returned,
                    data => Given::Data(hexadecimal(data)?),
                };
                edns.options.push((option_code(key)?, data));
            }
        }
        Some(())
    }

    /// The message; `returned` gives what the last reply had in an option.
    pub(super) fn octets(&self, returned: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
        let Some(edns) = &self.edns else { return self.octets.clone() };
        let mut options = Vec::new();
        for (code, data) in &edns.options {
            let data = match data {
                Given::Data(data) => data.clone(),
                Given::Returned => returned(*code),
            };
            options.extend(code.to_be_bytes());
            options.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            options.extend(data);
        }
        let mut octets = self.octets.clone();
        octets[11] += 1;
        octets.extend([0, 0, 41]);
        octets.extend(edns.size.to_be_bytes());
        octets.extend([0, edns.version]);
        octets.extend(edns.flags.to_be_bytes());
        octets.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
        octets.extend(options);
        octets
    }

    /// Whether there is an OPT record, and whether DO is set in it.
    pub(super) fn dnssec_ok(&self) -> Option<bool> {
        self.edns.as_ref().map(|edns| edns.flags & 0x8000 != 0)
    }
}
