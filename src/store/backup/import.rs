//! Reading a backup; every refusal names the line.

use std::{
    cell::Cell,
    io::{BufRead, Read},
    sync::Arc,
};

use hashbrown::HashSet;
use serde::Deserialize;

use super::line::{EndLine, Header, Kind, PolicyLine, member_of};
use crate::{
    model::{Instance, InstanceKey, Origin, Scope, ServiceName, limit},
    registry::Loaded,
    store::text::{InstanceText, Unread, read_strictly},
};

/// Why a backup was not accepted. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {problem}", .column.map(|at| format!(", column {at}")).unwrap_or_default())]
pub struct ImportError {
    /// The line, counted from 1.
    pub line: u64,
    /// The column in octets, counted from 1, where the line could not be read at all.
    pub column: Option<usize>,
    /// What is wrong with it.
    pub problem: String,
}

/// What was read so far, by all that is unique in a registry.
#[derive(Debug, Default)]
struct Seen {
    instances: HashSet<InstanceKey>,
    origins: HashSet<(Scope, Arc<str>)>,
    nodes: usize,
}

struct Reader<'r> {
    input: &'r mut dyn BufRead,
    line: u64,
    /// Where in the line the one was that ended it all.
    column: Cell<Option<usize>>,
    buffer: Vec<u8>,
}

/// Reads what [`export`](super::export()) wrote.
///
/// # Errors
/// When a line is no JSON, has an unknown field or an unacceptable value, is there twice, or when
/// lines are missing.
pub fn import(input: &mut dyn BufRead) -> Result<Loaded, ImportError> {
    let mut reader = Reader { input, line: 0, column: Cell::new(None), buffer: Vec::new() };
    let outcome = read(&mut reader);
    outcome.map_err(|problem| {
        let (line, column) = (reader.line.max(1), reader.column.get());
        ImportError { line, column, problem }
    })
}

fn read(reader: &mut Reader<'_>) -> Result<Loaded, String> {
    if !reader.advance()? {
        return Err("the file is empty; an export begins with a line with `rollcall_export`".into());
    }
    let header = reader.parse_header()?;
    let mut loaded = Loaded { revision: header.revision(), ..Loaded::default() };
    let mut seen = Seen::default();
    let mut services: HashSet<ServiceName> = HashSet::new();
    while reader.advance()? {
        let kind: Kind = reader.parse()?;
        if kind.end.is_some() {
            let end: EndLine = reader.parse()?;
            end.check(loaded.members.len(), loaded.policies.len())?;
            return match reader.advance()? {
                false => Ok(loaded),
                true => Err("stands behind the last line of the export".into()),
            };
        }
        if kind.policy.is_some() {
            let line: PolicyLine = reader.parse()?;
            let (service, policy) = line.into_model().map_err(|refusal| refusal.to_string())?;
            if !services.insert(service.clone()) {
                return Err(format!("the policy of service `{service}` is there twice"));
            }
            loaded.policies.push((service, policy));
        } else {
            let line: InstanceText = reader.parse()?;
            let member = member_of(line, &header).map_err(|refusal| refusal.to_string())?;
            seen.take(&member.instance)?;
            loaded.members.push(member);
        }
    }
    Err("the file ends here, but an export ends with a line with `end`: it was cut short".into())
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, instance: &Instance) -> Result<(), String> {
        let key = instance.key();
        if !self.instances.insert(key.clone()) {
            return Err(format!("the instance `{key}` is there twice"));
        }
        if let Some(Origin { scope, id, .. }) = instance.origin.as_deref()
            && !self.origins.insert((scope.clone(), Arc::clone(id)))
        {
            let Scope { interface, name } = scope;
            return Err(format!("what {interface} knows as `{id}` in `{name}` is there twice"));
        }
        self.nodes += usize::from(instance.service.is_nodes());
        let instances = self.instances.len() - self.nodes;
        for (what, count, most) in [
            ("instances", instances, limit::INSTANCES_MAX),
            ("nodes with a state of their own", self.nodes, limit::NODES_MAX),
        ] {
            if count > most {
                return Err(format!("{what} are above the limit of {most}"));
            }
        }
        Ok(())
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Octets of a line: several times an instance with every field at its limit.
    const LINE_OCTETS_MAX: usize = 16 << 20;

    /// Goes to the next line that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool, String> {
        loop {
            self.buffer.clear();
            let most = Self::LINE_OCTETS_MAX as u64 + 1;
            let read = self.input.take(most).read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| format!("cannot be read: {error}"))? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if self.buffer.len() > Self::LINE_OCTETS_MAX {
                return Err(format!("is above the limit of {} octets", Self::LINE_OCTETS_MAX));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, String> {
        read_strictly(&self.buffer).map_err(|Unread { column, problem }| {
            self.column.set(Some(column));
            problem
        })
    }

    fn parse_header(&self) -> Result<Header, String> {
        let header: Header = self.parse().map_err(|problem| {
            format!("{problem}; an export begins with a line with `rollcall_export`")
        })?;
        match header.rollcall_export {
            Header::VERSION => Ok(header),
            found => Err(format!(
                "it is an export of version {found}, and this version of Rollcall reads version {}",
                Header::VERSION
            )),
        }
    }
}
