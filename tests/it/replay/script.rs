//! A script, read: the state of the server, then rules, each with what is sent and expected.

use std::path::Path;

use super::{
    ask::{Ask, WAYS, Way},
    expect::Expect,
};

/// One script.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) file: String,
    pub(super) config: String,
    /// Further files that the configuration names: names and texts.
    pub(super) files: Vec<(String, String)>,
    /// File names and texts.
    pub(super) zones: Vec<(String, String)>,
    /// Whether one of them has a mistake, and is not to be served.
    pub(super) is_broken: bool,
    /// What the upstream knows, `OWNER TTL TYPE DATA`; its address is `UPSTREAM` in `config`.
    pub(super) upstream: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One step, with its line.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    /// The rule that it belongs to.
    pub(super) rule: String,
    pub(super) act: Act,
}

/// What is done.
#[derive(Debug)]
pub(super) enum Act {
    /// A message and its reply, by each of these ways.
    Ask(Box<(Ask, Expect)>, Vec<Way>),
    /// The rule's connection is closed by the server, sooner or later.
    Closed,
    /// The reply to the message that was sent first and is not expected yet.
    Expect(Box<Expect>),
    /// A request of the API: method, path, body.
    Request(&'static str, String, String),
    /// A message on the rule's connection, whose reply is not waited for.
    Send(Box<Ask>),
}

/// A line with those that are indented below it.
struct Block {
    line: usize,
    head: String,
    body: Vec<String>,
}

/// What is known so far.
#[derive(Default)]
struct Reading {
    script: Script,
    origin: String,
    rule: String,
    /// The question that waits for what is expected of it.
    asked: Option<(Ask, Vec<Way>)>,
    next_id: u16,
}

// === impl Script ===

impl Script {
    /// Reads a file.
    ///
    /// # Panics
    /// With file and line, when something is not understood.
    pub(super) fn read(path: &Path) -> Self {
        let text = crate::support::node::read(path);
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut reading = Reading { next_id: 1, ..Reading::default() };
        for block in blocks(&text) {
            let line = block.line;
            let understood = reading.block(block);
            understood.unwrap_or_else(|problem| panic!("{file}:{line}: {problem}"));
        }
        assert!(reading.asked.is_none(), "{file}: nothing is expected of the last question");
        assert!(!reading.script.steps.is_empty(), "{file} has no rule");
        Self { file, ..reading.script }
    }

    /// Whether a question goes by something that needs a certificate.
    pub(super) fn is_encrypted(&self) -> bool {
        let is_plain = |way: &Way| matches!(way, Way::Tcp | Way::Udp);
        let encrypted = |act: &Act| matches!(act, Act::Ask(_, ways) if !ways.iter().all(is_plain));
        self.steps.iter().any(|step| encrypted(&step.act))
    }
}

/// Splits the text; what begins with `;` is a comment, but not inside a block.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(below), Some(block)) => block.body.push(below.trim_end().to_owned()),
            _ if line.trim().is_empty() || line.starts_with(';') => {}
            _ => {
                let head = line.trim_end().to_owned();
                blocks.push(Block { line: number + 1, head, body: Vec::new() });
            }
        }
    }
    blocks
}

// === impl Reading ===

impl Reading {
    fn block(&mut self, block: Block) -> Result<(), String> {
        let Block { line, head, body } = block;
        let (key, rest) = head.split_once(' ').unwrap_or((&head, ""));
        if self.asked.is_some() && key != "expect" {
            return Err("nothing is expected of the question before".to_owned());
        }
        let act = match key {
            "config" => {
                self.script.config = body.join("\n");
                return Ok(());
            }
            "file" => {
                self.script.files.push((rest.to_owned(), body.join("\n")));
                return Ok(());
            }
            "upstream" => {
                self.script.upstream = body;
                return Ok(());
            }
            "zone" | "broken-zone" => {
                self.script.is_broken |= key == "broken-zone";
                let text = body.join("\n") + "\n";
                self.script.zones.push((rest.to_owned(), text));
                return Ok(());
            }
            "origin" => {
                self.origin = rest.to_owned();
                return Ok(());
            }
            "rule" => {
                self.rule = rest.to_owned();
                return Ok(());
            }
            "ask" => return self.ask(rest, &body),
            "send" => Act::Send(Box::new(self.message(rest, &body)?)),
            "expect" => {
                let expect = Expect::parse(rest, &body, &self.origin)?;
                match self.asked.take() {
                    Some((ask, ways)) => Act::Ask(Box::new((ask, expect)), ways),
                    None => Act::Expect(Box::new(expect)),
                }
            }
            "closed" => Act::Closed,
            key => request(key, rest, &body)?,
        };
        self.script.steps.push(Step { line, rule: self.rule.clone(), act });
        Ok(())
    }

    fn ask(&mut self, rest: &str, body: &[String]) -> Result<(), String> {
        let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        let (ways, rest) = match WAYS.iter().find(|(name, _)| *name == first) {
            Some((_, ways)) => (ways.to_vec(), behind),
            None => (vec![Way::Udp, Way::Tcp], rest),
        };
        self.asked = Some((self.message(rest, body)?, ways));
        Ok(())
    }

    fn message(&mut self, rest: &str, body: &[String]) -> Result<Ask, String> {
        if self.rule.is_empty() {
            return Err("a rule has to come first".to_owned());
        }
        self.next_id += 1;
        let whole = body.iter().fold(rest.to_owned(), |whole, line| whole + " " + line);
        Ask::parse(&whole, &self.origin, self.next_id)
    }
}

/// What changes the services: `register S/I JSON`, `policy S JSON`, `put` and `delete` of any path.
fn request(key: &str, rest: &str, body: &[String]) -> Result<Act, String> {
    let whole = body.iter().fold(rest.to_owned(), |whole, line| whole + " " + line);
    let (name, json) = whole.split_once(' ').unwrap_or((&whole, ""));
    let (method, path) = match key {
        "delete" => ("DELETE", name.to_owned()),
        "policy" => ("PUT", format!("/api/v1/services/{name}/policy")),
        "put" => ("PUT", name.to_owned()),
        "register" => {
            let (service, instance) = name.split_once('/').ok_or("a `/` is missing")?;
            ("PUT", crate::support::api::instance_path(service, instance))
        }
        key => return Err(format!("`{key}` is not understood")),
    };
    Ok(Act::Request(method, path, json.to_owned()))
}
