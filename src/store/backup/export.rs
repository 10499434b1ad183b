//! Writing a backup.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::line::{EndLine, Header, PolicyLine, line_of};
use crate::{model::Timestamp, registry::Loaded, store::text::Instant};

/// Writes everything in `loaded` as JSON lines.
///
/// # Errors
/// When `out` does not take it all.
pub fn export(loaded: &Loaded, exported_at: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let header = Header {
        rollcall_export: Header::VERSION,
        revision: loaded.revision.0,
        exported_at: Instant(exported_at),
    };
    write_line(&mut out, &header)?;
    for member in &loaded.members {
        write_line(&mut out, &line_of(member))?;
    }
    for (service, policy) in &loaded.policies {
        write_line(&mut out, &PolicyLine::new(service, policy))?;
    }
    let (instances, policies) = (loaded.members.len() as u64, loaded.policies.len() as u64);
    write_line(&mut out, &EndLine::new(instances, policies))?;
    out.flush()
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
