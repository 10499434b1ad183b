//! What a reply must be, and in what a given one differs from it.

use super::{
    ask::{Ask, absolute, class_number, option_code},
    octets::{Pattern, words},
    reply::{Line, Opt, Reply},
};

/// The expected reply; what it does not say has to be as in every reply (`tests/replay/README.md`).
#[derive(Debug, Default)]
pub(super) struct Expect {
    pub(super) outcome: Outcome,
    rcode: u16,
    flags: u16,
    records: [Vec<Wanted>; 3],
    has_order: bool,
    /// Each with its data, which is that of the question if it is not said.
    options: Vec<Said>,
    opt: Option<bool>,
    own_size: Option<u16>,
    question: Option<bool>,
    octets_max: Option<usize>,
    /// For how long HTTP may keep it; said by nothing else.
    pub(super) max_age: Option<u32>,
    contains: Vec<Pattern>,
}

/// An option that is wanted, and one that came.
type Said = (u16, Option<Pattern>);
type Told = (u16, Vec<u8>);

/// What becomes of a message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    #[default]
    Reply,
    Silence,
}

/// A record, or several that look alike.
#[derive(Debug)]
struct Wanted {
    least: usize,
    most: usize,
    owner: String,
    ttl: Option<u32>,
    class: u16,
    rtype: String,
    data: Data,
    text: String,
}

#[derive(Debug)]
enum Data {
    Octets(Pattern),
    Words(Vec<String>),
}

const SECTIONS: [&str; 3] = ["answer", "authority", "additional"];

/// The flags that a script says; RD and CD come from the question.
const FLAGS: &[(&str, u16)] =
    &[("aa", 0x0400), ("ad", 0x0020), ("ra", 0x0080), ("tc", 0x0200), ("z", 0x0040)];

const RCODES: &[(&str, u16)] = &[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("NOTAUTH", 9),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];

/// Our size in every OPT record, unless a script says another one.
const OWN_SIZE: u16 = 1_232;

// === impl Expect ===

impl Expect {
    /// Reads the line, and those below it.
    ///
    /// # Errors
    /// Names what is not understood.
    pub(super) fn parse(head: &str, body: &[String], origin: &str) -> Result<Self, String> {
        let mut expect = Self::default();
        if head == "silence" {
            return Ok(Self { outcome: Outcome::Silence, ..expect });
        }
        let mut head = head.split_whitespace();
        let rcode = head.next().unwrap_or_default();
        let known = RCODES.iter().find(|(name, _)| *name == rcode);
        expect.rcode = known.ok_or_else(|| format!("`{rcode}` is no response code"))?.1;
        for flag in head {
            let known = FLAGS.iter().find(|(name, _)| *name == flag);
            expect.flags |= known.ok_or_else(|| format!("`{flag}` is no flag"))?.1;
        }
        for line in body {
            expect.line(line, origin).ok_or_else(|| format!("`{line}` is not understood"))?;
        }
        Ok(expect)
    }

    fn line(&mut self, line: &str, origin: &str) -> Option<()> {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(section) = SECTIONS.iter().position(|name| *name == key) {
            self.records[section].push(Wanted::parse(rest.trim(), origin)?);
            return Some(());
        }
        match (key, rest) {
            ("ordered", "") => self.has_order = true,
            ("opt", "") => self.opt = Some(true),
            ("no", "opt") => self.opt = Some(false),
            ("question", "") => self.question = Some(true),
            ("no", "question") => self.question = Some(false),
            ("own-size", size) => self.own_size = Some(size.parse().ok()?),
            ("max-age", seconds) => self.max_age = Some(seconds.parse().ok()?),
            ("octets", most) => self.octets_max = Some(most.parse().ok()?),
            ("contains", octets) => self.contains.push(Pattern::parse(octets).ok()?),
            ("option", option) => {
                let (code, data) = option.split_once(' ').unwrap_or((option, ""));
                let said = match data {
                    "echoed" => None,
                    data => Some(Pattern::parse(data).ok()?),
                };
                self.options.push((option_code(code)?, said));
            }
            _ => return None,
        }
        Some(())
    }

    /// In what `reply` differs from what has to be said to `sent`; nothing if it does not.
    pub(super) fn differences(&self, ask: &Ask, sent: &[u8], reply: &Reply) -> Vec<String> {
        let mut found = Vec::new();
        self.header(sent, reply, &mut found);
        self.question(ask, sent, reply, &mut found);
        self.opt(ask, sent, reply, &mut found);
        for (section, (wanted, lines)) in self.records.iter().zip(&reply.sections).enumerate() {
            // A chain of aliases has an order, and so has what is said to have one.
            let is_answer = section == 0;
            differences(SECTIONS[section], wanted, lines, &mut found);
            if is_answer && found.is_empty() && !in_order(wanted, lines, self.has_order) {
                found.push("the answers stand in another order".to_owned());
            }
        }
        let octets = reply.octets.len();
        if let Some(most) = self.octets_max.filter(|most| octets > *most) {
            found.push(format!("{octets} octets are above {most}"));
        }
        let missing = self.contains.iter().filter(|pattern| !pattern.is_in(&reply.octets));
        found.extend(missing.map(|pattern| format!("{pattern:02x?} is not in it")));
        found
    }

    fn header(&self, sent: &[u8], reply: &Reply, found: &mut Vec<String>) {
        let (told, asked) = (reply.word(), u16::from_be_bytes([sent[2], sent[3]]));
        if reply.octets[..2] != sent[..2] {
            found.push("another id".to_owned());
        }
        if told & 0x8000 == 0 {
            found.push("QR is not set".to_owned());
        }
        if (told ^ asked) & 0x7910 != 0 {
            found.push("the opcode, RD or CD is not that of the question".to_owned());
        }
        if reply.rcode() != self.rcode {
            found.push(format!("the response code is {}", reply.rcode()));
        }
        for (name, bit) in FLAGS {
            match (told & bit != 0, self.flags & bit != 0) {
                (true, false) => found.push(format!("{name} is set")),
                (false, true) => found.push(format!("{name} is not set")),
                _ => {}
            }
        }
    }

    fn question(&self, ask: &Ask, sent: &[u8], reply: &Reply, found: &mut Vec<String>) {
        let count = u16::from_be_bytes([reply.octets[4], reply.octets[5]]);
        let wanted = self.question.unwrap_or(!ask.is_raw);
        if count != u16::from(wanted) {
            found.push(format!("it has {count} questions"));
        }
        if wanted && !sent[12..].starts_with(&reply.question) {
            found.push("the question is not echoed octet for octet".to_owned());
        }
    }

    fn opt(&self, ask: &Ask, sent: &[u8], reply: &Reply, found: &mut Vec<String>) {
        let wanted = self.opt.unwrap_or(ask.dnssec_ok().is_some());
        if reply.opts.len() != usize::from(wanted) {
            found.push(format!("it has {} OPT records", reply.opts.len()));
        }
        let Some(Opt { size, version, flags, options, .. }) = reply.opts.first() else { return };
        let own_size = self.own_size.unwrap_or(OWN_SIZE);
        if (*size, *version) != (own_size, 0) {
            found.push(format!("the OPT says size {size}, version {version}"));
        }
        if *flags != if ask.dnssec_ok() == Some(true) { 0x8000 } else { 0 } {
            found.push(format!("the OPT has the flags {flags:04x}"));
        }
        let is_said = |(said, told): (&Said, &Told)| {
            let is_right = match &said.1 {
                Some(pattern) => pattern.matches(&told.1),
                None => has_option(sent, told),
            };
            said.0 == told.0 && is_right
        };
        if options.len() != self.options.len() || !self.options.iter().zip(options).all(is_said) {
            found.push(format!("the options are {options:02x?}"));
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// `[N x|N+ x] OWNER TTL [CLASS] TYPE DATA`, `*` for what may be anything.
    fn parse(text: &str, origin: &str) -> Option<Self> {
        let words = words(text);
        let mut rest = &words[..];
        let (mut least, mut most) = (1, 1);
        if let [count, times, tail @ ..] = rest
            && times == "x"
        {
            least = count.trim_end_matches('+').parse().ok()?;
            most = if count.ends_with('+') { usize::MAX } else { least };
            rest = tail;
        }
        let [owner, ttl, tail @ ..] = rest else { return None };
        let ttl = if ttl == "*" { None } else { Some(ttl.parse().ok()?) };
        let (class, tail) = match tail {
            [class, tail @ ..] if class_number(class).is_some() && class != "ANY" => {
                (class_number(class)?, tail)
            }
            tail => (1, tail),
        };
        let (rtype, data) = tail.split_first()?;
        let data = match data {
            [mark, _length, octets @ ..] if mark == "\\#" => {
                Data::Octets(Pattern::parse(&octets.join(" ")).ok()?)
            }
            words => Data::Words(words.to_vec()),
        };
        let owner = if owner == "*" { owner.clone() } else { absolute(owner, origin) };
        let rtype = rtype.clone();
        Some(Self { least, most, owner, ttl, class, rtype, data, text: text.to_owned() })
    }

    fn is(&self, line: &Line) -> bool {
        let is_word = |(said, told): (&String, &String)| said == "*" || said == told;
        is_word((&self.owner, &line.owner))
            && is_word((&self.rtype, &line.rtype))
            && self.class == line.class
            && self.ttl.is_none_or(|ttl| ttl == line.ttl)
            && match &self.data {
                Data::Octets(pattern) => pattern.matches(&line.data),
                Data::Words(said) if said[..] == ["*"] => true,
                Data::Words(said) => {
                    let told = words(&line.text);
                    said.len() == told.len() && said.iter().zip(&told).all(is_word)
                }
            }
    }
}

/// Whether a message has an option with that data.
fn has_option(message: &[u8], (code, data): &Told) -> bool {
    let length = u16::try_from(data.len()).unwrap();
    let option = [&code.to_be_bytes()[..], &length.to_be_bytes(), data].concat();
    message.windows(option.len()).any(|part| part == option)
}

/// Each record has to be wanted, and each that is wanted to be there.
fn differences(section: &str, wanted: &[Wanted], lines: &[Line], found: &mut Vec<String>) {
    let mut counts = vec![0; wanted.len()];
    for line in lines {
        let place =
            (0..wanted.len()).find(|at| wanted[*at].is(line) && counts[*at] < wanted[*at].most);
        match place {
            Some(at) => counts[at] += 1,
            None => found.push(format!("{section}: {line} is not wanted")),
        }
    }
    for (wanted, count) in wanted.iter().zip(counts).filter(|(w, count)| *count < w.least) {
        found.push(format!("{section}: {} is there {count} times", wanted.text));
    }
}

/// Whether the sets stand in the order in which they are wanted; with `of_records` each record.
fn in_order(wanted: &[Wanted], lines: &[Line], of_records: bool) -> bool {
    let places = lines.iter().filter_map(|line| {
        let is_it = |wanted: &Wanted| match of_records {
            true => wanted.is(line),
            false => wanted.owner == line.owner && wanted.rtype == line.rtype,
        };
        wanted.iter().position(is_it)
    });
    places.is_sorted()
}
