//! Whether a contestant answers right: the figures of one that does not do the work mean nothing.

use anyhow::{Context, Result, ensure};

use crate::{
    contestant::{Contestant, ask_tcp, ask_udp, query},
    data::{Data, Kind, Mix},
    turn::Turn,
};

/// What the head of a reply says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    is_reply: bool,
    is_authoritative: bool,
    is_cut: bool,
    code: u8,
    answers: u16,
    authority: u16,
    additional: u16,
}

/// Asks `server` one question of each kind, with and without EDNS, by UDP and by TCP, and compares
/// with what `data` holds: the number of records, AA, NXDOMAIN with its SOA for what is not there,
/// and an OPT for an OPT. Returns what is allowed but to be known beside the figures: that it sends
/// the client to TCP, where the others fit all records into 512 octets.
///
/// # Errors
/// When an answer is wrong; says which.
pub(crate) fn answers(server: &Contestant, data: Data) -> Result<Vec<String>> {
    let mut remarks = Vec::new();
    for kind in [Kind::A, Kind::Aaaa, Kind::Srv, Kind::Missing] {
        let question = kind.question(data.services / 2);
        for edns in [false, true] {
            let query = query(&question, 7, edns)?;
            let replies =
                [("UDP", ask_udp(server.dns, &query)), ("TCP", ask_tcp(server.dns, &query))];
            for (transport, reply) in replies {
                let head = Head::of(&reply.with_context(|| question.clone())?)?;
                if head.is_cut && transport == "UDP" && !edns {
                    let answers = head.answers;
                    remarks.push(format!(
                        "{} cuts its reply to {kind:?} by UDP without EDNS: TC, {answers} records.",
                        server.name
                    ));
                } else {
                    let is_right = head.is_right(kind, u16::try_from(data.instances)?, edns);
                    ensure!(
                        is_right,
                        "{} answers `{question}` by {transport} with {head:?}",
                        server.name
                    );
                }
            }
        }
    }
    Ok(remarks)
}

/// Whether the response codes of a turn have the shares that `mix` asks for.
///
/// # Errors
/// When they have not; says which they are.
pub(crate) fn codes(turn: &Turn, mix: &Mix) -> Result<()> {
    let missing: u8 = mix.iter().filter(|(kind, _)| *kind == Kind::Missing).map(|(_, s)| s).sum();
    let expected = f64::from(missing) / 100.0;
    let seen = turn.seen;
    // The last time through the file is cut anywhere, and what is there is in random order: four
    // standard deviations of a sample of that size, and what rounding takes.
    let deviation = (expected * (1.0 - expected) / seen.completed).sqrt();
    let is_near = |share: f64, expected: f64| (share - expected).abs() < 4.0 * deviation + 0.001;
    ensure!(
        is_near(seen.nxdomain, expected) && is_near(seen.noerror, 1.0 - expected),
        "{expected} of the questions are of names that are not there, but the answers: {seen:?}"
    );
    Ok(())
}

// === impl Head ===

impl Head {
    fn is_right(&self, kind: Kind, instances: u16, edns: bool) -> bool {
        let (code, answers) = if kind == Kind::Missing { (3, 0) } else { (0, instances) };
        self.is_reply
            && self.is_authoritative
            && !self.is_cut
            && (self.code, self.answers) == (code, answers)
            && (answers > 0 || self.authority == 1)
            && self.additional >= u16::from(edns)
    }

    fn of(reply: &[u8]) -> Result<Self> {
        let count = |at: usize| -> Result<u16> {
            let octets = reply.get(at..at + 2).context("a reply shorter than its header")?;
            Ok(u16::from_be_bytes([octets[0], octets[1]]))
        };
        let flags = count(2)?;
        Ok(Self {
            is_reply: flags & 0x8000 != 0,
            is_authoritative: flags & 0x0400 != 0,
            is_cut: flags & 0x0200 != 0,
            code: (flags & 0x000f) as u8,
            answers: count(6)?,
            authority: count(8)?,
            additional: count(10)?,
        })
    }
}
